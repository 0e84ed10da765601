"""Numbers keep their columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets import numbers
from widgets.signs import ASCII, UNICODE


@given(st.integers(0, 2**64 - 1), st.integers(5, 14))
def test_any_counter_fits_its_column(number: int, width: int) -> None:
    """64 bit fit into five cells."""
    assert len(numbers.grouped(number, width)) <= width
    assert len(numbers.since(number, True, width, UNICODE)) <= max(width, 6)


@pytest.mark.parametrize(
    ("number", "width", "text"),
    [
        (0, 7, "0"),
        (12345, 7, "12,345"),
        (1234567, 7, "1.2M"),
        (1234567, 9, "1,234,567"),
        (999_999, 5, "999k"),
    ],
)
def test_grouped_or_shortened(number: int, width: int, text: str) -> None:
    """Grouped thousands while they fit, then a unit; never rounded up."""
    assert numbers.grouped(number, width) == text


def test_unknown_is_never_zero() -> None:
    """What is not told has a sign of its own."""
    assert numbers.count(None, 7, UNICODE) == "–" and numbers.count(0, 7, UNICODE) == "0"
    assert numbers.since(None, False, 7, UNICODE) == "–" and numbers.per_second(None, 5, UNICODE) == "–"
    assert numbers.per_second(0.0, 5, UNICODE) == "·"


def test_differences_say_when_they_are_a_lower_bound() -> None:
    """+5 is exact, ≥5 may be more."""
    assert numbers.since(5, True, 7, UNICODE) == "+5"
    assert numbers.since(5, False, 7, UNICODE) == "≥5" and numbers.since(5, False, 7, ASCII) == ">=5"


@pytest.mark.parametrize(
    ("rate", "text"), [(0.04, "<0.1"), (0.5, "0.5"), (3.0, "3"), (9.96, "10"), (12345.6, "12.3k")]
)
def test_rates(rate: float, text: str) -> None:
    """One decimal below ten."""
    assert numbers.per_second(rate, 5, UNICODE) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (200000, "2 d")]
)
def test_ages(seconds: float, text: str) -> None:
    """One or two units."""
    assert numbers.age(seconds) == text

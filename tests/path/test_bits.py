"""Marks with unknown bits say exactly what every way of filling them in says."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from calitop.path.bits import FULL, UNKNOWN, Bits
from calitop.path.three import agreed

WIDTH = 6
SMALL = (1 << WIDTH) - 1
numbers = st.integers(0, SMALL)
marks = st.builds(lambda value, known: Bits(value, known | FULL & ~SMALL), numbers, numbers)


def fillings(mark: Bits) -> Iterator[int]:
    """Every number that the mark can be."""
    holes = [1 << bit for bit in range(32) if not mark.known >> bit & 1]
    for choice in range(1 << len(holes)):
        yield mark.value | sum(hole for place, hole in enumerate(holes) if choice >> place & 1)


def knowledge(possible: set[int]) -> Bits:
    """The bits on which all possible numbers agree."""
    first = min(possible)
    return Bits(first, FULL & ~(sum_of_differences(first, possible)))


def sum_of_differences(first: int, possible: set[int]) -> int:
    found = 0
    for number in possible:
        found |= first ^ number
    return found


@given(marks, numbers, numbers)
def test_a_test_is_decided_exactly_when_all_fillings_agree(mark: Bits, value: int, mask: int) -> None:
    assert mark.test(value, mask) is agreed(number & mask == value for number in fillings(mark))


@given(marks, numbers, numbers)
def test_changes_know_what_all_fillings_agree_on(mark: Bits, value: int, mask: int) -> None:
    filled = list(fillings(mark))
    assert mark.set_xmark(value, mask) == knowledge({(old & ~mask) ^ value for old in filled})
    assert mark & value == knowledge({old & value for old in filled})
    assert mark | value == knowledge({old | value for old in filled})
    assert mark ^ value == knowledge({old ^ value for old in filled})


@given(marks, marks, numbers, numbers)
def test_copying_a_mark_knows_what_all_fillings_agree_on(to: Bits, by: Bits, mask: int, other: int) -> None:
    possible = {(old & ~mask) ^ (new & other) for old in fillings(to) for new in fillings(by)}
    assert to.copy_from(by, mask, other) == knowledge(possible)


@given(marks, marks)
def test_what_two_marks_have_in_common_holds_for_both(a: Bits, b: Bits) -> None:
    assert a.common(b) == knowledge({*fillings(a), *fillings(b)})


def test_an_unknown_mark_decides_only_what_no_mark_can_meet() -> None:
    assert UNKNOWN.test(0x10000, 0x10000) is None
    assert UNKNOWN.test(0x3, 0x1) is False
    assert UNKNOWN.test(0, 0) is True
    assert Bits(0x2B5F0F00).test(0, 0xFFF00000) is False
    assert Bits(0xF00, 0xFFFF).unknown_in(0xFFF00000) == 0xFFF00000
    assert (str(Bits(0x10)), str(UNKNOWN)) == ("0x10", "unknown")

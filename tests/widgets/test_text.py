"""Text as it may stand on a terminal."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from widgets.text import Lose, cell, pad, plain, shorten_end, shorten_middle, shorten_start, width_of, wrap

TEXTS = st.text(max_size=60)


@given(TEXTS)
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    """Escape codes, line ends, surrogates and direction marks are written out."""
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in plain(text))


def test_control_characters_are_written_out() -> None:
    """One sees what stands there."""
    assert plain("a\x1b[31mb\tc\u202ed") == "a\\x1b[31mb\\x09c\\u202ed"
    assert plain("[bold]x[/]") == "[bold]x[/]"


@given(TEXTS, st.integers(0, 40))
def test_shortened_text_fits(text: str, width: int) -> None:
    """All ways of shortening keep to the width, and leave alone what fits."""
    safe = plain(text)
    for shorten in (shorten_start, shorten_middle, shorten_end):
        short = shorten(safe, width)
        assert width_of(short) <= width
        assert short == safe or width_of(safe) > width


@given(TEXTS, st.integers(0, 40), st.booleans(), st.sampled_from(["start", "middle", "end"]))
def test_a_cell_is_exactly_as_wide_as_told(text: str, width: int, right: bool, lose: Lose) -> None:
    """No name, whatever its script, moves the columns after it."""
    assert width_of(cell(text, width, right, lose)) == width


def test_both_ends_of_a_name_stay() -> None:
    """Names of pods differ at their ends."""
    assert shorten_middle("calico-python3-daemon-2jlc5", 12) == "calico…2jlc5"
    assert shorten_start("172.16.189.102", 8) == "…189.102"
    assert pad("5", 4, right=True) == "   5"


@given(TEXTS, st.integers(8, 40))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    """Every character but blanks stands in one of the lines, and each line fits."""
    lines = wrap(text, width)
    assert all(width_of(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == plain(text).replace(" ", "")

"""Words are cut as iptables-restore cuts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.formats.words import cut, quote, split, split_closed

_no_newline = st.text(st.characters(blacklist_characters="\n"))


@given(st.lists(_no_newline, max_size=8))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert split(" ".join(quote(word) for word in words)) == words


@given(_no_newline)
def test_places_cover_every_character_but_blanks(text: str) -> None:
    position = 0
    for word in cut(text):
        assert word.start >= position
        assert not text[position : word.start].strip(" \t\n")
        position = word.end
    assert not text[position:].strip(" \t\n")


@given(st.text("ab \t\n\"\\\r'") | st.text())
def test_both_ways_of_cutting_agree(text: str) -> None:
    words = cut(text)
    told = [word.text for word in words]
    assert split(text) == told
    assert split_closed(text) == (told if all(word.closed for word in words) else None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('a  "b c"\td', ["a", "b c", "d"]),
        ('"a"b', ["a", "b"]),
        ('foo"bar baz"', ["foobar baz"]),
        ('""', [""]),
        ('"\\"" x', ['"', "x"]),
        ("a\\ b", ["a\\", "b"]),
        ("it's", ["it's"]),
        ('"open end', ["open end"]),
        ("a\u00a0b\x0bc", ["a\u00a0b\x0bc"]),
    ],
)
def test_cutting(text: str, words: list[str]) -> None:
    assert split(text) == words


def test_an_open_quote_is_told() -> None:
    assert not cut('a "b')[-1].closed
    assert not cut('a "b\\')[-1].closed
    assert cut('a "b"')[-1].closed

"""The words of a rule line, cut exactly as iptables-restore cuts them.

Source: `add_param_to_argv` and `xtables_save_string` of iptables 1.8 (xshared.c, xtables.c):
only double quotes quote, a backslash escapes inside quotes only, and a closing quote
ends the word.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WORD = re.compile(r'([^ \t\n"]*)"((?:[^"\\]|\\.)*)("|\\?\Z)|[^ \t\n"]+', re.DOTALL)
_PLAIN_WORD = re.compile(r"[^ \t\n]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


class Word(NamedTuple):
    """One word with its place in the text."""

    text: str
    """Without quotes and escapes."""
    start: int
    end: int
    """Past the last character, closing quote included."""
    quoted: bool = False
    closed: bool = True
    """False where the text ends inside the quotes."""


def cut(text: str) -> list[Word]:
    """The words of a line with their places; never raises.

    Blanks, tabs and line ends separate them; a carriage return is a character like any other.
    """
    if '"' not in text:
        return [Word(match[0], match.start(), match.end()) for match in _PLAIN_WORD.finditer(text)]
    found: list[Word] = []
    for match in _WORD.finditer(text):
        plain, quoted, closing = match.groups()
        if quoted is None:
            found.append(Word(match[0], *match.span()))
        else:
            inside = _ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted
            found.append(Word(plain + inside, *match.span(), True, closing == '"'))
    return found


def split(text: str) -> list[str]:
    """The words of a line, unquoted; those of an open quote too."""
    words = split_closed(text)
    return [word.text for word in cut(text)] if words is None else words


def split_closed(text: str) -> list[str] | None:
    """The words of a line, unquoted; None where a quote is left open."""
    if '"' not in text:
        return _plain_words(text)
    if "\\" in text or text.count('"') % 2:
        words = cut(text)
        return [word.text for word in words] if all(word.closed for word in words) else None
    found: list[str] = []
    begun = False
    for at, piece in enumerate(text.split('"')):
        if at % 2 == 0:
            found += _plain_words(piece)
            begun = bool(piece) and piece[-1] not in " \t\n"
        elif begun:
            found[-1] += piece
        else:
            found.append(piece)
    return found


def _plain_words(text: str) -> list[str]:
    return [word for word in text.replace("\t", " ").replace("\n", " ").split(" ") if word]


def names(text: str) -> frozenset[str]:
    """The names in a list written as one text."""
    return frozenset(text.split())


def quote(word: str) -> str:
    """A word as iptables-save writes it: quoted unless it holds only letters, digits, `_`, `-`."""
    if _PLAIN.fullmatch(word):
        return word
    return '"' + re.sub(r'(["\\\'])', r"\\\1", word) + '"'

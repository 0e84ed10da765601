"""A rule line in pieces: each general option, each match and the target, with its values.

Fifty thousand rules are made of few pieces (`-p tcp`, `-m mark --mark 0x10000/0x10000`), and a piece in
the form in which iptables-save prints it says the same in every rule. So each is read once. Words that
may belong to another piece are left to the careful look at the whole rule (`iptables_spec`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from calitop.formats.iptables_options import SHORT
from calitop.formats.iptables_spec import general_alone, matches_of, target_alone, target_of
from calitop.formats.iptables_words import group
from calitop.model.matches import Match
from calitop.model.targets import Target
from calitop.model.values import Option

_BORDER = re.compile(r" (?<!! )(?=(?:! )?-[A-Za-z](?: |\Z))")
_PLAIN = re.compile(r'(! )?-([sdiopjg]) ([^\s"!-][^\s"]*)')
"""A general option with its value, or a target without options: most pieces that only one rule has."""
_COMMENT = " -m comment --comment "


class Piece(NamedTuple):
    """What one piece says; places of words are counted within it."""

    matches: tuple[Match, ...]
    targets: tuple[Target, ...]


def pieces(text: str) -> list[str] | None:
    """The pieces of a rule line in order, without its chain and what comments quote; None where not sure."""
    bare = _with_empty_comments(text)
    if bare is None or "\\" in bare or "\t" in bare:
        return None
    head, *found = _BORDER.split(bare)
    return found if head.startswith("-A ") and head.count(" ") == 1 else None


def _with_empty_comments(text: str) -> str | None:
    """The rule with nothing in its quoted comments; None where something else is quoted."""
    bare, *others = text.split('"')
    for at, plain in enumerate(others):
        if at % 2:
            bare += plain
        elif bare.endswith(_COMMENT):
            bare += '""'
        else:
            return None
    return None if len(others) % 2 else bare


def read_piece(text: str) -> Piece | None:
    """What a piece says; None where other pieces may change that: strays, unknown modules, implied ones."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return _plain(plain[1] is not None, plain[2], plain[3], tuple(text.split(" ")))
    grouped = group(text)
    if len(grouped.parts) != 1 or grouped.problems or grouped.head:
        return None
    (part,) = grouped.parts
    if part.kind == "stray" or (part.kind != "general" and part.uses and part.options is None):
        return None
    if part.kind == "target":
        return Piece((), (target_of(part, grouped),))
    return Piece(tuple(matches_of(part, grouped)), ())


def _plain(negated: bool, letter: str, value: str, words: tuple[str, ...]) -> Piece | None:
    if letter not in "jg":
        return Piece((general_alone(Option(SHORT[letter], (value,), negated), words),), ())
    return None if negated else Piece((), (target_alone(value, "goto" if letter == "g" else "jump", words),))

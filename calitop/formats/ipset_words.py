"""Words that `ipset save` and `ipset list` share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

TYPE = r"(?:hash|bitmap|list):[a-z,]+"

_FLAGS = frozenset(("counters", "comment", "skbinfo", "forceadd", "nomatch", "markinv"))
_WORD = re.compile(r'"[^"]*"|\S+')


def words_of(line: str) -> list[str]:
    """The words of a line; a comment in double quotes is one word and keeps its quotes."""
    return _WORD.findall(line) if '"' in line else line.split()


def options_of(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Settings of a set as pairs; a setting without value (`counters`) is `true`."""
    rest = iter(words)
    for word in rest:
        yield word, "true" if word in _FLAGS else next(rest, "true")

"""Outputs of several commands in one text, one after another and without prompts.

A stretch begins at a line that some format takes for its beginning, and ends where that
format stops to understand. Knows no format itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from calitop.formats.catalogue import Format, formats
from calitop.formats.fragment import Fragment
from calitop.snapshot.adjust import shift_lines
from calitop.snapshot.facts import says_something

_WINDOWS = (12, 4, 1)
"""Lines looked at to tell how a stretch begins: the more the surer, but an output may be short."""
_LOST = 3
"""So many lines in a row that a format does not understand end its stretch."""
_TRIES = 100
"""Lines of no format that are passed over before giving up: this is prose, not outputs."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Lines of one text that one format understands."""

    start: int
    """First line, from 1."""
    end: int
    """Last line."""
    kind: str
    fragment: Fragment
    """Line numbers are those of the whole text."""


def stretches(rows: Sequence[str]) -> list[Stretch]:
    """The outputs that follow each other in some lines.

    Returns:
        None of them where most lines belong to no output: that is prose with examples in it.
    """
    found = list(_walk(rows))
    covered = sum(_nonblank(rows[each.start - 1 : each.end]) for each in found)
    return found if covered * 2 >= _nonblank(rows) else []


def _nonblank(rows: Sequence[str]) -> int:
    return sum(1 for row in rows if row.strip())


def _walk(rows: Sequence[str]) -> Iterator[Stretch]:
    at, tries = 0, _TRIES
    while at < len(rows) and tries:
        if not rows[at].strip():
            at += 1
            continue
        fmt = _beginning(rows, at)
        if fmt is None:
            at, tries = at + 1, tries - 1
            continue
        stretch = _stretch(fmt, rows, at)
        yield stretch
        at = stretch.end


def _beginning(rows: Sequence[str], at: int) -> Format | None:
    """The format that a stretch begins with at that line."""
    json_lines = _json_lines(rows, at)
    for size in (json_lines,) if json_lines else _WINDOWS:
        window = "\n".join(rows[at : at + size])
        for fmt in formats():
            if fmt.looks_like(window) and _begins(fmt, rows, at, window):
                return fmt
    return None


def _begins(fmt: Format, rows: Sequence[str], at: int, window: str) -> bool:
    """Whether the format understands the window, or the lines with all that follows (an open table)."""
    if _understands_first(fmt.parse(window), window.count("\n") + 1):
        return True
    whole = fmt.parse("\n".join(rows[at:]))
    bad = {problem.line for problem in whole.problems}
    return says_something(whole) and not bad & set(range(1, _LOST + 1))


def _understands_first(fragment: Fragment, lines: int) -> bool:
    bad = {problem.line for problem in fragment.problems}
    return says_something(fragment) and 1 not in bad and len(bad) * 2 <= lines


def _json_lines(rows: Sequence[str], at: int) -> int:
    """Number of lines that a JSON value takes which begins at that line; 0 where none begins."""
    if not rows[at].startswith(("[", "{")):
        return 0
    text = "\n".join(rows[at:])
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return 0
    return text.count("\n", 0, end) + 1


def _stretch(fmt: Format, rows: Sequence[str], at: int) -> Stretch:
    json_lines = _json_lines(rows, at)
    rows = rows[: at + json_lines] if json_lines else rows
    fragment = fmt.parse("\n".join(rows[at:]))
    bad = [problem.line for problem in fragment.problems if problem.line is not None]
    end = _end(rows, at, frozenset(bad))
    if end < len(rows):
        fragment = fmt.parse("\n".join(rows[at:end]))
    return Stretch(at + 1, end, fmt.KIND, shift_lines(fragment, at))


def _end(rows: Sequence[str], at: int, bad: frozenset[int]) -> int:
    """Where a stretch that begins at a line ends: before a long run of lost lines, or lost to the end."""
    run, start = 0, at
    for place in range(at, len(rows)):
        if not rows[place].strip():
            continue
        if place - at + 1 not in bad:
            run = 0
            continue
        start = place if run == 0 else start
        run += 1
        if run >= _LOST:
            return max(start, at + 1)
    return max(start, at + 1) if run else len(rows)


def without_problems(fragment: Fragment, found: Sequence[Stretch]) -> Fragment:
    """The fragment of the first format without the lines that others understood."""
    taken = {line for each in found for line in range(each.start, each.end + 1)}
    left = tuple(problem for problem in fragment.problems if problem.line not in taken)
    return replace(fragment, problems=left)

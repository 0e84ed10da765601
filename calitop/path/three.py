"""Logic with three values: True, False, and None for what cannot be known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Truth: TypeAlias = "bool | None"


def negation(truth: Truth) -> Truth:
    """The opposite; unknown stays unknown."""
    return None if truth is None else not truth


def every(truths: Iterable[Truth]) -> Truth:
    """Whether all hold: False as soon as one is false, else None where one is unknown."""
    unknown = False
    for truth in truths:
        if truth is False:
            return False
        unknown = unknown or truth is None
    return None if unknown else True


def some(truths: Iterable[Truth]) -> Truth:
    """Whether one holds: True as soon as one is true, else None where one is unknown."""
    unknown = False
    for truth in truths:
        if truth is True:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


def agreed(truths: Iterable[Truth]) -> Truth:
    """What all possibilities agree on; None where they differ, one is unknown, or there are none."""
    found = set(truths)
    return found.pop() if len(found) == 1 else None

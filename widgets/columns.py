"""Which columns fit into a width, and how wide each becomes; pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 1
"""Blank cells between two columns."""

OPTIONAL = 10
"""Columns from this rank on are shown only where the others have all the room they need."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    id: str
    title: str
    rank: int
    """Columns of a low rank are given room first."""
    least: int
    """Cells below which the column is left out."""
    most: int
    """Cells that its widest content needs."""
    right: bool = False
    """Aligned to the right, as numbers are."""


@dataclass(frozen=True)
class Placed:
    """A column with the width that it was given."""

    column: Column
    width: int


def fit(columns: Sequence[Column], width: int) -> list[Placed]:
    """The columns that fit, in the order given, with their widths.

    The essential ones are taken by rank while their least width fits, and grow by rank to
    what they need; only then do the others get room. So a wider terminal shows longer names
    first and more columns then, and no number ever moves a column.
    """
    by_rank = sorted(columns, key=lambda column: column.rank)
    widths: dict[str, int] = {}
    room = width + GAP
    for is_optional in (False, True):
        chosen = [column for column in by_rank if (column.rank >= OPTIONAL) == is_optional]
        room = _take(chosen, widths, room)
        room = _grow(chosen, widths, room)
    return [Placed(column, widths[column.id]) for column in columns if column.id in widths]


def _take(columns: Sequence[Column], widths: dict[str, int], room: int) -> int:
    for column in columns:
        if column.least + GAP <= room:
            widths[column.id] = column.least
            room -= column.least + GAP
    return room


def _grow(columns: Sequence[Column], widths: dict[str, int], room: int) -> int:
    for column in columns:
        if column.id in widths:
            more = min(room, max(0, column.most - column.least))
            widths[column.id] += more
            room -= more
    return room

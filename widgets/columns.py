"""Which columns fit into a width, and how wide each becomes; pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 1
"""Blank cells between two columns."""


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

    Each column is taken by rank while its least width fits; what room is left goes to the
    taken columns by rank, up to what each needs. So a wider terminal shows more columns and
    longer names, and no number ever moves a column.
    """
    widths: dict[str, int] = {}
    room = width + GAP
    for column in sorted(columns, key=lambda column: column.rank):
        if column.least + GAP <= room:
            widths[column.id] = column.least
            room -= column.least + GAP
    for column in sorted(columns, key=lambda column: column.rank):
        if column.id in widths and room > 0:
            more = min(room, max(0, column.most - column.least))
            widths[column.id] += more
            room -= more
    return [Placed(column, widths[column.id]) for column in columns if column.id in widths]

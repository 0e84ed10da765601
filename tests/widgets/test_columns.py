"""Which columns fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from widgets.columns import GAP, Column, fit

COLUMNS = st.lists(
    st.builds(
        Column, st.uuids().map(str), st.just("x"), st.integers(0, 14), st.integers(1, 12), st.integers(1, 30)
    ),
    max_size=8,
)


@given(COLUMNS, st.integers(0, 120))
def test_columns_fit_and_keep_their_order(columns: list[Column], width: int) -> None:
    """Never wider than the room, each at least its least width, in the order given."""
    placed = fit(columns, width)
    assert sum(one.width for one in placed) + GAP * max(0, len(placed) - 1) <= width
    assert all(one.width >= one.column.least for one in placed)
    assert [one.column for one in placed] == [
        column for column in columns if column in [p.column for p in placed]
    ]


def test_optional_columns_come_after_the_names_are_whole() -> None:
    """A column of a high rank is shown only where the essential ones have all they need."""
    columns = [Column("name", "name", 0, 5, 15), Column("mtu", "mtu", 10, 5, 5)]
    assert [one.column.id for one in fit(columns, 20)] == ["name"]
    assert [(one.column.id, one.width) for one in fit(columns, 21)] == [("name", 15), ("mtu", 5)]

"""The reference has a row for every key, column, sign, look, token and theme."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tui import legend
from tui.bindings import KEYS, key_names
from tui.themes import DEFAULTS, THEMES
from widgets.chain_tree import ChainTree
from widgets.columns import Column
from widgets.link_table import LinkRows
from widgets.route_table import RouteRows
from widgets.signs import ASCII, UNICODE, Signs
from widgets.virtual_rows import VirtualRows

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    """Cells of every table row, without code marks."""
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    return [
        [cell.replace("`", "").replace("\\|", "|").strip() for cell in line.strip("|").split(" | ")]
        for line in lines
        if line.startswith("|")
    ]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.id)
def test_every_key_has_its_row(rows: list[list[str]], key: object) -> None:
    """Id, keys and words as in the bindings table."""
    assert any(row == [key.id, key_names(key.keys), key.help] for row in rows)  # type: ignore[attr-defined]  # a Key


def test_every_sign_has_its_row(rows: list[list[str]]) -> None:
    """Both sets, with the meaning that the help shows."""
    said = {entry.name: entry.means for entry in legend.SIGNS}
    for field in fields(Signs):
        wanted = [field.name, getattr(UNICODE, field.name), getattr(ASCII, field.name), said[field.name]]
        assert wanted in rows


def test_every_column_is_explained(rows: list[list[str]]) -> None:
    """Each column head of the tables stands in the legend, and each legend entry in the reference."""
    explained = " ".join(entry.name for entry in legend.COLUMNS).split(" ")
    shown: list[Column] = [*RouteRows((), None).columns, *LinkRows(None).columns, *ChainTree().columns()]
    assert all(word in explained for column in shown for word in column.title.split())
    for entry in (*legend.COLUMNS, *legend.HEAT):
        assert [entry.name, entry.means] in rows


def test_every_look_and_token_has_a_row(rows: list[list[str]]) -> None:
    """Looks of the rows that carry a meaning, tokens of the themes, and the themes."""
    named = {row[0] for row in rows}
    structure = {
        "title",
        "title-focused",
        "heads",
        "cursor",
        "cursor-blurred",
        "related",
        "strong",
        "note",
        "link",
    }
    looks = {name.removeprefix("rows--") for name in VirtualRows.COMPONENT_CLASSES} - structure
    assert looks <= named
    assert set(DEFAULTS) <= named and {theme.name for theme in THEMES} <= named


def test_every_theme_has_every_token() -> None:
    """No theme leaves a colour to another one."""
    assert all(set(DEFAULTS) <= set(theme.variables) for theme in THEMES)

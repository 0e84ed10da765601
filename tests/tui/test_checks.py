"""The checks: what is found, the way to its place and back, and what was not checked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from calitop.snapshot.open import open_snapshots
from tests.tui.driving import STILL, FakeSource, driven, press, screen_text, until
from tests.tui.node import write_moment
from tui.app import CalitopApp
from tui.screens.checks import ChecksScreen
from tui.screens.explorer import Explorer
from tui.screens.set_screen import SetScreen
from widgets.signs import ASCII, UNICODE, Signs
from widgets.view import RouteId, RuleId

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"


def checks(app: CalitopApp) -> ChecksScreen:
    """The screen, which is open."""
    assert isinstance(app.screen, ChecksScreen)
    return app.screen


def row_with(app: CalitopApp, *words: str) -> int:
    """The first row that holds all of these."""
    rows = checks(app).rows.rows
    return next(n for n, row in enumerate(rows) if all(word in row.text() for word in words))


@asynccontextmanager
async def checked(
    snapshot: str, size: tuple[int, int] = (120, 36), signs: Signs = UNICODE
) -> AsyncIterator[tuple[CalitopApp, Pilot[Any]]]:
    """The checks of a bundled snapshot, done."""
    app = CalitopApp(snapshots=open_snapshots([str(SNAPSHOTS / snapshot)]), clock=STILL, signs=signs)
    async with driven(app, size) as pilot:
        await press(pilot, "c")
        await until(pilot, lambda: bool(checks(app).rows.rows))
        yield app, pilot


async def test_the_worst_comes_first_and_leads_to_the_very_rule() -> None:
    """The dropped packets of the identity mark: on the other node, at the rule, and back to the row."""
    async with checked("faults/identity-mark") as (app, pilot):
        first = checks(app).rows.rows[0]
        assert (first.standing, first.check, first.node) == ("error", "unknown-endpoint-counted", "k8s-work2")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.explorer.panes.subject(), RuleId))
        subject = app.explorer.panes.subject()
        assert isinstance(subject, RuleId) and subject.key.chain == "cali-from-endpoint-mark"
        assert app.explorer.desk is not None and app.explorer.desk.choice.node == 1
        await press(pilot, "backspace")
        await until(pilot, lambda: isinstance(app.screen, ChecksScreen))
        assert checks(app).rows.cursor == 0


async def test_evidence_leads_to_a_route_and_to_a_set() -> None:
    """A line of evidence each."""
    async with checked("lab") as (app, pilot):
        checks(app).rows.move_to(row_with(app, "leaked-address", "k8s-work1"))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, Explorer))
        await until(pilot, lambda: isinstance(app.explorer.panes.subject(), RouteId))
        await press(pilot, "backspace")
        await until(pilot, lambda: isinstance(app.screen, ChecksScreen))
        checks(app).rows.move_to(row_with(app, "pool-holds-cilium", "k8s-work1"))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, SetScreen))
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, ChecksScreen))


async def test_what_was_not_checked_is_said() -> None:
    """A text with rules of three chains: no all-clear."""
    async with checked("field-report") as (app, pilot):
        assert row_with(app, "not done", "whole ruleset") > row_with(app, "10.222.0.18/32")
        assert not any(row.is_well for row in checks(app).rows.rows)
        await press(pilot, "end")
        assert "Whether these faults are there is not known" in checks(app).detail.text


async def test_search_copy_and_leaving() -> None:
    """The list is searched; a finding is copied as the command prints it."""
    async with checked("lab") as (app, pilot):
        await press(pilot, "slash i p a m enter")
        row = checks(app).rows.current()
        assert row is not None and row.check == "pool-holds-cilium"
        await press(pilot, "y")
        assert "[pool-holds-cilium]" in app.clipboard and "evidence" in app.clipboard
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, Explorer))


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (200, 50)])
async def test_any_size(size: tuple[int, int]) -> None:
    """Every severity is told by a sign and a word, whatever the size."""
    async with checked("lab", size, ASCII) as (app, _):
        assert "i INFO" in screen_text(app)


async def test_the_live_node_is_read_anew(tmp_path: Path) -> None:
    """`c` on a live node checks what was just read, and `r` again."""
    source = FakeSource(open_snapshots([str(write_moment(tmp_path / "now"))])[0].moments[0])
    app = CalitopApp(source=source, interval_s=60.0, clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "c")
        await until(pilot, lambda: bool(checks(app).rows.rows))
        asked = checks(app)._asked
        await press(pilot, "r")
        await until(pilot, lambda: "checking again" not in checks(app).rows.note)
        assert checks(app)._asked == asked + 1

"""A live node: numbers move, failures are a state, rules change under the cursor."""

from __future__ import annotations

from pathlib import Path

import pytest

from calitop.errors import NeedPrivilege
from calitop.model.node import NodeState, Problem, SourceFile
from calitop.snapshot.open import open_snapshots
from tests.tui.driving import STILL, FakeSource, driven, press, screen_text, shown_by, told, until
from tests.tui.node import write_moment
from tui.app import CalitopApp


@pytest.fixture
def states(tmp_path: Path) -> list[NodeState]:
    """The node before, and after five dropped packets."""
    folders = [write_moment(tmp_path / name, hits) for name, hits in (("a", 0), ("b", 5))]
    return [open_snapshots([str(folder)])[0].moments[0] for folder in folders]


def live_app(source: FakeSource) -> CalitopApp:
    """The explorer over a live node that is polled on request only."""
    return CalitopApp(source=source, interval_s=60.0, clock=STILL)


async def test_counters_move_while_one_watches(states: list[NodeState]) -> None:
    """A poll shows what counted since the baseline, the drop loudest; b counts from now."""
    source = FakeSource(states[0])
    app = live_app(source)
    async with driven(app, (200, 50)) as pilot:
        assert "live" in screen_text(app) and not shown_by(app).view.hits
        source.become(states[1])
        await press(pilot, "r")
        await until(pilot, lambda: bool(shown_by(app).view.hits))
        await press(pilot, "i")
        assert "✖+5" in screen_text(app)
        await press(pilot, "b")
        await until(pilot, lambda: not shown_by(app).view.hits)


async def test_pause_holds_the_picture_and_shows_the_newest_afterwards(states: list[NodeState]) -> None:
    """While paused polls go on unseen; the end of the pause shows the newest one at once."""
    source = FakeSource(states[0])
    app = live_app(source)
    async with driven(app) as pilot:
        held = app.explorer.shown
        await press(pilot, "space")
        source.become(states[1])
        await press(pilot, "r")
        await until(pilot, lambda: app.explorer._waiting is not None)
        assert app.explorer.shown is held and "paused" in screen_text(app)
        await press(pilot, "space")
        assert shown_by(app).view.hits and "paused" not in screen_text(app)


async def test_faster_and_slower(states: list[NodeState]) -> None:
    """+ and - change the interval that the status line shows."""
    app = live_app(FakeSource(states[0]))
    async with driven(app) as pilot:
        await press(pilot, "plus")
        await until(pilot, lambda: "live 30 s" in screen_text(app))
        await press(pilot, "minus")
        await until(pilot, lambda: "live 60 s" in screen_text(app))


async def test_a_failed_poll_keeps_the_data(states: list[NodeState]) -> None:
    """The last data stay, the status line says why there are no newer ones, recovery is silent."""
    source = FakeSource(states[0])
    app = live_app(source)
    async with driven(app, (200, 40)) as pilot:
        source.failure = NeedPrivilege("cannot read table 'filter': permission denied", "run as root")
        await press(pilot, "r")
        await until(pilot, lambda: "permission denied" in screen_text(app))
        assert app.explorer.panes.routes.row_count() == 6
        source.failure = None
        await press(pilot, "r")
        await until(pilot, lambda: "permission denied" not in screen_text(app))


async def test_new_rules_keep_cursor_and_open_rows(states: list[NodeState], tmp_path: Path) -> None:
    """A rule inserted above moves the row, not the cursor from it; what was open stays open."""
    folder = write_moment(tmp_path / "c")
    text = (folder / "iptables-save-c.txt").read_text()
    inserted = "[0:0] -A FORWARD -i docker0 -j ACCEPT\n"
    text = text.replace("[20:1680] -A FORWARD", inserted + "[20:1680] -A FORWARD", 1)
    (folder / "iptables-save-c.txt").write_text(text)
    changed = open_snapshots([str(folder)])[0].moments[0]
    source = FakeSource(states[0])
    app = live_app(source)
    async with driven(app) as pilot:
        await press(pilot, "down down down enter enter")
        before = app.explorer.panes.chains.current_row()
        source.become(changed, new_rules=True)
        await press(pilot, "r")
        await until(pilot, lambda: shown_by(app).view.state is changed)
        after = app.explorer.panes.chains.current_row()
        assert before is not None and after is not None
        assert after.title == before.title and after.is_open and after.id != before.id


async def test_panes_say_why_they_are_empty() -> None:
    """Without privilege the chain pane says what was refused and how to get it."""
    problem = Problem(None, "", "iptables-nft-save: permission denied")
    state = NodeState(name="work2", files=(SourceFile("iptables-nft-save -c", None, 0, (problem,)),))
    app = live_app(FakeSource(state))
    async with driven(app, (200, 40)):
        text = screen_text(app)
        assert "permission denied" in text and "sudo calitop" in text and "1 problem" in text


async def test_snapshot_keys_on_a_live_node(states: list[NodeState]) -> None:
    """d, 1 and [ say what they are for."""
    app = live_app(FakeSource(states[0]))
    async with driven(app) as pilot:
        await press(pilot, "d")
        assert "b takes a new baseline" in told(app)
        await press(pilot, "1")
        assert "no node 1" in told(app)
        await press(pilot, "left_square_bracket")

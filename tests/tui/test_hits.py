"""The answer screen: verdict, what moved, the flow, and the way to the rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from calitop.errors import NeedPrivilege
from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots
from tests.tui.conftest import MakeApp
from tests.tui.driving import STILL, FakeSource, driven, press, screen_text, told, until
from tests.tui.node import POD_B, write_moment
from tui.app import CalitopApp
from tui.screens.hits import HitsScreen
from widgets.hit_list import HitList
from widgets.signs import ASCII
from widgets.view import LinkId, RuleId

LAB = Path(__file__).parents[2] / "snapshots" / "lab"


def answer_rows(app: CalitopApp) -> HitList:
    """The answer's lines."""
    assert isinstance(app.screen, HitsScreen)
    return app.screen.rows


def texts(app: CalitopApp) -> list[str]:
    """The answer's lines as text."""
    rows = answer_rows(app)
    return ["".join(piece.text for piece in rows.row_pieces(line, 0)) for line in range(rows.row_count())]


def line_to(app: CalitopApp, kind: type, words: str) -> int:
    """The first line with those words that leads to such a thing."""
    rows = answer_rows(app)
    for line, text in enumerate(texts(app)):
        place = rows.place(line)
        if words in text and place is not None and isinstance(place.subject, kind):
            return line
    raise AssertionError(f"no line with {words}")


async def test_both_nodes_are_answered_together() -> None:
    """Five pings between two nodes that were all answered: passed, with what moved on each node."""
    app = CalitopApp(snapshots=open_snapshots([str(LAB)]), clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "a")
        assert "✔ PASSED" in texts(app)[0] and "5 packets" in texts(app)[0]
        orders = [text for text in texts(app) if "IN ORDER on" in text]
        assert len(orders) == 2


async def test_the_drop_is_the_answer_and_enter_leads_to_it(make_app: MakeApp) -> None:
    """Five dropped packets: lost at the rule, loud in the list; enter goes to it in the tree."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "a")
        assert "✖ LOST" in texts(app)[0] and f"cali-tw-{POD_B}" in texts(app)[0]
        rows = answer_rows(app)
        rows.move_to(line_to(app, RuleId, "DROP"))
        place = rows.place(rows.cursor)
        await press(pilot, "enter")
        assert place is not None and app.screen is app.explorer
        assert app.explorer.panes.active == "chains" and app.explorer.panes.subject() == place.subject


async def test_enter_on_a_rule_of_the_other_node_shows_that_node() -> None:
    """The explorer changes to the node and goes to the rule there."""
    app = CalitopApp(snapshots=open_snapshots([str(LAB)]), clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "a")
        rows = answer_rows(app)
        places = [rows.place(line) for line in range(rows.row_count())]
        last = max(
            i
            for i, place in enumerate(places)
            if place and isinstance(place.subject, RuleId) and place.subject.at is not None
        )
        place = places[last]
        rows.move_to(last)
        await press(pilot, "enter")
        desk = app.explorer.desk
        assert place is not None and desk is not None
        await until(pilot, lambda: app.explorer.panes.subject() == place.subject)
        assert desk.snapshots[desk.choice.node].name == place.node


async def test_enter_on_a_link_leads_to_it(make_app: MakeApp) -> None:
    """Interfaces that carried packets are places too."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "a")
        answer_rows(app).move_to(line_to(app, LinkId, POD_B))
        await press(pilot, "enter")
        assert app.explorer.panes.subject() == LinkId(POD_B)


async def test_copy_gives_what_the_command_prints(make_app: MakeApp) -> None:
    """The clipboard holds the text of `calitop hits`."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "a y")
        assert app.clipboard.startswith("✖ LOST") and "IN ORDER on work2" in app.clipboard


async def test_the_flow_is_asked_for(make_app: MakeApp) -> None:
    """Pods by name and a number of packets; an unknown end is said, and nothing is shown as an answer."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "a tab")
        for key in "10.222.2.82":
            await pilot.press("full_stop" if key == "." else key)
        await press(pilot, "tab")
        for key in "default/calico-python3-daemon-2jlc5":
            await pilot.press({"/": "slash", "-": "minus"}.get(key, key))
        await press(pilot, "tab 5 enter")
        assert "✖ LOST" in texts(app)[0]
        await press(pilot, "y")
        assert "FLOW  10.222.2.82  →  10.222.160.3      5 sent" in app.clipboard
        await press(pilot, "tab x enter")
        assert "no end '10.222.2.82x'" in " ".join(texts(app))


@pytest.mark.parametrize("key", ["escape", "backspace"])
async def test_back(make_app: MakeApp, key: str) -> None:
    """Both leaving keys return to the explorer as it was."""
    app = make_app()
    async with driven(app) as pilot:
        before = app.explorer.panes.place()
        await press(pilot, f"a {key}")
        assert app.screen is app.explorer and app.explorer.panes.place() == before


async def test_one_moment_says_what_is_needed(tmp_path: Path) -> None:
    """Nothing is told from one moment."""
    folder = write_moment(tmp_path / "alone")
    app = CalitopApp(snapshots=open_snapshots([str(folder)]), clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "a")
        assert "needs two moments" in " ".join(texts(app))
        await press(pilot, "enter y")
        assert isinstance(app.screen, HitsScreen) and not app.clipboard


async def test_small_terminal_and_plain_signs(make_app: MakeApp) -> None:
    """Every line fits, without Unicode too."""
    app = make_app(signs=ASCII)
    async with driven(app, (60, 15)) as pilot:
        await press(pilot, "a")
        assert texts(app)[0].lstrip().startswith("X LOST")
        assert all(len(text) <= 59 and text.isascii() for text in texts(app))
        assert "X LOST" in screen_text(app)


async def test_live_from_the_baseline_to_now(tmp_path: Path) -> None:
    """Live the answer is made from a reading of its own; a node that fails says why."""
    states: list[NodeState] = [
        open_snapshots([str(write_moment(tmp_path / name, hits))])[0].moments[0]
        for name, hits in (("a", 0), ("b", 5))
    ]
    source = FakeSource(states[0])
    app = CalitopApp(source=source, interval_s=60.0, clock=STILL)
    async with driven(app) as pilot:
        source.become(states[1])
        await press(pilot, "a")
        await until(pilot, lambda: "LOST" in texts(app)[0])
        assert not told(app)
        await press(pilot, "escape")
        source.failure = NeedPrivilege("cannot read table 'filter': permission denied", "run as root")
        await press(pilot, "a")
        await until(pilot, lambda: "the node was not read" in texts(app)[0])

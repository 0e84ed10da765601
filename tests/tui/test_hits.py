"""The answer screen: verdict, what moved, the flow, and the way to the rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from calitop.errors import NeedPrivilege
from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots
from tests.tui.conftest import MakeApp
from tests.tui.driving import STILL, FakeSource, driven, press, screen_text, told, until
from tests.tui.node import POD_B, write_moment
from tui.app import CalitopApp
from tui.config import Config
from tui.screens.help import HelpScreen
from tui.screens.hits import HitsScreen
from widgets.hit_list import HitList
from widgets.key_line import KeyLine
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


FAULT = Path(__file__).parents[2] / "snapshots" / "faults" / "rpf-tunl0-1"


async def fill_flow(pilot: Pilot[Any], *fields: str) -> None:
    """Type the flow into the fields and ask."""
    app = pilot.app
    assert isinstance(app.screen, HitsScreen)
    for name, text in zip(("from", "to", "packets"), fields, strict=True):
        app.screen.query_one(f"#flow-{name}", Input).value = text
    await press(pilot, "tab enter")


async def test_per_hook_with_what_went_in_and_out() -> None:
    """Headings with the sub-totals, priorities, and what routing took; v goes back to one list."""
    app = CalitopApp(snapshots=open_snapshots([str(FAULT)]), clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "a v")
        shown = [text.strip() for text in texts(app)]
        assert "PREROUTING   ipv4 10 in, 10 out" in shown and "FORWARD   ipv4 0 in, 0 out" in shown
        assert "mangle INPUT, priority -150" in shown
        assert "routing  5 packets that PREROUTING let through reached neither INPUT nor FORWARD" in shown
        assert "v in order" in screen_text(app)
        await press(pilot, "v")
        assert not any("priority" in text for text in texts(app))


async def test_changing_the_arrangement_keeps_the_cursor_on_its_rule() -> None:
    """The list is another one, the rule is the same."""
    app = CalitopApp(snapshots=open_snapshots([str(FAULT)]), clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "a")
        rows = answer_rows(app)
        rows.move_to(line_to(app, RuleId, "cali-INPUT"))
        place = rows.place(rows.cursor)
        await press(pilot, "v")
        assert place is not None and rows.place(rows.cursor) == place


async def test_only_the_flow_hides_what_cannot_be_of_it() -> None:
    """How many are hidden is said, with the key that shows them; the copy is arranged alike."""
    app = CalitopApp(snapshots=open_snapshots([str(LAB)]), clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "a")
        await fill_flow(pilot, "10.222.2.83", "10.222.219.99", "5")
        apart = [text for text in texts(app) if "CANNOT BE OF THIS FLOW" in text]
        before = answer_rows(app).row_count()
        await press(pilot, "i")
        hidden = [text for text in texts(app) if "are hidden: i shows them" in text]
        assert apart and len(hidden) == len(apart) and answer_rows(app).row_count() < before
        assert not any("CANNOT BE OF THIS FLOW" in text for text in texts(app))
        await press(pilot, "y i")
        assert "(left out: " in app.clipboard and answer_rows(app).row_count() == before


async def test_only_the_flow_without_one_says_what_is_needed(make_app: MakeApp) -> None:
    """Nothing can be hidden while no flow is named."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "a i")
        assert "no flow is named" in told(app)


async def test_words_are_of_the_screen(make_app: MakeApp) -> None:
    """No option of the command line is named where there are fields."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "a")
        shown = " ".join(texts(app))
        assert "how many were sent: tab, then packets" in shown and "--packets" not in shown
        await fill_flow(pilot, "10.222.2.82", "", "")
        assert "give both, from and to" in " ".join(texts(app))


async def test_part_of_the_packets_is_written_out_where_there_is_room() -> None:
    """`5 of 5` beside the bar; nat rules count once a flow; a narrow terminal has the bar alone."""
    app = CalitopApp(snapshots=open_snapshots([str(FAULT)]), clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "a")
        policy = next(text for text in texts(app) if "mangle   INPUT" in text)
        assert "5 of 5" in policy
        assert "per flow" in next(text for text in texts(app) if "nat      INPUT" in text)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "of 5 " not in next(text for text in texts(app) if "mangle   INPUT" in text)


async def test_the_verdict_itself_leads_to_the_place(make_app: MakeApp) -> None:
    """Enter on the sentence goes to the rule that it blames."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "a enter")
        subject = app.explorer.panes.subject()
        assert isinstance(subject, RuleId) and f"cali-tw-{POD_B}" == subject.key.chain


@pytest.mark.parametrize("words", ["policy ACCEPT", "cali-FORWARD", "ens160", "routing"])
async def test_backspace_leads_back_to_the_line_of_the_answer(words: str) -> None:
    """From every kind of place, on either node; the answer is as it was left, and the way on too."""
    app = CalitopApp(snapshots=open_snapshots([str(FAULT)]), clock=STILL)
    async with driven(app, (80, 24)) as pilot:
        await press(pilot, "a v")
        rows, screen = answer_rows(app), app.screen
        for line in (n for n, text in enumerate(texts(app)) if words in text):
            place = rows.place(line)
            if place is None:
                continue
            rows.move_to(line)
            top = rows.scroll_offset
            await press(pilot, "enter")
            await until(pilot, lambda place=place: app.explorer.panes.subject() == place.subject)  # type: ignore[misc]  # a default argument binds the loop's value
            await press(pilot, "backspace")
            assert app.screen is screen and rows.cursor == line and rows.by_hook
            assert rows.scroll_offset == top
        await press(pilot, "escape a")
        assert app.screen is screen and rows.cursor == 0 and rows.by_hook


async def test_the_way_back_passes_all_jumps_between() -> None:
    """From the answer to a rule, on to its chain: back to the rule, back to the answer, and out."""
    app = CalitopApp(snapshots=open_snapshots([str(FAULT)]), clock=STILL)
    async with driven(app) as pilot:
        first = app.explorer.panes.place()
        await press(pilot, "a")
        line = line_to(app, RuleId, "cali-PREROUTING")
        answer_rows(app).move_to(line)
        await press(pilot, "enter")
        there = app.explorer.panes.place()
        await press(pilot, "enter")
        assert app.explorer.panes.place() != there
        await press(pilot, "backspace")
        assert app.screen is app.explorer and app.explorer.panes.place() == there
        await press(pilot, "backspace")
        assert answer_rows(app).cursor == line
        await press(pilot, "backspace backspace")
        assert app.screen is app.explorer and app.explorer.panes.place() == first


async def test_keys_of_the_operator_s_own_and_the_help_work_here_too(make_app: MakeApp) -> None:
    """One id, one key, in the explorer and in the answer; the line below shows it, and can be clicked."""
    app = make_app(config=Config(keys={"arrangement": "f6", "hits": "f7"}))
    async with driven(app) as pilot:
        await press(pilot, "a v")
        assert not answer_rows(app).by_hook and "f6 per hook  f7 only flow" in screen_text(app)
        await press(pilot, "f6 f7")
        assert answer_rows(app).by_hook and answer_rows(app).only_flow
        await pilot.click(KeyLine, offset=(12, 0))
        assert not answer_rows(app).by_hook
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, HitsScreen)


async def test_a_line_of_the_answer_is_copied_as_its_rule(make_app: MakeApp) -> None:
    """With the cursor on a rule y copies that rule, however narrow the terminal."""
    app = make_app()
    async with driven(app, (80, 24)) as pilot:
        await press(pilot, "a")
        answer_rows(app).move_to(line_to(app, RuleId, " 3 DROP"))
        await press(pilot, "y")
        assert "packets  iptables -t filter -A cali-tw-" in app.clipboard and "\n" not in app.clipboard
        assert "copied the line (1 line)" in told(app)

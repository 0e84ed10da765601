"""The path screen: a packet asked for, its way there and back, the way to the rules and back again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from calitop.snapshot.open import open_snapshots
from tests.tui.conftest import MakeApp
from tests.tui.driving import STILL, FakeSource, driven, press, screen_text, told, until
from tests.tui.node import POD_A, write_moment
from tui.app import CalitopApp
from tui.config import Config
from tui.screens.hits import HitsScreen
from tui.screens.trace import TraceScreen
from widgets.key_line import KeyLine
from widgets.path_list import PathList
from widgets.signs import ASCII, UNICODE, Signs
from widgets.view import LinkId, RouteId, RuleId

ROOT = Path(__file__).parents[2]
LAB = ROOT / "snapshots" / "lab"
SOURCE, TARGET = "10.222.2.82", "10.222.219.6"
POD = "default/calico-python4-daemon-w6nhd"


def path_screen(app: CalitopApp) -> TraceScreen:
    """The screen, which is open."""
    assert isinstance(app.screen, TraceScreen)
    return app.screen


def rows(app: CalitopApp) -> PathList:
    """The lines of the way that is shown."""
    return path_screen(app).rows


def texts(app: CalitopApp) -> list[str]:
    """The lines as text."""
    return ["".join(piece.text for piece in line.pieces) for line in rows(app).lines]


def line_with(app: CalitopApp, *words: str) -> int:
    """The first line that holds all of these."""
    return next(n for n, text in enumerate(texts(app)) if all(word in text for word in words))


async def ask(pilot: Pilot[Any], source: str, target: str, mark: str = "", at: str = "") -> None:
    """Open the screen, fill in, and wait for what comes of it."""
    app = pilot.app
    assert isinstance(app, CalitopApp)
    if not isinstance(app.screen, TraceScreen):
        await press(pilot, "t")
    for name, value in (("source", source), ("target", target), ("mark", mark), ("at", at)):
        app.screen.query_one(f"#path-{name}", Input).value = value
    app.screen.query_one("#path-target", Input).focus()
    await press(pilot, "enter")
    await until(pilot, lambda: not any("following the packet" in text for text in texts(app)))


@asynccontextmanager
async def lab(
    size: tuple[int, int] = (120, 36), signs: Signs = UNICODE, **asked: str
) -> AsyncIterator[tuple[CalitopApp, Pilot[Any]]]:
    """Two nodes between which five pings were answered, and the path of those pings."""
    app = CalitopApp(snapshots=open_snapshots([str(LAB)]), clock=STILL, signs=signs)
    async with driven(app, size) as pilot:
        await ask(pilot, SOURCE, TARGET, **asked)
        yield app, pilot


async def test_the_path_leads_over_both_nodes() -> None:
    """Delivered on the other node, the answer undecided there, and that it takes another way."""
    async with lab() as (app, _):
        assert "✔ DELIVERED" in texts(app)[0]
        assert any("out by tunl0, back by cilium_host" in text for text in texts(app))
        assert {text.split()[2] for text in texts(app) if "POSTROUTING" in text} >= {"k8s-work1", "k8s-work2"}
        assert "Reply  ? UNDECIDED" in screen_text(app)


async def test_v_turns_to_the_reply_and_back() -> None:
    """Each way keeps its cursor."""
    async with lab() as (app, pilot):
        await press(pilot, "down down v")
        assert "? UNDECIDED" in texts(app)[0] and any("collect" in text for text in texts(app))
        await press(pilot, "down v")
        assert rows(app).cursor == 2 and rows(app).has_focus
        await press(pilot, "v")
        assert rows(app).cursor == 1


async def test_enter_goes_to_the_rule_and_backspace_back_to_the_line() -> None:
    """On the node that is shown."""
    async with lab() as (app, pilot):
        desk = app.explorer.desk
        assert desk is not None
        here = desk.snapshots[desk.choice.node].name or ""
        line = line_with(app, here, "cali-FORWARD", "MARK")
        rows(app).move_to(line)
        place = rows(app).place(line)
        await press(pilot, "enter")
        assert place is not None and app.screen is app.explorer
        assert app.explorer.panes.subject() == place.subject and isinstance(place.subject, RuleId)
        await press(pilot, "backspace")
        assert rows(app).cursor == line and rows(app).has_focus and "✔ DELIVERED" in texts(app)[0]


async def test_enter_on_a_step_of_the_other_node_shows_that_node() -> None:
    """And backspace leads back to the line from there too."""
    async with lab() as (app, pilot):
        desk = app.explorer.desk
        assert desk is not None
        other = next(one.name or "" for one in desk.snapshots if one is not desk.snapshots[desk.choice.node])
        line = line_with(app, other, "ACCEPT", "filter")
        rows(app).move_to(line)
        place = rows(app).place(line)
        await press(pilot, "enter")
        await until(pilot, lambda: place is not None and app.explorer.panes.subject() == place.subject)
        assert desk.snapshots[desk.choice.node].name == other
        await press(pilot, "backspace")
        assert rows(app).cursor == line


@pytest.mark.parametrize(
    ("words", "kind"), [("routing", RouteId), ("arrives", LinkId), ("DELIVERED", LinkId)]
)
async def test_routes_and_interfaces_are_places_too(words: str, kind: type) -> None:
    """What is no rule leads to its route or interface."""
    async with lab() as (app, _):
        place = rows(app).place(line_with(app, words))
        assert place is not None and isinstance(place.subject, kind)


async def test_rules_that_did_not_match_say_why() -> None:
    """On request, between the steps; the cursor stays on its step, and enter leads to such a rule too."""
    async with lab() as (app, pilot):
        rows(app).move_to(line_with(app, "CILIUM_FORWARD", "ACCEPT"))
        step = rows(app).at(rows(app).cursor)
        await press(pilot, "u")
        assert rows(app).at(rows(app).cursor) == step
        line = line_with(app, " not ", "-i cali+: it comes in by lxc")
        place = rows(app).place(line)
        assert place is not None and isinstance(place.subject, RuleId)
        rows(app).move_to(line)
        await press(pilot, "u")
        assert not any(" not " in text[:9] for text in texts(app))
        assert rows(app).cursor > 0


async def test_prediction_and_counters_are_compared() -> None:
    """What stood still and what moved unpredicted is marked: of the packet with a mark nothing was said."""
    app = CalitopApp(
        snapshots=open_snapshots([str(ROOT / "snapshots" / "faults" / "identity-mark")]), clock=STILL
    )
    async with driven(app) as pilot:
        await ask(pilot, SOURCE, TARGET)
        await press(pilot, "o")
        assert any(text.startswith("≠       0") for text in texts(app))
        assert any(text.startswith("✓      +5") for text in texts(app))
        line = line_with(app, "MOVED, NOT PREDICTED") + 1
        assert texts(app)[line].startswith("+      +5") and "cali-POSTROUTING" in texts(app)[line]
        place = rows(app).place(line)
        assert place is not None and isinstance(place.subject, RuleId)


async def test_one_moment_has_nothing_to_compare(tmp_path: Path) -> None:
    """It says so, and shows what the rules have counted in all."""
    app = CalitopApp(snapshots=open_snapshots([str(write_moment(tmp_path / "one"))]), clock=STILL)
    async with driven(app) as pilot:
        await ask(pilot, "10.222.160.3", "10.222.160.4")
        assert any("one moment of each node" in text for text in texts(app))
        assert "packets" in texts(app)[line_with(app, "action")]
        assert texts(app)[line_with(app, "PREROUTING", "raw")].split()[0] == "20"


async def test_branches_open_and_close() -> None:
    """From the line above to the branch, opened there; o opens all; left closes."""
    async with lab(mark="0/0") as (app, pilot):
        assert "? UNDECIDED" in texts(app)[0]
        shown = rows(app).shown
        assert shown is not None and len(shown.branches) > 1
        length = len(texts(app))
        rows(app).move_to(line_with(app, "could be"))
        await press(pilot, "enter")
        assert texts(app)[rows(app).cursor].startswith(" ▾ IF ")
        assert len(texts(app)) == length + len(shown.branches[0].steps)
        await press(pilot, "enter")
        assert len(texts(app)) == length and texts(app)[rows(app).cursor].startswith(" ▸ IF ")
        await press(pilot, "right")
        assert len(texts(app)) > length
        await press(pilot, "down down left")
        assert len(texts(app)) == length
        await press(pilot, "o")
        assert len(texts(app)) == length + sum(len(branch.steps) for branch in shown.branches)
        await press(pilot, "o")
        assert len(texts(app)) == length


async def test_what_is_selected_is_the_source(make_app: MakeApp) -> None:
    """A pod's interface names its pod; the destination is chosen from the list."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "tab")
        app.explorer.panes.go(LinkId(POD_A))
        await press(pilot, "t")
        screen = path_screen(app)
        assert screen.form.draft.source == POD and screen.form.missing == "target"
        await until(pilot, lambda: screen.query_one(OptionList).option_count > 0)
        for key in "python3":
            await pilot.press(key)
        await press(pilot, "down enter")
        assert screen.form.draft.target == "default/calico-python3-daemon-2jlc5"
        await until(pilot, lambda: any("STEPS" in text for text in texts(app)))


async def test_a_kept_flow_is_predicted_at_once(make_app: MakeApp) -> None:
    """Leaving and opening again asks anew; another selection is another source."""
    app = make_app()
    async with driven(app) as pilot:
        await ask(pilot, "10.222.160.3", "10.222.160.4")
        await press(pilot, "escape t")
        assert "STEPS" in screen_text(app) and path_screen(app).form.draft.source == "10.222.160.3"
        await press(pilot, "escape tab")
        app.explorer.panes.go(LinkId(POD_A))
        await press(pilot, "t")
        assert path_screen(app).form.draft.source == POD


async def test_the_answers_flow_is_taken_over(make_app: MakeApp) -> None:
    """From the answer to the path of its flow; escape leads back to the answer."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "a")
        app.screen.query_one("#flow-from", Input).value = "10.222.160.4"
        app.screen.query_one("#flow-to", Input).value = "10.222.160.3"
        await press(pilot, "t")
        draft = path_screen(app).form.draft
        assert (draft.source, draft.target) == ("10.222.160.4", "10.222.160.3")
        await press(pilot, "escape")
        assert isinstance(app.screen, HitsScreen)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"source": "192.0.2.1"}, "is known to have 192.0.2.1: fill in 'at'"),
        ({"source": "nobody"}, "no end 'nobody'"),
        ({"target": "2001:db8::1"}, "are of different families"),
        ({"mark": "red"}, "'red' is no mark"),
        ({"at": "nowhere"}, "no start at 'nowhere'"),
        ({"at": "work2:eth9"}, "work2 has no interface 'eth9'"),
    ],
)
async def test_what_cannot_be_asked_says_why(make_app: MakeApp, asked: dict[str, str], says: str) -> None:
    """In place of the path, and nothing typed is lost."""
    app = make_app()
    async with driven(app) as pilot:
        wanted = {"source": "10.222.160.3", "target": "10.222.160.4", **asked}
        await ask(pilot, **wanted)
        assert says in " ".join(texts(app))
        draft = path_screen(app).form.draft
        assert (draft.source, draft.target) == (wanted["source"], wanted["target"])


async def test_start_by_an_interface(make_app: MakeApp) -> None:
    """An unknown address may come in by a named interface."""
    app = make_app()
    async with driven(app) as pilot:
        await ask(pilot, "192.0.2.1", "10.222.160.3", at=f"work2:{POD_A}")
        assert "STEPS" in screen_text(app)
        await ask(pilot, POD_A, "10.222.160.3")
        assert "STEPS" in screen_text(app)


async def test_the_text_is_copied_and_saved(tmp_path: Path) -> None:
    """As the command prints it; an existing file is left alone, and that is said."""
    async with lab() as (app, pilot):
        await press(pilot, "y")
        assert app.clipboard.startswith("✔ DELIVERED")
        dest = tmp_path / "ticket.txt"
        for said in (f"saved to {dest}", "File exists"):
            await press(pilot, "s")
            app.screen.query_one("#dest", Input).value = str(dest)
            await press(pilot, "enter")
            await until(pilot, lambda said=said: said in told(app))  # type: ignore[misc]  # bound now
        assert dest.read_text(encoding="utf-8") == app.clipboard


async def test_nothing_is_saved_without_a_path(make_app: MakeApp) -> None:
    """It says that there is none."""
    app = make_app()
    async with driven(app) as pilot:
        await ask(pilot, "nobody", "10.222.160.4")
        await press(pilot, "s y")
        assert "there is no path yet" in told(app) and isinstance(app.screen, TraceScreen)


async def test_a_live_node_is_followed(tmp_path: Path) -> None:
    """Counters that moved since are shown without a key, and b counts anew."""
    states = [
        open_snapshots([str(write_moment(tmp_path / name, hits))])[0].moments[0]
        for name, hits in (("a", 0), ("b", 5))
    ]
    source = FakeSource(states[0])
    app = CalitopApp(source=source, interval_s=60.0, clock=STILL)
    async with driven(app) as pilot:
        await ask(pilot, "10.222.160.4", "10.222.160.3")
        assert any("stood still" in text for text in texts(app))
        source.become(states[1])
        feed = app.explorer.feed
        assert feed is not None
        feed.poller.poll_now()
        await until(pilot, lambda: any("+5" in text[:9] for text in texts(app)))
        await press(pilot, "b r")
        feed.poller.poll_now()
        await until(pilot, lambda: not any("+5" in text[:9] for text in texts(app)))


async def test_own_keys_and_clicked_keys_work(make_app: MakeApp) -> None:
    """A key of the operator's own is shown and obeyed; a click on the line below does the same."""
    app = make_app(config=Config(keys={"passed_by": "w", "trace": "ctrl+t"}))
    async with driven(app) as pilot:
        await press(pilot, "ctrl+t")
        await ask(pilot, "10.222.160.4", "10.222.160.3")
        assert "w unmatched" in screen_text(app)
        await press(pilot, "w")
        assert "w matched only" in screen_text(app)
        app.screen.query_one(KeyLine).post_message(KeyLine.KeyClicked("passed_by"))
        await until(pilot, lambda: "w unmatched" in screen_text(app))
        await press(pilot, "ctrl+t")
        assert app.screen is app.explorer


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_no_line_is_wider_than_the_screen(size: tuple[int, int]) -> None:
    """With all that can be shown, in every width."""
    async with lab(size, mark="0/0") as (app, pilot):
        await press(pilot, "o u")
        width = rows(app).rows_width - 1
        assert max(len(text.rstrip()) for text in texts(app)) <= width


async def test_plain_signs() -> None:
    """Without Unicode nothing of ours needs it."""
    async with lab(signs=ASCII) as (app, pilot):
        await press(pilot, "u")
        assert all(text.isascii() for text in texts(app))


async def test_text_of_files_is_shown_as_text(tmp_path: Path) -> None:
    """Control characters and markup in a comment are written out."""
    folder = write_moment(tmp_path / "hostile")
    rules = folder / "iptables-save-c.txt"
    rules.write_text(rules.read_text().replace("cilium-feeder: CILIUM_FORWARD", "[red]\x1b[2J"))
    app = CalitopApp(snapshots=open_snapshots([str(folder)]), clock=STILL)
    async with driven(app, (200, 50)) as pilot:
        await ask(pilot, "10.222.160.4", "10.222.219.6")
        await press(pilot, "o")
        assert "\x1b" not in "".join(texts(app))
        assert "[red]\\x1b[2J" in "".join(texts(app))


async def test_a_step_is_copied_uncut() -> None:
    """With the cursor on a step y copies that step alone."""
    async with lab() as (app, pilot):
        rows(app).move_to(line_with(app, "cali-FORWARD"))
        await press(pilot, "y")
        assert "\n" not in app.clipboard and "filter" in app.clipboard and "cali-FORWARD" in app.clipboard
        assert "copied a step on" in told(app)

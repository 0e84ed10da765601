"""The probe's dialog: nothing is sent without its key, nothing typed is lost, the answer is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, Label

from calitop.errors import NeedPrivilege, SourceUnavailable
from calitop.hits.moved import node_hits
from calitop.model.node import NodeState, Pod
from calitop.probe.records import Progress
from calitop.snapshot.open import open_snapshots
from tests.tui.conftest import MakeApp
from tests.tui.driving import STILL, FakeSource, driven, press, screen_text, told, until
from tests.tui.fake_prober import SPACE, FakeProber
from tests.tui.node import POD_A, POD_B, write_moment
from tui.app import CalitopApp
from tui.screens.hits import HitsScreen
from tui.screens.probe import ProbeScreen, progress_words
from widgets.choice import Choice
from widgets.signs import ASCII, UNICODE, Signs
from widgets.view import RuleId

POD = "default/calico-python3-daemon-2jlc5"
TARGET = "10.222.219.6"


@pytest.fixture
def states(tmp_path: Path) -> list[NodeState]:
    """The node before and after five packets that were dropped."""
    folders = [write_moment(tmp_path / name, hits) for name, hits in (("a", 0), ("b", 5))]
    return [open_snapshots([str(folder)])[0].moments[0] for folder in folders]


@pytest.fixture
def prober(states: list[NodeState]) -> FakeProber:
    """Sends nothing; its answer is about those five packets."""
    return FakeProber(node_hits("work2", *states))


@asynccontextmanager
async def live(
    states: list[NodeState], prober: FakeProber, size: tuple[int, int] = (120, 36), signs: Signs = UNICODE
) -> AsyncIterator[tuple[CalitopApp, Pilot[Any]]]:
    """The explorer over a live node that can be probed."""
    source = FakeSource(states[0])
    app = CalitopApp(source=source, interval_s=60.0, clock=STILL, prober=prober, signs=signs)
    async with driven(app, size) as pilot:
        yield app, pilot


def dialog(app: CalitopApp) -> ProbeScreen:
    """The dialog, which is open."""
    assert isinstance(app.screen, ProbeScreen)
    return app.screen


def field(app: CalitopApp, name: str) -> Input:
    """A field of the form."""
    return dialog(app).query_one(f"#probe-{name}", Input)


def said(app: CalitopApp) -> str:
    """What the dialog says of the draft or the running probe."""
    labels = (dialog(app).query_one(f"#probe-{part}", Label) for part in ("state", "words"))
    return "\n".join(str(label.content) for label in labels)


async def typed(pilot: Pilot[Any], text: str) -> None:
    """Type a text."""
    names = {".": "full_stop", "-": "minus", "/": "slash", " ": "space"}
    for key in text:
        await pilot.press(names.get(key, key))


async def ready(app: CalitopApp, pilot: Pilot[Any]) -> None:
    """Open the dialog over a pod's interface and give it a destination."""
    await press(pilot, "tab end p")
    await typed(pilot, TARGET)
    await press(pilot, "enter")
    await until(pilot, lambda: "READY" in said(app))


async def test_the_selection_is_the_source(states: list[NodeState], prober: FakeProber) -> None:
    """A pod's route, its interface and its chain name the pod; what is no source leaves the field alone."""
    async with live(states, prober) as (app, pilot):
        await press(pilot, "p")
        assert field(app, "source").value == "" and field(app, "source").has_focus
        await press(pilot, "escape down down down p")
        assert (field(app, "source").value, field(app, "target").has_focus) == (POD, True)
        await press(pilot, "escape tab end p")
        assert field(app, "source").value == POD
        await press(pilot, "escape up enter p")
        assert field(app, "source").value == "default/calico-python4-daemon-w6nhd"


async def test_nothing_is_sent_before_the_key(states: list[NodeState], prober: FakeProber) -> None:
    """What will be sent stands there first; enter in a field leads to the button, enter there sends it."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        for words in ("5 echo requests of 84 bytes", "10.222.160.4", SPACE, TARGET):
            assert words in said(app)
        assert not prober.probed and isinstance(app.focused, Button)
        await pilot.press("enter")
        await until(pilot, lambda: len(prober.probed) == 1)
        agreed = prober.probed[0]
        assert (agreed is not None and agreed.words in said(app)) or "SENDING" in said(app)
        prober.steps.put(None)
        await until(pilot, lambda: isinstance(app.screen, HitsScreen))


async def test_from_sending_to_the_rule(states: list[NodeState], prober: FakeProber) -> None:
    """Each step is told; the answer has the sender's account above it, and leads into the tree."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("ctrl+s")
        for step, words in (
            (Progress("background", "measuring what moves by itself"), "BACKGROUND  measuring"),
            (Progress("sending", "sending", 0, 5), "SENDING  0/5 answered  ·····"),
            (Progress("answered", "3/5 answered", 3, 5), "SENDING  3/5 answered  ●●●··"),
        ):
            prober.steps.put(step)
            await until(pilot, lambda words=words: words in said(app))  # type: ignore[misc]  # bound now
            assert TARGET in said(app)
        await pilot.press("enter", "ctrl+s", "x")
        assert len(prober.probed) == 1 and dialog(app).form.draft.target == TARGET
        prober.steps.put(None)
        await until(pilot, lambda: isinstance(app.screen, HitsScreen))
        await pilot.pause()
        text = screen_text(app)
        assert "5 sent, 0 answered" in text and "✖ LOST" in text
        assert [app.screen.query_one(f"#flow-{name}", Input).value for name in ("from", "to", "packets")] == [
            *("10.222.160.4", TARGET, "5")
        ]
        await press(pilot, "y")
        assert app.clipboard.startswith("PING  10.222.160.4")
        assert isinstance(app.screen, HitsScreen)
        rows = app.screen.rows
        drop = next(
            line
            for line in range(rows.row_count())
            if (place := rows.place(line)) and isinstance(place.subject, RuleId)
        )
        rows.move_to(drop)
        await press(pilot, "enter")
        assert app.screen_stack[-1] is app.explorer and app.explorer.panes.active == "chains"
        await press(pilot, "backspace")
        assert "5 sent, 0 answered" in screen_text(app)
        await press(pilot, "escape a")
        text = screen_text(app)
        assert "5 sent" not in text and TARGET not in text, "the answer since the baseline is another one"


async def test_the_answer_waits_for_the_palette(states: list[NodeState], prober: FakeProber) -> None:
    """What ends while something else is open over the dialog is shown when that is closed."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("enter", "ctrl+p")
        await until(pilot, lambda: not isinstance(app.screen, ProbeScreen))
        prober.steps.put(None)
        await pilot.pause(0.1)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HitsScreen))


async def test_the_last_probe_is_remembered(states: list[NodeState], prober: FakeProber) -> None:
    """Leaving keeps every field, for the next time; the key alone still sends nothing."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        field(app, "source").value = POD_A
        dialog(app).query_one(Choice).choose("tcp")
        field(app, "port").value, field(app, "count").value = "443", "7"
        await press(pilot, "escape p")
        draft = dialog(app).form.draft
        assert (draft.source, draft.target, draft.protocol, draft.port, draft.count) == (
            *(POD_A, TARGET, "tcp", "443", "7"),
        )
        await until(pilot, lambda: "7 TCP connections to port 443 (SYN)" in said(app))
        assert not prober.probed


async def test_a_change_takes_the_readiness_back(states: list[NodeState], prober: FakeProber) -> None:
    """What stands there is what would be sent: after a change nothing is, until it stands there again."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        field(app, "count").focus()
        await pilot.press("end", "0", "ctrl+s")
        assert not prober.probed
        await until(pilot, lambda: "50 echo requests" in said(app))
        await press(pilot, "0 0")
        await until(pilot, lambda: "count: '5000' is no number from 1 to 100" in said(app))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("source", "", "nothing is said of the source"),
        ("target", "", "nothing is said of the destination"),
        ("target", "no-such-pod", "no address is known of 'no-such-pod'"),
        ("count", "many", "count: 'many' is no number"),
        ("count", "", "count: '' is no number"),
    ],
)
async def test_what_makes_no_sense_is_said(
    states: list[NodeState], prober: FakeProber, name: str, text: str, words: str
) -> None:
    """In words, in the dialog; the fields stay as they are, and no key sends."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        field(app, name).value = text
        await until(pilot, lambda: words in said(app))
        await press(pilot, "ctrl+s")
        assert not prober.probed and field(app, name).value == text


async def test_a_port_is_asked_for(states: list[NodeState], prober: FakeProber) -> None:
    """With tcp and udp only; left and right choose the protocol."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        assert field(app, "port").disabled
        dialog(app).query_one(Choice).focus()
        await press(pilot, "right right")
        await until(pilot, lambda: "port: '' is no number" in said(app))
        await press(pilot, "tab")
        await typed(pilot, "53")
        await until(pilot, lambda: "5 UDP datagrams to port 53" in said(app))


@pytest.mark.parametrize(
    "error",
    [
        NeedPrivilege("cannot enter the network namespace: permission denied", "run as root"),
        SourceUnavailable("no process holds the network namespace behind 'cali1'", "run calitop there"),
    ],
)
async def test_errors_are_told_and_nothing_is_lost(
    states: list[NodeState], prober: FakeProber, error: NeedPrivilege | SourceUnavailable
) -> None:
    """Before sending and while sending: the words stand in the dialog, and it can be tried again."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("enter")
        prober.steps.put(error)
        await until(pilot, lambda: str(error) in said(app))
        assert dialog(app).form.draft.target == TARGET and "look again" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "READY" in said(app))
        assert len(prober.probed) == 1, "after an error nothing is sent before it stands there again"
        await pilot.press("enter")
        await until(pilot, lambda: len(prober.probed) == 2)
        prober.steps.put(error)
        await until(pilot, lambda: "NO ANSWER" in said(app))
        prober.refusal = error
        field(app, "count").value = "3"
        await until(pilot, lambda: "NOT POSSIBLE" in said(app) and str(error) in said(app))


async def test_escape_stops_then_leaves(states: list[NodeState], prober: FakeProber) -> None:
    """The first one ends the probe and says how far it had come, the next one leaves."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("enter")
        prober.steps.put(Progress("answered", "2/5 answered", 2, 5))
        await until(pilot, lambda: "2/5" in said(app))
        await pilot.press("escape")
        await until(pilot, lambda: "STOPPED" in said(app))
        assert "2/5 answered" in said(app) and dialog(app).form.draft.target == TARGET
        await press(pilot, "escape")
        assert app.screen is app.explorer


async def test_leaving_the_application_stops_the_probe(states: list[NodeState], prober: FakeProber) -> None:
    """No thread goes on sending."""
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: len(prober.probed) == 1)
        await pilot.press("ctrl+q")


async def test_the_operators_own_ping_is_waited_for(states: list[NodeState], prober: FakeProber) -> None:
    """Where the source is elsewhere: nothing is sent, the command for there is told, packets are counted."""
    prober.here = False
    async with live(states, prober) as (app, pilot):
        await ready(app, pilot)
        assert "nothing is sent from here" in said(app) and f"ping -c 5 {TARGET}" in said(app)
        assert str(dialog(app).query_one(Button).label) == "wait for the ping"
        await pilot.press("enter")
        prober.steps.put(Progress("waiting", f"10.0.0.9: ping now, from there: ping -c 5 {TARGET}", 0, 5))
        await until(pilot, lambda: "ping now" in said(app))
        prober.steps.put(Progress("waiting", "ping now: 3/5 seen", 3, 5))
        await until(pilot, lambda: "3/5 seen" in said(app))
        prober.steps.put(None)
        await until(pilot, lambda: isinstance(app.screen, HitsScreen))
        await pilot.pause()
        assert "your own: 5 seen" in screen_text(app)


async def test_known_ends_are_chosen_while_typing(states: list[NodeState], prober: FakeProber) -> None:
    """Any word of a pod finds it; down and enter take it."""
    async with live(states, prober) as (app, pilot):
        await press(pilot, "p")
        await until(pilot, lambda: "known sources" in screen_text(app))
        await typed(pilot, "w6nhd")
        await pilot.press("down", "enter")
        assert field(app, "source").value == "default/calico-python4-daemon-w6nhd"
        assert field(app, "target").has_focus
        await typed(pilot, "gateway tunl0")
        await pilot.press("down", "enter")
        assert field(app, "target").value == "172.16.189.101"
        await until(pilot, lambda: "to 172.16.189.101" in said(app))


async def test_a_snapshot_offers_the_command(make_app: MakeApp) -> None:
    """It says why it sends nothing, and gives the command for the live node to the clipboard."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "tab end p")
        assert "picture of the node" in said(app)
        await typed(pilot, TARGET)
        command = f"calitop probe --from {POD} --to {TARGET} --count 5"
        await until(pilot, lambda: f"on work2, live: sudo {command}" in said(app))
        await press(pilot, "enter enter")
        assert app.clipboard == f"sudo {command}" and "copied" in told(app)
        await press(pilot, "escape")
        assert app.screen is app.explorer


async def test_hostile_names_are_text(states: list[NodeState], prober: FakeProber) -> None:
    """Markup and escape codes in names of pods are shown as written, in every part of the dialog."""
    evil = Pod("default", "[red]x[/red]\x1b[2J", "10.222.160.3/32", "work2", POD_B)
    # Its name cannot be typed, so its interface and its address stand for it.
    node = replace(states[0], name="[b]node", pods=(evil,))
    async with live([node], prober) as (app, pilot):
        await press(pilot, "tab end p")
        await typed(pilot, "[x")
        await until(pilot, lambda: "no address is known of '[x'" in said(app))
        field(app, "target").value = ""
        await until(pilot, lambda: " known destinations" in screen_text(app))
        text = screen_text(app)
        assert field(app, "source").value == POD_B
        assert "[red]x" in text and "\x1b" not in text and "Probe on [b]node" in text


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_everything_is_on_the_screen(
    states: list[NodeState], prober: FakeProber, size: tuple[int, int]
) -> None:
    """From the fields to the keys, with plain signs too."""
    async with live(states, prober, size, ASCII) as (app, pilot):
        await ready(app, pilot)
        await pilot.pause()
        text = screen_text(app)
        for words in ("from", "protocol  [icmp]", "known destinations", "READY", "send", "escape leave"):
            assert words in text
        assert f"to {TARGET}" in " ".join(said(app).split()) and text.isascii()


@pytest.mark.parametrize("size", [(1, 1), (20, 5)])
async def test_any_size(states: list[NodeState], prober: FakeProber, size: tuple[int, int]) -> None:
    """The keys work where there is hardly room."""
    async with live(states, prober, size) as (app, pilot):
        await ready(app, pilot)
        await press(pilot, "tab tab down up escape")
        assert app.screen is app.explorer


def test_steps_in_words() -> None:
    """One line each; many packets have a bar of their share, more than asked are not more than all."""
    assert progress_words(Progress("baseline", "taking the baseline"), ASCII) == (
        "BASELINE  taking the baseline~"
    )
    assert progress_words(Progress("answered", "", 50, 100), ASCII).endswith(
        "50/100 answered  oooooooooo.........."
    )
    assert progress_words(Progress("waiting", "", 9, 5), ASCII) == "WAITING  5/5 seen  ooooo"

"""Pictures of the main states at the three sizes, to be looked at by a person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import textual
from textual.pilot import Pilot
from textual.widgets import Input

from calitop.snapshot.open import open_snapshots
from tests.tui.conftest import TEXTUAL, MakeApp
from tests.tui.driving import STILL, FakeSource, press, screen_text, until
from tests.tui.fake_prober import FakeProber
from tests.tui.node import write_moment
from tui.app import CalitopApp
from widgets.signs import ASCII

pytestmark = [
    pytest.mark.goldens,
    pytest.mark.skipif(textual.__version__ != TEXTUAL, reason=f"goldens are tied to Textual {TEXTUAL}"),
]

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
SMALL, MIDDLE, LARGE = (80, 24), (120, 36), (200, 50)
Snap = Callable[..., bool]


def after(keys: str) -> Callable[[Pilot[Any]], Any]:
    """Wait for the first picture, then press keys."""

    async def run(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, CalitopApp)
        await until(pilot, lambda: app.explorer.shown is not None)
        await press(pilot, keys)
        await until(pilot, lambda: not any(w.is_running for w in app.workers if w.group == "search"))
        await pilot.pause()
        for box in app.screen.query(Input):
            box.cursor_blink = False  # a picture taken late must not miss the cursor
        app.clear_notifications()
        await until(pilot, lambda: not app.screen.query("Toast"))

    return run


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "120x36", "200x50"])
def test_first_picture(make_app: MakeApp, snap_compare: Snap, size: tuple[int, int]) -> None:
    """Two moments opened, nothing pressed: node, routes, interfaces, chains, what moved."""
    assert snap_compare(make_app(), terminal_size=size, run_before=after(""))


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "120x36", "200x50"])
def test_pod_chain(make_app: MakeApp, snap_compare: Snap, size: tuple[int, int]) -> None:
    """From a pod's route to its to-workload chain, in which a DROP counted."""
    keys = "down down down enter enter enter"
    assert snap_compare(make_app(), terminal_size=size, run_before=after(keys))


@pytest.mark.parametrize("theme", ["calitop-light", "calitop-contrast", "calitop-16"])
def test_themes(make_app: MakeApp, snap_compare: Snap, theme: str) -> None:
    """The same in the other themes."""
    keys = "down down down enter enter enter"
    assert snap_compare(make_app(theme=theme), terminal_size=MIDDLE, run_before=after(keys))


def test_chain_in_words(snap_compare: Snap) -> None:
    """A pod's whole to-workload chain: each rule in one sentence, and where control goes next."""
    app = CalitopApp(snapshots=open_snapshots([str(SNAPSHOTS / "lab")]), clock=STILL)
    keys = "slash c a l i minus t w minus c a l i f a enter tab end"
    assert snap_compare(app, terminal_size=LARGE, run_before=after(keys))


@pytest.mark.parametrize("size", [SMALL, MIDDLE], ids=["80x24", "120x36"])
def test_checks(snap_compare: Snap, size: tuple[int, int]) -> None:
    """Known faults of two nodes: the worst first, in full below."""
    app = CalitopApp(snapshots=open_snapshots([str(SNAPSHOTS / "faults" / "identity-mark")]), clock=STILL)

    async def run(pilot: Pilot[Any]) -> None:
        await after("c")(pilot)
        await until(pilot, lambda: "unknown-endpoint-counted" in screen_text(app))

    assert snap_compare(app, terminal_size=size, run_before=run)


def test_plain_signs(make_app: MakeApp, snap_compare: Snap) -> None:
    """Without Unicode every sign has a plain one."""
    app = make_app(signs=ASCII, theme="calitop-16")
    assert snap_compare(app, terminal_size=SMALL, run_before=after("down down down enter enter enter"))


def test_hits_only(make_app: MakeApp, snap_compare: Snap) -> None:
    """Only what was hit, with the way to it."""
    assert snap_compare(make_app(), terminal_size=MIDDLE, run_before=after("tab tab i"))


def test_by_chain(make_app: MakeApp, snap_compare: Snap) -> None:
    """Every chain once, by its role."""
    assert snap_compare(make_app(), terminal_size=MIDDLE, run_before=after("tab tab v home o"))


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "120x36", "200x50"])
def test_help(make_app: MakeApp, snap_compare: Snap, size: tuple[int, int]) -> None:
    """The legend of what is on screen: what counted, a DROP among it."""
    keys = "tab tab i question_mark"
    assert snap_compare(make_app(), terminal_size=size, run_before=after(keys))


def test_help_plain(make_app: MakeApp, snap_compare: Snap) -> None:
    """The same in plain signs and sixteen colours."""
    app = make_app(signs=ASCII, theme="calitop-16")
    keys = "tab tab i question_mark"
    assert snap_compare(app, terminal_size=SMALL, run_before=after(keys))


def test_search(make_app: MakeApp, snap_compare: Snap) -> None:
    """While words are typed."""
    assert snap_compare(make_app(), terminal_size=SMALL, run_before=after("slash p r o f i l e s"))


def test_empty_panes(tmp_path: Path, snap_compare: Snap) -> None:
    """A snapshot of routes alone says what would tell the rest."""
    folder = write_moment(tmp_path / "routes")
    for name in ("iptables-save-c.txt", "ip-link.json"):
        (folder / name).unlink()
    app = CalitopApp(snapshots=open_snapshots([str(folder)]), clock=STILL)
    assert snap_compare(app, terminal_size=MIDDLE, run_before=after("down down"))


@pytest.mark.parametrize("size", [SMALL, MIDDLE], ids=["80x24", "120x36"])
def test_answer(make_app: MakeApp, snap_compare: Snap, size: tuple[int, int]) -> None:
    """Where packets were lost, and what moved in order."""
    assert snap_compare(make_app(), terminal_size=size, run_before=after("a"))


def test_answer_per_hook(make_app: MakeApp, snap_compare: Snap) -> None:
    """Under the hooks' names, with what went in and out of each."""
    assert snap_compare(make_app(), terminal_size=MIDDLE, run_before=after("a v"))


def test_probe(tmp_path: Path, snap_compare: Snap) -> None:
    """What would be sent, before the key that sends it."""
    state = open_snapshots([str(write_moment(tmp_path / "node"))])[0].moments[0]
    app = CalitopApp(source=FakeSource(state), interval_s=60.0, clock=STILL, prober=FakeProber())

    async def run(pilot: Pilot[Any]) -> None:
        await after("tab end p")(pilot)
        app.screen.query_one("#probe-target", Input).value = "10.222.219.6"
        await until(pilot, lambda: "READY" in screen_text(app))

    assert snap_compare(app, terminal_size=SMALL, run_before=run)


def _path(snapshot: str, keys: str) -> tuple[CalitopApp, Callable[[Pilot[Any]], Any]]:
    """The explorer over bundled snapshots, and how the path of a ping there is asked for."""
    app = CalitopApp(snapshots=open_snapshots([str(SNAPSHOTS / snapshot)]), clock=STILL)

    async def run(pilot: Pilot[Any]) -> None:
        await after("t")(pilot)
        for name, value in (("source", "10.222.2.82"), ("target", "10.222.219.6")):
            app.screen.query_one(f"#path-{name}", Input).value = value
        app.screen.query_one("#path-target", Input).focus()
        await after("enter")(pilot)
        await until(pilot, lambda: "STEPS" in screen_text(app))
        await after(keys)(pilot)

    return app, run


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "120x36", "200x50"])
def test_path_dropped(snap_compare: Snap, size: tuple[int, int]) -> None:
    """What stops a packet, and that the predicted rules moved."""
    app, run = _path("faults/rpf-tunl0-1", "")
    assert snap_compare(app, terminal_size=size, run_before=run)


def test_path_unmatched(snap_compare: Snap) -> None:
    """The rules that did not match, between those that did."""
    app, run = _path("lab", "u")
    assert snap_compare(app, terminal_size=MIDDLE, run_before=run)


def test_path_reply(snap_compare: Snap) -> None:
    """The answer's way, which ends where BPF decides."""
    app, run = _path("lab", "v")
    assert snap_compare(app, terminal_size=SMALL, run_before=run)


def test_path_branches(snap_compare: Snap) -> None:
    """Several ends with what decides them, one of them open."""
    app, run = _path("faults/identity-mark", "down down enter")
    assert snap_compare(app, terminal_size=MIDDLE, run_before=run)

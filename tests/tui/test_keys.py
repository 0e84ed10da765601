"""Every key of the table does what its row says."""

from __future__ import annotations

from pathlib import Path

import pytest

from calitop.snapshot.open import open_snapshots
from tests.tui.conftest import MakeApp
from tests.tui.driving import FakeSource, driven, focused_pane, press, screen_text, shown_by, told, until
from tests.tui.node import POD_B, write_moment
from tui.app import CalitopApp
from tui.bindings import KEYS
from tui.clipboard import doubt_of
from tui.config import Config
from tui.screens.compare import CompareScreen
from tui.screens.explorer import Explorer
from tui.screens.files import FilesScreen
from tui.screens.help import HelpScreen
from tui.screens.save import SaveScreen


async def test_tab_goes_round_the_panes(make_app: MakeApp) -> None:
    """Tab visits routes, interfaces, chains and detail; shift+tab the other way."""
    app = make_app()
    async with driven(app) as pilot:
        seen = []
        for _ in range(4):
            seen.append(focused_pane(app))
            await press(pilot, "tab")
        assert seen == ["routes", "links", "chains", "detail"]
        await press(pilot, "shift+tab")
        assert focused_pane(app) == "detail"


async def test_keys_that_come_together_count_each(make_app: MakeApp) -> None:
    """Two tabs in one write go two panes on, as a paste or a slow line sends them."""
    app = make_app()
    async with driven(app) as pilot:
        app.explorer.action_pane(1)
        app.explorer.action_pane(1)
        await pilot.pause()
        assert focused_pane(app) == "chains"


@pytest.mark.parametrize(
    ("keys", "line"), [("j j k", 1), ("down up", 0), ("G", 5), ("end g", 0), ("end home", 0)]
)
async def test_cursor_keys(make_app: MakeApp, keys: str, line: int) -> None:
    """Arrows, jk, home and end move the cursor."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, keys)
        assert app.explorer.panes.routes.cursor == line


async def test_side_keys_open_close_and_change_pane(make_app: MakeApp) -> None:
    """l opens a chain and goes inside, h comes out and closes; at the top h goes to the pane left."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "l l")
        chains = app.explorer.panes.chains
        assert focused_pane(app) == "chains"
        await press(pilot, "down l l")
        row = chains.current_row()
        assert row is not None and row.key is not None and row.key.chain == "cali-PREROUTING"
        await press(pilot, "h h")
        row = chains.current_row()
        assert row is not None and not row.is_open
        await press(pilot, "h h h")
        assert focused_pane(app) == "links"


async def test_search_finds_in_all_panes_as_you_type(make_app: MakeApp) -> None:
    """The first letters move the cursor; enter stays there, n and N go on."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, ["slash", *"profiles"])
        assert app.explorer.panes.active == "chains"
        assert app.explorer.finder.words_found().startswith("1 of 2")
        await press(pilot, "enter n")
        first = app.explorer.panes.subject()
        assert app.explorer.focused is app.explorer.panes.chains
        await press(pilot, "N")
        assert app.explorer.panes.subject() != first


async def test_search_left_goes_back(make_app: MakeApp) -> None:
    """Escape ends the search where it began."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "down")
        await press(pilot, ["slash", *"conntrack", "escape"])
        assert app.explorer.panes.active == "routes" and app.explorer.panes.routes.cursor == 1


async def test_hits_only(make_app: MakeApp) -> None:
    """i leaves only rules hit since the baseline and the way to them; i again brings all back."""
    app = make_app()
    async with driven(app) as pilot:
        chains = app.explorer.panes.chains
        await press(pilot, "i")
        texts = [row.title for line in range(chains.row_count()) if (row := chains.row(line)).rule]
        assert any("Drop if no profiles matched" in text for text in texts)
        assert not any("INVALID" in text for text in texts)
        assert "hits only" in screen_text(app)
        await press(pilot, "i")
        assert "hits only" not in screen_text(app)


async def test_hits_only_is_told_among_the_tabs_at_once(make_app: MakeApp) -> None:
    """Where one pane is shown at a time, its title stands among the tabs."""
    app = make_app()
    async with driven(app, (80, 24)) as pilot:
        await press(pilot, "tab tab i")
        assert "by hook  hits only]" in screen_text(app)


async def test_hits_only_says_why_nothing_is_left(make_app: MakeApp) -> None:
    """At the baseline itself nothing was hit; without a baseline that cannot be told."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "i b")
        assert "no rule was hit since the baseline" in screen_text(app)
        await press(pilot, "left_square_bracket")
        assert "there is no baseline to count hits from" in screen_text(app)


async def test_a_note_takes_the_place_of_the_one_before(make_app: MakeApp) -> None:
    """Notes do not pile up over what they speak of."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "y")
        assert "copied route default" in told(app)
        await press(pilot, "space")
        assert "copied" not in told(app) and "nothing to pause" in told(app)


async def test_open_below(make_app: MakeApp) -> None:
    """o opens all below the row, o again closes it."""
    app = make_app()
    async with driven(app) as pilot:
        chains = app.explorer.panes.chains
        await press(pilot, "tab tab")
        line = next(at for at in range(chains.row_count()) if "FORWARD" in chains.row(at).title and at > 0)
        chains.move_to(line)
        await press(pilot, "o")
        assert not chains.row(line).is_open
        before = chains.row_count()
        await press(pilot, "o")
        assert chains.row_count() > before + 10


async def test_views(make_app: MakeApp) -> None:
    """v changes between by hook and by chain."""
    app = make_app()
    async with driven(app) as pilot:
        assert "by hook" in screen_text(app)
        await press(pilot, "v")
        assert "by chain" in screen_text(app) and "from workload" in screen_text(app)


async def test_moments_and_baseline(make_app: MakeApp) -> None:
    """[ goes to the baseline itself, where nothing has counted; b counts from here; d chooses."""
    app = make_app()
    async with driven(app) as pilot:
        assert "✖+5" not in screen_text(app)
        assert shown_by(app).view.hits
        await press(pilot, "left_square_bracket")
        assert not shown_by(app).view.hits
        await press(pilot, "right_square_bracket")
        assert shown_by(app).view.hits
        await press(pilot, "b")
        assert shown_by(app).view.counts is not None and not shown_by(app).view.hits
        await press(pilot, "d")
        assert isinstance(app.screen, CompareScreen)
        await press(pilot, "home enter")
        assert shown_by(app).view.hits


async def test_nodes(node: Path, make_app: MakeApp) -> None:
    """2 shows the second node, 3 says that there is none."""
    other = write_moment(node / "work9" / "only")
    (other / "hostname").write_text("work9\n")
    app = make_app(snapshots=open_snapshots([str(node)]))
    async with driven(app) as pilot:
        await press(pilot, "2")
        assert shown_by(app).view.state.name == "work9"
        await press(pilot, "3")
        assert "there is no node 3 here" in told(app)


@pytest.mark.parametrize(
    ("keys", "what", "text"),
    [
        ("down down down", "route 10.222.160.3/32", f"10.222.160.3/32 dev {POD_B}"),
        ("down down", "route 10.222.160.0/24", "blackhole 10.222.160.0/24 proto bird"),
        ("tab", "interface lo", "lo\n"),
        ("tab tab", "chain raw PREROUTING", "*raw\n:PREROUTING ACCEPT ["),
        (
            "tab tab down",
            "rule raw PREROUTING 1 (1 line)",
            'iptables -t raw -A PREROUTING -m comment --comment "cali:6gwbT8clXdHdC1b1" -j cali-PREROUTING',
        ),
        ("tab tab down down", "policy of raw PREROUTING (1 line)", "iptables -t raw -P PREROUTING ACCEPT"),
        ("down down down shift+tab", "all that is known of route 10.222.160.3/32", "route 10.222.160.3/32"),
    ],
)
async def test_copy(make_app: MakeApp, keys: str, what: str, text: str) -> None:
    """y copies the selected thing in its program's words, and says what it was."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, f"{keys} y")
        assert app.clipboard.startswith(text)
        assert f"copied {what}" in told(app)


async def test_copy_in_dialogs(make_app: MakeApp) -> None:
    """A file, a moment, a set's answer are copied from where they are shown."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "f y escape")
        assert "hostname" in app.clipboard and "copied '" in told(app)
        await press(pilot, "d y")
        assert app.clipboard.startswith("moment 1")


def test_the_clipboard_is_doubted_where_it_may_not_work() -> None:
    """Silence only for terminals known to take OSC 52; else what to do."""
    assert doubt_of({"TERM": "xterm-kitty"}) == ""
    assert "set-clipboard" in doubt_of({"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"})
    assert "calitop show" in doubt_of({"TERM": "linux"})
    assert "shift" in doubt_of({"TERM": "xterm-256color"}) and "screen" in doubt_of({"STY": "1.tty"})


async def test_a_doubted_clipboard_is_said(make_app: MakeApp) -> None:
    """The note says what to do where the clipboard may stay as it is."""
    app = make_app(clipboard_doubt="mark it with the mouse")
    async with driven(app) as pilot:
        await press(pilot, "y")
        assert "copied route default (1 line): mark it with the mouse" in told(app)


async def test_dialogs_open_and_close(make_app: MakeApp) -> None:
    """? and f open their screens; escape leaves them."""
    app = make_app()
    async with driven(app) as pilot:
        for key, kind in (("question_mark", HelpScreen), ("f", FilesScreen)):
            await press(pilot, key)
            assert isinstance(app.screen, kind)
            await press(pilot, "down up tab escape")
            assert isinstance(app.screen, Explorer)


async def test_help_begins_with_the_legend_and_has_every_key(make_app: MakeApp) -> None:
    """The first page explains what is on screen, the second holds each row of the bindings table."""
    app = make_app()
    async with driven(app, (140, 90)) as pilot:
        await press(pilot, "question_mark")
        assert "the row with the cursor" in screen_text(app)
        await press(pilot, "tab")
        text = screen_text(app)
        assert all(key.help[:40] in text for key in KEYS)


async def test_palette_goes_to_a_pod(make_app: MakeApp) -> None:
    """The palette knows chains, interfaces, routes, pods and comments by name."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, ["ctrl+p", *"w6nhd"])
        await until(pilot, lambda: "calico-python4-daemon-w6nhd" in screen_text(app))
        await pilot.pause(0.3)
        await press(pilot, "down enter")
        await until(pilot, lambda: isinstance(app.screen, Explorer))
        await until(pilot, lambda: app.explorer.panes.active == "links")


async def test_keys_can_be_remapped(make_app: MakeApp) -> None:
    """A key of the configuration takes the place of ours, in the help too."""
    app = make_app(config=Config(keys={"hits": "x"}))
    async with driven(app) as pilot:
        await press(pilot, "i")
        assert not app.explorer.panes.chains.hits_only
        await press(pilot, "x")
        assert app.explorer.panes.chains.hits_only


async def test_live_keys_say_why_not_on_a_snapshot(make_app: MakeApp) -> None:
    """space, s, + and r say that a snapshot does not move."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "space")
        assert "nothing to pause" in told(app)
        await press(pilot, "s plus minus r")
        assert not isinstance(app.screen, SaveScreen)


async def test_save_asks_and_saves(node: Path) -> None:
    """s asks for a path and hands it to the saver in a thread."""
    saved: list[Path] = []
    source = FakeSource(open_snapshots([str(node)])[0].moments[0])
    app = CalitopApp(source=source, save=saved.append, interval_s=60)
    async with driven(app) as pilot:
        await press(pilot, "s")
        assert isinstance(app.screen, SaveScreen)
        await press(pilot, ["ctrl+u", *"x.zip", "enter"])
        await until(pilot, lambda: bool(saved))
    assert saved == [Path("x.zip")] and source.closed

"""The members of an ipset: where they open from, what typing does, what is said when there are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from calitop.errors import SourceUnavailable
from calitop.model.node import IpSet, NodeState
from calitop.snapshot.open import open_snapshots
from tests.tui.conftest import MakeApp
from tests.tui.driving import FakeSource, driven, press, screen_text, until
from tests.tui.node import write_moment
from tui.app import CalitopApp
from tui.screens.set_screen import SetScreen
from widgets.view import RuleId, SetId

RULES = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
[0:0] -A FORWARD -m set --match-set cali40s:web src -m set ! --match-set gone dst -j DROP
COMMIT
"""
SETS = """\
create cali40s:web hash:net family inet
add cali40s:web 10.222.160.3
add cali40s:web 10.222.219.0/24
add cali40s:web 10.222.219.9 nomatch
create [red]both[/] list:set size 8
add [red]both[/] cali40s:web
"""


@pytest.fixture
def app(tmp_path: Path, make_app: MakeApp) -> CalitopApp:
    folder = write_moment(tmp_path / "sets" / "work2")
    (folder / "iptables-save-c.txt").write_text(RULES)
    (folder / "ipset-save.txt").write_text(SETS)
    return make_app(snapshots=open_snapshots([str(folder)]))


def on_top(app: CalitopApp) -> SetScreen:
    assert isinstance(app.screen, SetScreen)
    return app.screen


async def test_enter_on_a_rule_without_a_chain_opens_its_set(app: CalitopApp) -> None:
    async with driven(app) as pilot:
        key = next(key for key, chain in app.explorer.shown.view.chains.items() if chain.rules)  # type: ignore[union-attr]  # driven waits for it
        app.explorer.go(RuleId(key, 0))
        await press(pilot, "enter")
        text = screen_text(app)
        assert "Set cali40s:web  hash:net  3 members" in text
        assert "10.222.160.3" in text and "pod default/calico-python3-daemon-2jlc5" in text
        await press(pilot, "escape")
        assert app.screen is app.explorer


async def test_the_detail_of_a_rule_names_its_sets(app: CalitopApp) -> None:
    async with driven(app) as pilot:
        key = next(key for key, chain in app.explorer.shown.view.chains.items() if chain.rules)  # type: ignore[union-attr]  # driven waits for it
        app.explorer.go(RuleId(key, 0))
        await pilot.pause()
        assert "set cali40s:web  hash:net  3 members" in screen_text(app)
        assert "set gone was not read" in screen_text(app)
        detail = app.explorer.panes.detail
        line = next(at for at in range(detail.row_count()) if detail.target(at) == SetId("cali40s:web"))
        detail.focus()
        detail.move_to(line)
        await press(pilot, "enter")
        assert on_top(app).rows.row_count() == 3


async def test_the_search_leads_to_a_set(app: CalitopApp) -> None:
    async with driven(app) as pilot:
        await press(pilot, "slash")
        await press(pilot, list("list:set"))
        await press(pilot, "enter")
        assert "Set [red]both[/]  list:set  1 members" in screen_text(app)
        await press(pilot, "enter")
        assert "Set cali40s:web" in screen_text(app)


async def test_the_palette_leads_to_a_set(app: CalitopApp) -> None:
    async with driven(app) as pilot:
        await press(pilot, ["ctrl+p", *"s:web"])
        await until(pilot, lambda: "set cali40s:web hash:net" in screen_text(app))
        await pilot.pause(0.3)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, SetScreen))


@pytest.mark.parametrize(
    ("typed", "shown", "said"),
    [
        ("160", ["10.222.160.3"], ""),
        ("python3", ["10.222.160.3"], ""),
        ("10.222.219.8", ["10.222.219.0/24"], "10.222.219.8 is in it"),
        ("10.222.219.9", ["10.222.219.0/24", "10.222.219.9 nomatch"], "is excepted"),
        ("10.9.9.9", [], "10.9.9.9 is not in it"),
    ],
)
async def test_typing_filters_and_asks(app: CalitopApp, typed: str, shown: list[str], said: str) -> None:
    async with driven(app) as pilot:
        app.explorer.go(SetId("cali40s:web"))
        await press(pilot, list(typed))
        await until(pilot, lambda: said in screen_text(app))
        rows = on_top(app).rows
        assert [rows.member(line) for line in range(rows.row_count())] == shown


async def test_a_member_and_the_answer_are_copied(app: CalitopApp) -> None:
    async with driven(app) as pilot:
        app.explorer.go(SetId("cali40s:web"))
        await press(pilot, list("10.222.219.8"))
        await until(pilot, lambda: "is in it" in screen_text(app))
        await press(pilot, "ctrl+y")
        assert "10.222.219.8 is in it" in app.clipboard
        assert "cali40s:web 10.222.219.0/24" in app.clipboard


async def test_a_set_that_is_not_there_says_so(app: CalitopApp) -> None:
    async with driven(app) as pilot:
        app.explorer.go(SetId("gone"))
        await pilot.pause()
        await until(pilot, lambda: "'gone' is not in this snapshot" in screen_text(app))


class SetSource(FakeSource):
    """A live node that holds 100,000 members."""

    def set_members(self, name: str) -> IpSet:
        if name != "big":
            raise SourceUnavailable(f"cannot read the set '{name}': there is none")
        return IpSet(name, "hash:ip", tuple(f"20.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(100_000)))


async def test_a_live_set_is_read_when_it_is_looked_at(make_app: MakeApp) -> None:
    state = replace(NodeState(), sets=(IpSet("big", "hash:ip", size=100_000),))
    app = make_app(snapshots=(), source=SetSource(state), interval_s=60.0)
    async with driven(app) as pilot:
        app.explorer.go(SetId("big"))
        await until(pilot, lambda: isinstance(app.screen, SetScreen))
        await until(pilot, lambda: on_top(app).rows.row_count() == 100_000)
        await press(pilot, "ctrl+end")
        assert "20.1.134.159" in screen_text(app)
        await press(pilot, "pageup escape")
        app.explorer.go(SetId("gone"))
        await until(pilot, lambda: "cannot read the set 'gone': there is none" in screen_text(app))

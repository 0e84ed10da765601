"""The running app over a live node: `p`, the key that sends, and the verdict of a real fault."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from textual.widgets import Input

from calitop.probe.prober import Prober
from calitop.sources.kernel import KernelSource
from lab import topology
from lab.faults import BY_NAME
from lab.machine import Lab, Settings
from lab.measure import rule_packets
from lab.shell import inside
from tests.tui.driving import driven, screen_text, until
from tests.tui.test_probe import dialog, field, said
from tui.app import CalitopApp
from tui.screens.hits import HitsScreen
from tui.wall import Clock
from widgets.view import LinkId, RuleId

pytestmark = pytest.mark.kernel

FAULT = BY_NAME["identity-mark"]
RECEIVER = topology.pod("calico-python-daemon-8p6zt")
SENDER = topology.pod("cilium-python-daemon-4x7zw")
PATIENCE = 3000


@pytest.fixture(params=["nft", "legacy"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A running lab of this test run's own with the fault in it, and its backend."""
    made = Lab(f"ct-x{os.getpid() % 100000}{request.param[0]}")
    made.up(Settings(request.param, FAULT.kube, FAULT.name), FAULT.plans())
    yield made, request.param
    made.down()


async def test_the_probe_names_the_rule_and_leads_to_it(lab: tuple[Lab, str]) -> None:
    """Nothing moves until the key; five pings later the rule stands there, and enter goes to it."""
    machine, backend = lab
    node = machine.namespace("work2")

    def moved() -> dict[str, int]:
        return rule_packets(inside(node, f"iptables-{backend}-save", "-c"))

    app = CalitopApp(source=KernelSource(netns=node), prober=Prober(node), interval_s=0.5, clock=Clock())
    async with driven(app, (120, 36)) as pilot:
        before = moved()
        app.explorer.go(LinkId(SENDER.interface))
        await pilot.press("p")
        field(app, "target").value = RECEIVER.ip
        await until(pilot, lambda: "READY" in said(app), PATIENCE)
        for words in ("5 echo requests of 84 bytes", SENDER.ip, machine.namespace(SENDER.name), RECEIVER.ip):
            assert words in said(app)
        assert moved() == before, "looking sends nothing"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HitsScreen), PATIENCE)
        await until(pilot, lambda: "LOST" in screen_text(app))
        text = " ".join(screen_text(app).split())
        assert "5 sent, 0 answered" in text
        assert f'LOST on {node} filter cali-from-endpoint-mark rule 7 "Unknown interface"' in text
        assert app.screen.query_one("#flow-from", Input).value == SENDER.ip
        to_the_drop(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen_stack[-1] is app.explorer)
        place = app.explorer.panes.subject()
        assert isinstance(place, RuleId) and (place.key.chain, place.at) == ("cali-from-endpoint-mark", 6)


def to_the_drop(app: CalitopApp) -> None:
    """Put the cursor on the rule that dropped."""
    assert isinstance(app.screen, HitsScreen)
    rows = app.screen.rows
    for line in range(rows.row_count()):
        place = rows.place(line)
        if place is None or not isinstance(place.subject, RuleId):
            continue
        if (place.subject.key.chain, place.subject.at) == ("cali-from-endpoint-mark", 6):
            rows.move_to(line)
            return
    raise AssertionError("the rule is not in the list")


async def test_escape_ends_the_sending(lab: tuple[Lab, str]) -> None:
    """A probe that is stopped before it sends has sent nothing."""
    machine, backend = lab
    node = machine.namespace("work2")
    app = CalitopApp(source=KernelSource(netns=node), prober=Prober(node), clock=Clock())
    async with driven(app, (80, 24)) as pilot:
        before = rule_packets(inside(node, f"iptables-{backend}-save", "-c"))
        await pilot.press("p")
        field(app, "source").value, field(app, "target").value = SENDER.ip, RECEIVER.ip
        await until(pilot, lambda: "READY" in said(app), PATIENCE)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "BACKGROUND" in said(app), PATIENCE)
        await pilot.press("escape")
        await until(pilot, lambda: "STOPPED" in said(app), PATIENCE)
        assert dialog(app).form.draft.target == RECEIVER.ip
        assert rule_packets(inside(node, f"iptables-{backend}-save", "-c")) == before

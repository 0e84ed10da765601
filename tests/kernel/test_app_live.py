"""The running app over a live node: a real ping moves exactly the rules on its path."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from calitop.model.rules import ChainKey
from calitop.sources.kernel import KernelSource
from lab import topology
from lab.machine import Lab, Settings
from lab.measure import rule_packets
from lab.ping import ping
from lab.plan import healthy
from lab.shell import inside
from tests.tui.driving import driven, screen_text, shown_by, until
from tui.app import CalitopApp
from tui.wall import Clock

pytestmark = pytest.mark.kernel

PINGS = 5
RECEIVER = topology.pod("calico-python-daemon-8p6zt")
SENDER = topology.pod("cilium-python-daemon-4x7zw")


@pytest.fixture(params=["nft", "legacy"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A running lab of this test run's own, and its backend."""
    made = Lab(f"ct-a{os.getpid() % 100000}{request.param[0]}")
    made.up(Settings(request.param), healthy())
    yield made, request.param
    made.down()


def name_of(key: ChainKey, index: int | None, app: CalitopApp) -> str:
    """A rule or policy in the words of `rule_packets`."""
    chain = shown_by(app).view.index.chains[key]
    if index is None:
        return f"{key.table} {key.chain} policy {chain.policy}"
    rule = chain.rules[index]
    return f"{key.table} {key.chain} #{rule.number} {rule.text.split(' ', 2)[2]}"


def moved_in(app: CalitopApp) -> Counter[str]:
    """Packets by rule since the baseline, as the app shows them; all must be exact."""
    counts = shown_by(app).view.counts
    assert counts is not None
    moved = list(counts.moved())
    assert all(delta.exact for _, _, delta in moved)
    return Counter({name_of(key, index, app): delta.packets or 0 for key, index, delta in moved})


async def test_a_ping_moves_exactly_the_rules_on_its_path(lab: tuple[Lab, str]) -> None:
    """Baseline by key, five pings between two nodes: the app and iptables-save -c agree on every rule."""
    machine, backend = lab
    node = machine.namespace("work1")
    app = CalitopApp(source=KernelSource(netns=node), interval_s=0.2, clock=Clock())
    async with driven(app, (160, 50)) as pilot:
        begun = shown_by(app).baseline_at
        await pilot.press("b")
        await until(pilot, lambda: shown_by(app).baseline_at != begun)
        before = rule_packets(inside(node, f"iptables-{backend}-save", "-c"))
        assert ping(machine, SENDER, RECEIVER, PINGS).received == PINGS
        after = rule_packets(inside(node, f"iptables-{backend}-save", "-c"))
        await until(pilot, lambda: moved_in(app) == after - before)
        assert any(f"cali-tw-{RECEIVER.interface}" in name for name in moved_in(app))
        assert f"+{PINGS}" in screen_text(app)

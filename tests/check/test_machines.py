"""Whole machines of many kinds, none of them ill: no error and no warning, by one moment or by two.

`tests.machines` builds them and keeps what was read; `tests/kernel/test_machines.py` reads them live.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from calitop.check.catalogue import check
from calitop.check.records import Checked
from calitop.counters.compare import compare
from calitop.model.network import IpRule, Link, Route
from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots
from tests.machines.build import scripts
from tests.machines.keep import KEPT

NAMES = tuple(scripts())


def moments(name: str) -> list[NodeState]:
    [node] = open_snapshots([str(KEPT / f"{name}.tar.gz")])
    return list(node.moments)


def alarms(checked: Checked) -> list[str]:
    return [f"{each.id}: {each.title}" for each in checked.findings if each.severity != "info"]


@pytest.mark.parametrize("name", NAMES)
def test_one_moment_gives_no_alarm(name: str) -> None:
    assert alarms(check([moments(name)[-1]])) == []


@pytest.mark.parametrize("name", NAMES)
def test_two_moments_give_no_alarm(name: str) -> None:
    before, after = moments(name)
    assert alarms(check([after], [compare(before, after)])) == []


@pytest.mark.parametrize("name", NAMES)
def test_its_rules_count_as_read_even_where_it_has_none(name: str) -> None:
    """Else no alarm would only mean that nothing was looked at."""
    needs = [each.needs for each in check([moments(name)[-1]]).not_checked]
    assert not [each for each in needs if "whole ruleset" in each or "both backends" in each]


def test_every_machine_is_kept_and_no_other() -> None:
    assert {path.name.removesuffix(".tar.gz") for path in KEPT.glob("*.tar.gz")} == set(NAMES)


def _with_vrf(state: NodeState) -> NodeState:
    """Management in a VRF, as the kernel and ifupdown2 make it; the kernel of the tests may lack the kind."""
    links = (
        Link("mgmt", kind="vrf", up=True, mtu=65575, addresses=("127.0.0.1/8",), info=(("table", "1001"),)),
        Link("eth9", up=True, mtu=1500, master="mgmt", addresses=("198.51.100.5/24",)),
    )
    routes = (
        Route("ipv4", "198.51.100.0/24", "1001", dev="eth9", proto="kernel", scope="link"),
        Route("ipv4", "default", "1001", dev="eth9", gateway="198.51.100.1", proto="static"),
        Route("ipv4", "default", "1001", "unreachable", metric=4278198272),
    )
    rule = IpRule("ipv4", 1000, other=("l3mdev",))
    return replace(
        state,
        links=(*state.links, *links),
        routes=(*state.routes, *routes),
        ip_rules=(*state.ip_rules, rule),
    )


@pytest.mark.parametrize("name", ["plain", "docker", "router", "calico"])
def test_a_vrf_beside_it_gives_no_alarm(name: str) -> None:
    before, after = map(_with_vrf, moments(name))
    assert alarms(check([after])) == []
    assert alarms(check([after], [compare(before, after)])) == []

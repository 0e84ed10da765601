"""Whole machines of many kinds as calitop reads them live: no error and no warning where nothing is ill."""

from __future__ import annotations

from contextlib import closing

import pytest

from calitop.check.catalogue import check
from calitop.check.facts import ASKED_SETS
from calitop.counters.ledger import Ledger
from calitop.counters.sample import Sample
from calitop.set_members import with_members
from calitop.sources.kernel import KernelSource
from calitop.sources.source import Structure, Wanted
from tests.check.test_machines import NAMES, alarms
from tests.kernel.netns import Namespace
from tests.machines.build import machine

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_that_is_well_gives_no_alarm(name: str) -> None:
    """By one moment, and by what was counted while somebody outside tried its addresses."""
    with machine(name) as made, closing(KernelSource(made.node.name)) as source:
        ledger = Ledger(source.structure())
        made.probe()
        structure, sample = read(source, ledger)
        state = with_members(structure.state, source.set_members, ASKED_SETS)
        assert alarms(check([state], [ledger.add(sample)])) == []
        once = check([state])
    assert alarms(once) == []
    assert not [each for each in once.not_checked if "whole ruleset" in each.needs]


def read(source: KernelSource, ledger: Ledger) -> tuple[Structure, Sample]:
    """The counters; a bridge may still be changing its addresses, which makes a new structure first."""
    structure = source.refresh()
    while (sample := source.counters(Wanted())) is None:
        structure = source.structure()
        ledger.restructure(structure)
    return structure, sample


SERVICE = "-A OUTPUT -d 10.96.0.1/32 -j DNAT --to-destination 127.0.0.1"


def test_a_blackhole_takes_what_the_host_sends_to_a_service(netns: Namespace) -> None:
    """The route is looked up before nat OUTPUT rewrites the destination: that error is no false alarm."""
    netns.load(f"*nat\n{SERVICE}\nCOMMIT\n")
    netns.ip("route", "add", "default", "dev", "lo")
    ping = ("ping", "-c", "1", "-W", "1", "10.96.0.1")
    assert " 1 received" in netns.run(*ping)
    netns.ip("route", "add", "blackhole", "10.0.0.0/8")
    assert " 1 received" not in netns.run(*ping, check=False)


def test_two_plain_vxlan_devices_share_a_port_and_one_that_takes_all_does_not(netns: Namespace) -> None:
    """What `vxlan-same-port` tells apart."""
    netns.ip("link", "add", "vxlan.calico", "up", "type", "vxlan", "id", "4096", "dstport", "4789")
    netns.ip("link", "add", "flannel.1", "up", "type", "vxlan", "id", "1", "dstport", "4789")
    netns.ip("link", "add", "cilium_vxlan", "type", "vxlan", "external", "dstport", "4789")
    with pytest.raises(AssertionError, match="in use"):
        netns.ip("link", "set", "cilium_vxlan", "up")

"""Ends that a node knows, found by any of their words."""

from __future__ import annotations

from calitop.cni.index import NodeIndex
from calitop.model.network import Link, Route
from calitop.model.node import NodeState, Pod
from calitop.probe.known import known_sources, known_targets, matching
from calitop.probe.plan import command_of
from calitop.probe.records import Request

INDEX = NodeIndex(
    NodeState(
        name="work2",
        links=(
            Link("lo", addresses=("127.0.0.1/8", "::1/128")),
            Link("ens160", addresses=("172.16.189.102/24", "fe80::1/64")),
            Link("cali1", peer_netns=3),
            Link("lxc7", peer_netns=4),
            Link("dummy0"),
        ),
        routes=(
            Route("ipv4", "default", gateway="172.16.189.2", dev="ens160"),
            Route("ipv4", "10.0.0.3/32", dev="cali1"),
            Route("ipv4", "10.0.1.0/24", gateway="172.16.189.101", dev="tunl0"),
            Route("ipv4", "10.0.1.9/32", gateway="172.16.189.101", dev="tunl0"),
            Route("ipv4", "10.0.9.9/32", type="blackhole"),
            Route("ipv4", "172.16.189.102/32", table="local", type="local", dev="ens160"),
        ),
        pods=(
            Pod("default", "web", "10.0.1.7/32", "work1"),
            Pod("default", "one", None, "work2", "cali1"),
        ),
    )
)


def test_sources_are_pods_here_then_interfaces_then_what_is_elsewhere() -> None:
    """Each once; loopback and devices from which nothing can be sent are no sources."""
    names = [end.name for end in known_sources(INDEX)]
    assert names[:4] == ["default/one", "ens160", "lxc7", "default/web"]
    assert "lo" not in names and "dummy0" not in names and len(names) == len(set(names))


def test_targets_are_pods_with_an_address_and_single_addresses() -> None:
    """A pod whose address no list tells is found by name all the same: its route has it."""
    targets = known_targets(INDEX)
    assert [end.name for end in targets] == [
        *("default/web", "10.0.0.3", "10.0.1.9", "172.16.189.2", "172.16.189.101", "172.16.189.102")
    ]
    assert [end.name for end in matching(targets, "ONE")] == ["10.0.0.3"]
    assert [end.name for end in matching(targets, "gateway tunl0")] == ["172.16.189.101"]
    assert matching(targets, "nothing of it") == []
    assert matching(targets, " ") == targets


def test_the_command_can_be_pasted_whatever_was_typed() -> None:
    """Words with blanks stay one word."""
    assert command_of(Request("default/a b", "10.0.0.1", "tcp", 80, 3)) == (
        "calitop probe --from 'default/a b' --to 10.0.0.1 --tcp 80 --count 3"
    )
    assert command_of(Request("cali1", "10.0.0.1")) == "calitop probe --from cali1 --to 10.0.0.1 --count 5"

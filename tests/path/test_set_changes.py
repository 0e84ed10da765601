"""A set that a rule on the way has changed answers anew for the packet, never as it was captured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calitop.formats.iptables_save import parse
from calitop.model.node import IpSet, NodeState
from calitop.path.flight import Flight
from calitop.path.hook_walk import walk
from calitop.path.node import Node
from calitop.path.packet import Packet
from calitop.path.three import Truth
from tests.path.test_orders import NFT, PACKET, table

SETS = (
    IpSet("ips", "hash:ip", ("10.0.0.2", "10.0.0.3")),
    IpSet("ports", "hash:ip,port", ()),
    IpSet("nets", "hash:net", ("10.0.0.0/28",)),
    IpSet("masked", "hash:ip", (), (("netmask", "24"),)),
    IpSet("all", "list:set", ("ips", "nets")),
)


WITH_PORTS = replace(PACKET, sport=40000, dport=80)


def asked(change: str, question: str, packet: Packet = PACKET) -> Truth:
    """Whether a rule with the question takes the packet behind a rule that changes a set."""
    text = table(NFT, f"-A FORWARD -j SET {change}\n-A FORWARD {question} -j DROP")
    node = Node("n", NodeState(name="n", rulesets=parse(text).rulesets or (), sets=SETS))
    found = walk(node, "FORWARD", [Flight(packet)])
    return None if found.ended and found.accepted else bool(found.ended)


@pytest.mark.parametrize(
    ("change", "question", "truth"),
    [
        ("--add-set ips src", "-m set --match-set ips src", True),
        ("--add-set ips src", "-m set ! --match-set ips src", False),
        ("--del-set ips dst", "-m set --match-set ips dst", False),
        ("--add-set ips src", "-m set --match-set ips dst", True),
        ("--del-set ips src", "-m set --match-set ips dst", True),
        ("--add-set nets src", "-m set --match-set ips src", False),
        ("--add-set gone src", "-m set --match-set gone src", True),
        ("--add-set ports src,dst", "-m set --match-set ports src,dst", True),
        ("--add-set ports src,dst", "-m set --match-set ports src,src", False),
    ],
)
def test_the_change_decides_for_what_it_was_about(change: str, question: str, truth: bool) -> None:
    assert asked(change, question, WITH_PORTS) is truth


@pytest.mark.parametrize(
    ("change", "question"),
    [
        ("--del-set nets src", "-m set --match-set nets src"),
        ("--del-set nets src", "-m set --match-set nets dst"),
        ("--add-set masked src", "-m set --match-set masked dst"),
        ("--add-set ports src,dst", "-m set --match-set ports src,dst"),
        ("--del-set ips src", "-m set --match-set all src"),
        ("--del-set gone src", "-m set --match-set gone src"),
        ("--add-set gone src", "-m set --match-set gone dst"),
    ],
)
def test_what_the_change_leaves_open_is_unknown(change: str, question: str) -> None:
    """Networks that held more, ports that are not known, lists that hold the set, sets not captured."""
    assert asked(change, question) is None


def test_too_few_dimensions_change_nothing() -> None:
    """The kernel refuses to add one address to a set of addresses with ports."""
    assert asked("--add-set ports src", "-m set --match-set ports src,dst") is False

"""One address in words: whose it is, where packets to it go, which sets hold it, which rules name it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.cni.address_book import AddressBook
from calitop.cni.index import NodeIndex
from calitop.explain.address_words import AddressWords, explain_address
from calitop.formats import iptables_save
from calitop.model.network import Link, Route
from calitop.model.node import IpSet, NodeState, Pod
from calitop.snapshot.open import open_snapshots
from tests import native_node

LAB = Path(__file__).parents[2] / "snapshots" / "lab"
RULES = """\
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -d 10.0.0.5/32 -j DROP
-A FORWARD -s 10.0.0.50/32 -j DROP
-A FORWARD -d 10.0.0.0/24 -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -j ACCEPT
COMMIT
"""
STATE = NodeState(
    rulesets=iptables_save.parse(RULES).rulesets or (),
    links=(
        Link("eth0", addresses=("192.0.2.1/24",), up=True),
        Link("tunl0", kind="ipip", addresses=("10.0.1.0/32",), up=True),
        Link("cali1", kind="veth", up=True),
    ),
    routes=(
        Route("ipv4", "192.0.2.0/24", dev="eth0", scope="link"),
        Route("ipv4", "192.0.2.1/32", "local", "local", dev="eth0"),
        Route("ipv4", "10.0.1.5/32", dev="cali1", scope="link"),
        Route("ipv4", "10.0.2.0/24", dev="tunl0", gateway="192.0.2.2", proto="bird", flags=("onlink",)),
        Route("ipv4", "10.0.1.0/24", type="blackhole", proto="bird"),
    ),
    pods=(Pod("default", "web", "10.0.1.5/32", "here", "cali1"),),
    sets=(
        IpSet("cali40all-ipam-pools", "hash:net", ("10.0.0.0/16", "10.0.3.0/24 nomatch")),
        IpSet("ports", "hash:ip,port", ("10.0.1.5,tcp:80",)),
        IpSet("header", "hash:ip", None, size=3),
        IpSet("list", "list:set", ("cali40all-ipam-pools",)),
        IpSet("KUBE-CLUSTER-IP", "hash:ip,port", ("10.96.0.1,tcp:443", "10.96.0.10,udp:53")),
    ),
)


@pytest.fixture(scope="module")
def index() -> NodeIndex:
    return NodeIndex(STATE)


def told(index: NodeIndex, address: str) -> AddressWords:
    return explain_address(index, ip_address(address))


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("10.0.1.5", "pod default/web"),
        ("10.0.1.5/32", "pod default/web"),
        ("192.0.2.1", "this node, eth0"),
        ("10.0.1.0", "this node, tunl0 (ipip tunnel)"),
        ("192.0.2.2", "another node, next hop of its pods' ranges"),
        ("10.0.1.0/24", "Calico's block of this node"),
        ("10.0.1.77", "in Calico's block of this node"),
        ("10.0.2.9", "in Calico's range 10.0.2.0/24 behind 192.0.2.2"),
        ("10.0.2.128/25", "in Calico's range 10.0.2.0/24 behind 192.0.2.2"),
        ("10.0.0.0/8", None),
        ("10.96.0.1", "service default/kubernetes"),
        ("10.96.0.10", "a service"),
        ("198.51.100.1", None),
        ("fd00::1", None),
        ("words", None),
        ("10.0.2.0/x", None),
    ],
)
def test_whom_an_address_or_range_belongs_to(index: NodeIndex, text: str, who: str | None) -> None:
    assert AddressBook(index).who(text) == who


def test_a_pods_address(index: NodeIndex) -> None:
    words = told(index, "10.0.1.5")
    assert words.who == "pod default/web" and words.route == STATE.routes[2] and "cali1" in words.way
    assert dict(words.sets) == {
        "cali40all-ipam-pools": "10.0.0.0/16",
        "ports": "10.0.1.5,tcp:80",
        "list": "cali40all-ipam-pools",
    }
    assert dict(words.open_sets) == {"header": "its members were not read: ipset save header"}


def test_an_exception_does_not_hold_it(index: NodeIndex) -> None:
    assert not {"cali40all-ipam-pools", "list"} & dict(told(index, "10.0.3.1").sets).keys()


def test_rules_that_name_it_are_those_with_the_whole_address(index: NodeIndex) -> None:
    assert [(ref.key.chain, ref.index) for ref in told(index, "10.0.0.5").rules] == [("FORWARD", 0)]


def test_where_nothing_leads_is_said(index: NodeIndex) -> None:
    words = told(index, "198.51.100.1")
    assert words.route is None and words.way and words.lines()[0] == "nobody here is known to have it"


def test_without_routes_the_way_is_unknown() -> None:
    words = told(NodeIndex(replace(STATE, routes=())), "198.51.100.1")
    assert "not known" in words.way and words.route is None


def test_native_sets_hold_addresses_too() -> None:
    words = told(native_node.index(), "172.16.189.101")
    assert words.sets == (("ip calico cali40all-hosts-net", "172.16.189.101"),)


def test_every_address_of_the_lab_is_told() -> None:
    state = open_snapshots([str(LAB)])[0].moments[0]
    index = NodeIndex(state)
    own = [address.split("/")[0] for link in state.links for address in link.addresses]
    pods = [pod.ip.split("/")[0] for pod in state.pods if pod.ip]
    for address in {*own, *pods, "::1", "2001:db8::1"}:
        words = told(index, address)
        assert words.way and all(line and "\n" not in line for line in words.lines())
    assert all(told(index, address).who is not None for address in (*own, *pods))

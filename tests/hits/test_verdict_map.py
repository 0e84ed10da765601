"""What a verdict map does with a packet, and how that tells packets of a flow from others'."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from calitop.formats import nft_text
from calitop.formats.spec import counts_early
from calitop.hits.flow import Flow
from calitop.hits.flow_test import with_flow
from calitop.hits.moved import node_hits
from calitop.hits.order import meeting_order
from calitop.hits.targets import loses
from calitop.hits.verdict_map import Through, through_map
from calitop.model.node import NodeState
from calitop.model.rules import Rule
from calitop.path.packet import NO_DEVICE, Packet
from calitop.verdict.gauges import Gauges
from tests.native_node import KUBE_PROXY, POD_A, POD_B, index, key, state

INDEX = index()
DISPATCH = key("filter-cali-to-wl-dispatch")


def _through(chain: str, at: int, packet: Packet) -> Through | None:
    table = key(chain) if chain.startswith("filter-cali") else key(chain, KUBE_PROXY)
    return through_map(INDEX.maps, table, INDEX.chains[table].rules[at], packet)


@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        (POD_B, Through(True, (key(f"filter-cali-tw-{POD_B}"),), True)),
        (POD_A, Through(True, (), True)),
        ("ens160", Through(False)),
        (NO_DEVICE, Through(False)),
        (None, Through(None)),
    ],
)
def test_a_map_of_interfaces_is_decided_by_the_device(device: str | None, wanted: Through) -> None:
    packet = Packet(family="ipv4", oif=device)
    assert _through(DISPATCH.chain, 0, packet) == wanted


def test_other_maps_are_open_and_other_rules_have_none() -> None:
    packet = Packet(family="ipv4", oif=POD_B)
    assert _through("services", 0, packet) == Through(None)
    assert _through("service-A", 1, packet) == Through(None)
    assert _through(DISPATCH.chain, 1, packet) is None


def test_what_the_map_does_not_know_meets_the_rule_behind_it() -> None:
    """The drop of an unknown interface can be the flow's: no element is for its device."""
    hits = node_hits("work2", state(), state(unknown=5))
    pod, other = ip_address("10.222.160.9"), ip_address("10.222.219.6")
    (marked,) = with_flow([hits], Flow(other, pod, None, None))
    flow = {(each.key.chain, each.index): each.flow for each in marked.moved}
    assert flow[DISPATCH.chain, 1] is not False


def test_hits_stand_in_the_order_of_hooks_and_priorities() -> None:
    hits = node_hits("work2", state(), state(drops=5))
    assert [each.key.chain for each in hits.moved] == [
        "filter-FORWARD",
        "filter-cali-FORWARD",
        f"filter-cali-tw-{POD_B}",
    ]
    places = [(key("filter-FORWARD"), 0), (key("services", KUBE_PROXY), 0)]
    assert [place[0].chain for place in meeting_order(INDEX, places)] == ["services", "filter-FORWARD"]


def _listed(*chains: str) -> NodeState:
    """A node with one native table."""
    read = nft_text.parse("table ip t {\n" + "".join(chains) + "}\n")
    assert read.problems == () and read.rulesets is not None
    return NodeState(rulesets=read.rulesets)


def _base(name: str, rule: str, priority: int = 0) -> str:
    head = f"type filter hook forward priority {priority}; policy accept;"
    return f"\tchain {name} {{\n\t\t{head}\n\t\t{rule}\n\t}}\n"


@pytest.mark.parametrize(
    ("rule", "more", "dropped"),
    [
        ("counter packets 0 bytes 0 drop", "", 0),
        ("ip daddr 10.0.0.1 drop", "", None),
        ("ip daddr vmap { 10.0.0.1 : drop, 10.0.0.2 : accept }", "", None),
        ("counter packets 0 bytes 0 ip daddr 10.0.0.1 drop", "", None),
        ("ip daddr vmap { 10.0.0.1 : accept, 10.0.0.2 : continue }", "", 0),
        ("ip daddr 10.0.0.1 jump other", "\tchain other {\n\t\treject\n\t}\n", None),
        ("accept", "\tchain other {\n\t\treject\n\t}\n", 0),
    ],
)
def test_what_a_chain_may_drop_without_a_counter_makes_its_loss_unknown(
    rule: str, more: str, dropped: int | None
) -> None:
    """A chain that nobody leads to drops nothing; a map that may drop is not surely quiet."""
    node = _listed(_base("base", rule), more)
    gauges = Gauges(node_hits("n", node, node), "ipv4")
    (base,) = gauges.bases["FORWARD"]
    assert gauges.dropped_below(base) == dropped


def test_an_accept_ends_only_its_own_base_chain() -> None:
    """What the first base chain accepts comes to the second: it is not lost in between."""
    before, after = (
        _listed(_base("first", counted + "accept"), _base("second", counted + "drop", 10))
        for counted in ("counter packets 0 bytes 0 ", "counter packets 5 bytes 420 ")
    )
    gauges = Gauges(node_hits("n", before, after), "ipv4")
    assert (gauges.entered("FORWARD"), gauges.left("FORWARD")) == (5, 0)


@pytest.mark.parametrize(
    ("words", "early"),
    [
        ("tcp dport 53 counter drop", False),
        ("counter tcp dport 53 drop", True),
        ('counter drop comment "tcp dport 53 counter"', False),
        ("ip saddr 10.0.0.1 counter tcp dport 53 drop", True),
        ("tcp dport 53 drop", False),
    ],
)
def test_a_counter_before_a_condition_counts_what_the_rule_does_not_match(words: str, early: bool) -> None:
    """Such a drop has not lost what it counted."""
    rule = Rule(words, 1, 5, 420, "DROP", "jump", ("DROP",), language="nft")
    assert (counts_early(rule), loses(rule)) == (early, not early)

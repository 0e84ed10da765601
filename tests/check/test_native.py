"""Checks of a node whose Calico is in nftables mode."""

from __future__ import annotations

from dataclasses import replace

from calitop.check.catalogue import check
from calitop.check.facts import NodeFacts
from calitop.check.records import Checked
from calitop.formats import nft_text
from calitop.model.network import Link, Route
from calitop.model.node import NodeState
from tests import native_node
from tests.native_node import POD_B

ELEMENT = f'"{POD_B}" : goto filter-cali-fw-{POD_B},'
JUMPS = ("jump filter-cali-from-wl-dispatch", "jump filter-cali-to-wl-dispatch")
SIGNED = 'comment "cali:mmmmmmmmmmmmmmmm;"'


def _node(*changes: tuple[str, str]) -> NodeState:
    """The small node with every rule signed, as Felix does, and these changes of its listing."""
    text = native_node.ruleset()
    signatures = zip(JUMPS, "xy", strict=True)
    for old, new in (*((jump, f'{jump} comment "cali:{at * 16};"') for jump, at in signatures), *changes):
        assert old in text
        text = text.replace(old, new)
    read = nft_text.parse(text)
    assert read.rulesets is not None
    return replace(native_node.state(), rulesets=read.rulesets)


def _titles(checked: Checked, fault: str) -> list[str]:
    return [each.title for each in checked.findings if each.id == fault]


def test_a_healthy_native_node_gives_no_alarm() -> None:
    assert not [each for each in check([_node()]).findings if each.severity != "info"]


def test_one_signature_twice() -> None:
    twice = _node((SIGNED, f"{SIGNED}\n\t\tcounter accept {SIGNED}"))
    assert _titles(check([twice]), "duplicate-felix-rule") == [
        "nat-cali-POSTROUTING holds one rule of Felix 2 times (cali:mmmmmmmmmmmmmmmm)"
    ]


def test_an_unsigned_rule_among_signed_ones() -> None:
    extra = _node((SIGNED, f"{SIGNED}\n\t\tip saddr 192.0.2.1 counter drop"))
    assert _titles(check([extra]), "foreign-rule-in-calico-chain") == [
        "rule 2 of nat-cali-POSTROUTING is not Felix's"
    ]


def test_a_workload_that_the_map_does_not_name() -> None:
    assert _titles(check([_node((ELEMENT, ""))]), "chain-without-dispatch") == [
        f"no dispatch rule leads to filter-cali-fw-{POD_B}"
    ]


def test_a_map_without_its_elements_is_not_judged() -> None:
    """As `nft -t list ruleset` prints it."""
    state = _node()
    rulesets = tuple(
        replace(
            one,
            tables=tuple(
                replace(table, maps=tuple(replace(each, elements=(), complete=None) for each in table.maps))
                for table in one.tables
            ),
        )
        for one in state.rulesets
    )
    checked = check([replace(state, rulesets=rulesets)])
    assert not _titles(checked, "chain-without-dispatch")
    assert [each for each in checked.not_checked if each.id == "chain-without-dispatch"]


def test_the_nodes_of_calico_s_own_set_are_its_hosts() -> None:
    hosts = NodeFacts(_node()).hosts
    assert hosts is not None
    assert [str(host) for host in hosts] == ["172.16.189.101/32", "172.16.189.102/32"]


def test_a_peer_that_the_native_set_lacks() -> None:
    route = Route("ipv4", "10.222.12.0/24", dev="tunl0", gateway="172.16.189.100", proto="bird")
    state = _node()
    state = replace(state, links=(*state.links, Link("tunl0", up=True)), routes=(*state.routes, route))
    assert _titles(check([state]), "ipip-peer-unknown") == [
        "IPIP peer 172.16.189.100 is not in cali40all-hosts-net"
    ]

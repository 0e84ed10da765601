"""Search: every word must occur, whatever its case; hits come in display order."""

from __future__ import annotations

from calitop.cni.index import NodeIndex
from calitop.model.network import Link, Route
from calitop.model.node import NodeState, Pod
from calitop.model.rules import Chain, ChainKey, Rule, Ruleset, Table
from calitop.search import Finder, search
from tests import native_node

IFACE = "cali7cd4eff55c7"
CHAINS = {
    f"cali-tw-{IFACE}": Chain(
        f"cali-tw-{IFACE}", (Rule('-A x -m comment --comment "Drop if no profiles matched" -j DROP', 1),)
    ),
    "FORWARD": Chain("FORWARD", (Rule(f"-A FORWARD -o {IFACE} -j x", 1, target=f"cali-tw-{IFACE}"),), True),
}
STATE = NodeState(
    rulesets=(Ruleset("ipv4", "nft", (Table("filter", CHAINS),)),),
    links=(Link(IFACE, addresses=("fe80::1/64",), mac="ee:ee:ee:ee:ee:ee"),),
    routes=(
        Route("ipv4", "10.222.160.3/32", dev=IFACE),
        Route("ipv4", "10.222.160.0/24", type="blackhole", proto="bird"),
    ),
    pods=(Pod("default", "calico-python3", "10.222.160.3/32", "k8s-work2", IFACE),),
)
INDEX = NodeIndex(STATE)


def _found(words: str) -> list[tuple[str, str]]:
    return [(hit.kind, hit.text) for hit in search(STATE, INDEX, words)]


def test_everything_that_holds_an_interface_is_found_in_display_order() -> None:
    hits = search(STATE, INDEX, IFACE)
    assert [hit.kind for hit in hits] == ["route", "link", "pod", "rule", "chain"]
    assert hits[0].route is STATE.routes[0]
    assert hits[1].link is STATE.links[0]
    assert hits[2].pod is STATE.pods[0]
    assert (hits[3].key, hits[3].rule_index) == (ChainKey("ipv4", "nft", "filter", "FORWARD"), 0)
    assert hits[4].rule_index is None


def test_all_words_must_occur_in_any_order_and_case() -> None:
    assert [kind for kind, _ in _found("PROFILES drop")] == ["rule"]
    assert _found("profiles nowhere") == []


def test_blackholes_addresses_and_pods_are_found() -> None:
    assert _found("blackhole bird") == [("route", "blackhole 10.222.160.0/24 proto bird")]
    assert [kind for kind, _ in _found("fe80::1")] == ["link"]
    assert "pod" in [kind for kind, _ in _found("default/calico")]


def test_a_chain_is_found_by_its_words() -> None:
    assert ("chain", f"cali-tw-{IFACE}") in _found("ingress default/calico-python3")


def test_no_words_find_nothing() -> None:
    assert _found("") == _found("   ") == []


def test_a_limit_keeps_the_first() -> None:
    assert search(STATE, INDEX, "cali", limit=2)[:] == search(STATE, INDEX, "cali")[:2]


def test_a_new_state_is_not_answered_from_an_old_one() -> None:
    search(STATE, INDEX, "cali")
    empty = NodeState()
    assert not search(empty, NodeIndex(empty), "cali")


def test_symbols_are_text_not_patterns() -> None:
    rule = Rule('-A a -j LOG --log-prefix "!#*~%&/()=?[UFW BLOCK] "', 1)
    state = NodeState(rulesets=(Ruleset(None, None, (Table(None, {"a": Chain("a", (rule,))}),)),))
    assert len(Finder(state, NodeIndex(state)).find("()=?[ufw")) == 1


def test_sets_maps_and_their_elements_are_found_behind_the_rules() -> None:
    state = native_node.state()
    index = NodeIndex(state)
    assert [hit.kind for hit in search(state, index, native_node.POD_A)] == [
        "route",
        "link",
        "chain",
        "element",
        "element",
    ]
    (element,) = search(state, index, "10.96.0.1 443")
    assert (element.map, element.element) == (native_node.SERVICES, 0)
    assert element.text == '10.96.0.1 . tcp . 443 : goto service-A comment "default/kubernetes"'
    (found,) = [hit for hit in search(state, index, "all-hosts-net") if hit.kind == "map"]
    assert (found.map, found.element) == (native_node.HOSTS, None)

"""A set in words: what it is for, what is in it, which rules ask it and how."""

from __future__ import annotations

import pytest

from calitop.cni.index import NodeIndex
from calitop.cni.set_names import set_purpose
from calitop.explain.rule_words import explain_rule
from calitop.explain.set_words import explain_set
from calitop.formats import iptables_save
from calitop.model.node import IpSet, NodeState
from tests import native_node

RULES = """\
*filter
:FORWARD ACCEPT [0:0]
:cali-pi-_abc - [0:0]
-A FORWARD -m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst -j DROP
-A FORWARD -m set --match-set KUBE-LOOP-BACK dst,dst,src -j ACCEPT
-A FORWARD -m set --match-set mine src -j SET --add-set mine dst
-A cali-pi-_abc -m comment --comment "Policy default/web ingress" -m set --match-set cali40s:xyz src -j ACCEPT
COMMIT
"""
SETS = (
    IpSet("cali40masq-ipam-pools", "hash:net", ("10.0.0.0/8",)),
    IpSet("KUBE-LOOP-BACK", "hash:ip,port,ip", ("10.0.0.1,tcp:80,10.0.0.1",)),
    IpSet("cali40s:xyz", "hash:net", None, size=12),
    IpSet("mine", "hash:ip", ()),
)


@pytest.fixture(scope="module")
def index() -> NodeIndex:
    return NodeIndex(NodeState(rulesets=iptables_save.parse(RULES).rulesets or (), sets=SETS))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cali40all-hosts-net", "the nodes that Calico knows"),
        ("cali4tall-hosts-net", "the nodes that Calico knows"),
        ("cali60masq-ipam-pools", "the pools of Calico with outgoing NAT"),
        ("cali40s:b4x2", "the pods and networks that a selector of policies chooses"),
        ("cali40s-b4x2", "the pods and networks that a selector of policies chooses"),
        ("cali40n:b4x2", "the pods and ports that a named port of policies means"),
        ("KUBE-CLUSTER-IP", "the cluster addresses and ports of services"),
        ("KUBE-6-LOOP-BACK", "the pods of services, each with itself as the sender"),
        ("KUBE-NODE-PORT-LOCAL-SCTP-HASH", "the SCTP node ports of services that keep to local pods"),
        ("cilium_node_set_v4", "the addresses of Cilium's nodes"),
        ("blocklist", ""),
        ("cali40", ""),
        ("KUBE-", ""),
    ],
)
def test_a_name_that_a_program_gives_tells_what_is_in_the_set(name: str, words: str) -> None:
    assert set_purpose(name) == words


def test_the_side_that_each_rule_asks_is_told(index: NodeIndex) -> None:
    def uses(name: str) -> list[str]:
        return [use.words for use in explain_set(index, name).uses]

    assert uses("cali40masq-ipam-pools") == ["the source is in it"]
    assert uses("cali40all-ipam-pools") == ["the destination is not in it"]
    assert uses("KUBE-LOOP-BACK") == [
        "the destination address, destination port and source address are in it"
    ]
    assert uses("mine") == ["the source is in it", "the destination is put into it"]


def test_what_was_not_read_says_what_to_collect(index: NodeIndex) -> None:
    missing, header, known = (
        explain_set(index, name) for name in ("cali40all-ipam-pools", "cali40s:xyz", "mine")
    )
    assert (missing.size, missing.collect) == (None, "it was not read: ipset save cali40all-ipam-pools")
    assert (header.size, header.collect) == (12, "its members were not read: ipset save cali40s:xyz")
    assert (known.size, known.collect, known.purpose) == (0, "", "")


def test_a_selectors_set_names_the_policies_that_ask_it(index: NodeIndex) -> None:
    assert explain_set(index, "cali40s:xyz").policies == ("default/web",)


def test_types_are_told_in_words(index: NodeIndex) -> None:
    assert explain_set(index, "cali40masq-ipam-pools").kind == "each member is an address or range (hash:net)"
    loop = explain_set(index, "KUBE-LOOP-BACK")
    assert loop.kind == "each member joins an address, a port and an address (hash:ip,port,ip)"


def test_a_rule_says_what_the_sets_that_it_asks_hold(index: NodeIndex) -> None:
    key = next(key for key in index.chains if key.chain == "FORWARD")
    assert explain_rule(index, key, 0).startswith(
        "If the source is in the set cali40masq-ipam-pools (the pools of Calico with outgoing NAT) and the "
        "destination is not in the set cali40all-ipam-pools (all pools of Calico), drop"
    )
    assert "in the set mine," in explain_rule(index, key, 2)


def test_a_native_set_is_told_by_its_name_with_and_without_its_table() -> None:
    index = native_node.index()
    words = explain_set(index, "cali40all-hosts-net")
    assert words == explain_set(index, "calico cali40all-hosts-net")
    assert (words.purpose, words.size, words.collect) == ("the nodes that Calico knows", 2, "")
    assert words.kind == "a set of ipv4_addr in the native table calico"
    assert words.users == len(index.maps.users(native_node.HOSTS)) == len(words.uses)


def test_names_from_files_are_shown_as_text() -> None:
    rules = '*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m set --match-set "a\x1b[2J" src -j DROP\nCOMMIT\n'
    index = NodeIndex(NodeState(rulesets=iptables_save.parse(rules).rulesets or ()))
    assert "\x1b" not in "".join(explain_set(index, "a\x1b[2J").lines())

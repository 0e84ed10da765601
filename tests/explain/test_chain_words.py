"""A chain tells its role, who stands behind it, who calls it and from which hook."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from calitop.cni.felix_hash import chain_name
from calitop.cni.index import NodeIndex
from calitop.explain.chain_words import clear_name, explain_chain
from calitop.formats import iptables_save
from calitop.model.node import NodeState, Pod
from calitop.model.rules import ChainKey
from calitop.snapshot.open import open_snapshots

LAB = Path(__file__).parents[2] / "snapshots" / "lab"


@cache
def lab() -> NodeIndex:
    return NodeIndex(open_snapshots([str(LAB)])[0].moments[0])


def in_filter(chain: str) -> ChainKey:
    return ChainKey("ipv4", "nft", "filter", chain)


def with_chain(chain: str, rule: str, *pods: Pod) -> tuple[NodeIndex, ChainKey]:
    text = f"*filter\n:FORWARD ACCEPT [0:0]\n:{chain} - [0:0]\n-A {chain} {rule}\nCOMMIT\n"
    index = NodeIndex(NodeState(rulesets=iptables_save.parse(text).rulesets or (), pods=pods))
    return index, next(key for key in index.chains if key.chain == chain)


def test_a_workloads_chain_tells_its_pod_its_callers_and_its_way() -> None:
    assert explain_chain(lab(), in_filter("cali-tw-cali1e68f0565f5")).lines() == (
        "to the pod default/calico-python1-daemon-9wbq6 (ingress)",
        "interface cali1e68f0565f5: what enters the pod",
        "called by cali-to-wl-dispatch rule 1 (goto)",
        "reached from FORWARD, OUTPUT of table filter",
    )


def test_a_profiles_chain_tells_the_namespace_or_the_service_account() -> None:
    assert explain_chain(lab(), in_filter("cali-pri-kns.default")).behind == (
        "the profile of the namespace default"
    )
    assert explain_chain(lab(), in_filter("cali-pri-ksa.default.default")).behind == (
        "the profile of the service account default in the namespace default"
    )


def test_a_hashed_name_is_told_by_the_first_rules_comment() -> None:
    comment = (
        '-m comment --comment "cali:abcdefghij123456" -m comment --comment "Policy default/web.long ingress"'
    )
    index, key = with_chain("cali-pi-_abcdefghijklmnopqrs", comment)
    assert clear_name(index, key) == "default/web.long"
    assert explain_chain(index, key).behind == "the policy default/web.long"


def test_a_hashed_profile_is_told_by_a_candidate_with_that_hash() -> None:
    name = "ksa.kube-system.coredns"
    pod = Pod("kube-system", "coredns-5d78c9869d-x2x7q")
    index, key = with_chain(chain_name("cali-pro-", name), "-j RETURN", pod)
    assert clear_name(index, key) == name


def test_a_hash_of_nobody_stays_unknown() -> None:
    index, key = with_chain("cali-pi-_abcdefghijklmnopqrs", "-j RETURN")
    assert clear_name(index, key) is None
    assert explain_chain(index, key).behind == "the name behind the hash is not known here"


def test_an_orphan_says_that_nobody_calls_it() -> None:
    index, key = with_chain("a", "-j RETURN")
    assert explain_chain(index, key).called == "no rule calls it"
    assert explain_chain(index, key).way == "no packet gets here"


def test_every_chain_of_the_lab_has_a_role_in_plain_text() -> None:
    for key in lab().chains:
        lines = explain_chain(lab(), key).lines()
        assert lines and all(line.isprintable() for line in lines)

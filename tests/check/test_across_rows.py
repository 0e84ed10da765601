"""What only two nodes together show: each cross-node check with its fault and its healthy twin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calitop.check import across
from calitop.check.catalogue import CROSS_CHECKS, check
from calitop.check.records import Finding
from calitop.model.network import IpRule
from calitop.model.node import NodeState
from calitop.model.rules import Chain, Rule
from calitop.snapshot.open import open_snapshots
from tests.check import states
from tests.check.states import SNAPSHOTS

WORK1, WORK2 = "k8s-work1", "k8s-work2"
INVALID = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"


def _found(fault: str, *nodes: NodeState) -> list[Finding]:
    return [each for each in check(nodes).findings if each.id == fault]


def _lab() -> tuple[NodeState, NodeState]:
    return states.lab(WORK1), states.lab(WORK2)


def test_a_flow_that_rp_filter_drops_is_told_with_its_settings_and_route() -> None:
    nodes = [node.moments[-1] for node in open_snapshots([str(SNAPSHOTS / "faults" / "rpf-tunl0-1")])]
    (found,) = _found("pod-flow-lost", *nodes)
    assert (found.severity, found.node) == ("error", WORK1)
    assert found.title.startswith("10.222.2.82 does not reach 10.222.219.")
    kinds = [each.kind for each in found.evidence]
    assert kinds == ["sysctl", "sysctl", "route", "pod", "pod"]
    assert found.evidence[2].text.startswith("10.222.2.0/24 via")


def test_a_loose_rp_filter_loses_nothing() -> None:
    nodes = [node.moments[-1] for node in open_snapshots([str(SNAPSHOTS / "faults" / "rpf-tunl0-1")])]
    loose = [states.with_sysctl(node, "net.ipv4.conf.tunl0.rp_filter", 2) for node in nodes]
    assert not _found("pod-flow-lost", *loose)


def test_a_rule_of_somebody_else_that_drops_is_a_warning() -> None:
    work1, work2 = _lab()
    dropping = states.with_rule(work1, "filter", "FORWARD", "-A FORWARD -i tunl0 -j DROP", 0)
    found = _found("pod-flow-lost", dropping, work2)
    assert {(each.severity, each.node) for each in found} == {("warning", WORK1)}
    assert found[0].evidence[0].text == "filter: -A FORWARD -i tunl0 -j DROP"


def test_what_a_policy_of_calico_drops_is_no_fault() -> None:
    work1, work2 = _lab()
    pod = next(pod for pod in work1.pods if pod.ip == "10.222.219.6/32")
    chain = states.chain_of(work1, "filter", f"cali-tw-{pod.interface or 'calicbd8d7879b8'}")
    denied = replace(chain, rules=(Rule(f"-A {chain.name} -j DROP", 1, target="DROP", verb="jump"),))
    assert not _found("pod-flow-lost", states.with_chain(work1, "filter", denied), work2)


def test_an_unread_way_is_not_judged() -> None:
    """A policy rule that nothing decides leaves the flow open."""
    work1, work2 = _lab()
    rule = IpRule("ipv4", 50, table="77", other=("tos 0x10",))
    assert not _found("pod-flow-lost", replace(work1, ip_rules=(*work1.ip_rules, rule)), work2)


def test_a_foreign_masquerade_between_pods_is_a_warning() -> None:
    """As a kubelet's unit file once set it (projectcalico/calico#6235)."""
    work1, work2 = _lab()
    text = "-A POSTROUTING ! -d 192.0.2.0/24 -j MASQUERADE"
    found = _found("pods-masqueraded", states.with_rule(work1, "nat", "POSTROUTING", text, 0), work2)
    assert {(each.severity, each.node) for each in found} == {("warning", WORK1)}
    assert found[0].evidence[0].text == f"nat: {text}"


def test_pods_of_the_lab_keep_their_source() -> None:
    assert not _found("pods-masqueraded", *_lab())


def test_ways_by_two_tunnels_are_asymmetric() -> None:
    titles = [each.title for each in _found("asymmetric-path", *_lab())]
    assert len(titles) == 2
    assert any("by cilium_host" in title and "by tunl0" in title for title in titles)


def test_ways_by_one_tunnel_are_not() -> None:
    calico_only = [
        replace(state, pods=tuple(pod for pod in state.pods if pod.name.startswith("calico")))
        for state in _lab()
    ]
    assert not _found("asymmetric-path", *calico_only)


@pytest.mark.parametrize(("cilium_first", "count"), [(False, 1), (True, 0)])
def test_a_drop_of_invalid_is_told_unless_cilium_accepts_before_it(cilium_first: bool, count: int) -> None:
    work1, work2 = _lab()
    chain = Chain("KUBE-FORWARD", (Rule(INVALID, 1, target="DROP", verb="jump"),))
    state = states.with_chain(work1, "filter", chain)
    forward = states.chain_of(state, "filter", "FORWARD")
    rules = tuple(rule for rule in forward.rules if cilium_first or rule.target != "CILIUM_FORWARD")
    state = states.with_chain(state, "filter", replace(forward, rules=rules))
    assert len(_found("invalid-drop-one-way", state, work2)) == count


def test_a_chain_of_cilium_without_its_accepts_saves_nothing() -> None:
    """The chain is called, but lets packets pass to KUBE-FORWARD (lab fault `kube-invalid`)."""
    work1, work2 = _lab()
    state = states.with_chain(
        work1, "filter", Chain("KUBE-FORWARD", (Rule(INVALID, 1, target="DROP", verb="jump"),))
    )
    state = states.with_chain(state, "filter", Chain("CILIUM_FORWARD"))
    (found,) = _found("invalid-drop-one-way", state, work2)
    assert (found.node, found.evidence[0].text) == (WORK1, f"filter: {INVALID}")


@pytest.mark.parametrize(("members", "count"), [(("172.16.189.101",), 1), (("172.16.189.0/24",), 0)])
def test_a_sender_of_ipip_that_calico_does_not_know(members: tuple[str, ...], count: int) -> None:
    work1, work2 = _lab()
    found = _found("ipip-sender-unknown", states.with_members(work1, "cali40all-hosts-net", members), work2)
    assert [each.node for each in found] == [WORK1] * count
    assert all("sends IPIP from 172.16.189.102" in each.title for each in found)


@pytest.mark.parametrize(("mtu", "count"), [(1400, 1), (1500, 0)])
def test_a_tunnel_that_does_not_fit_the_other_wire(mtu: int, count: int) -> None:
    work1, work2 = _lab()
    found = _found("mtu-between-nodes", work1, states.with_link(work2, "ens160", mtu=mtu))
    assert [each.node for each in found] == [WORK1] * count


def test_static_chains_that_differ() -> None:
    """Without its last rule the chain is still whole, but another one."""
    work1, work2 = _lab()
    chain = states.chain_of(work2, "filter", "cali-FORWARD")
    other = states.with_chain(work2, "filter", replace(chain, rules=chain.rules[:-1]))
    (found,) = _found("felix-chains-differ", work1, other)
    assert found.title == f"filter cali-FORWARD differs between {WORK1} and {WORK2}"
    assert not _found("felix-chains-differ", work1, work2)


def test_every_cross_check_has_its_fault() -> None:
    here = {
        "pod-flow-lost",
        "pods-masqueraded",
        "asymmetric-path",
        "invalid-drop-one-way",
        "ipip-sender-unknown",
        "mtu-between-nodes",
        "felix-chains-differ",
    }
    assert {one.id for one in CROSS_CHECKS} == here | {one.id for one in across.CHECKS}


def test_a_shortened_text_is_not_called_edited() -> None:
    """Signatures break off in a text of which nobody knows that it is whole: only info."""
    chain = states.chain_of(states.lab(), "filter", "cali-FORWARD")
    state = states.with_chain(states.lab(), "filter", replace(chain, rules=chain.rules[1:]))
    by_hand = replace(state, files=())
    assert [each.severity for each in _found("edited-felix-chain", state)] == ["warning"]
    assert [each.severity for each in _found("edited-felix-chain", by_hand)] == ["info"]


def test_signatures_of_an_unknown_release_are_not_judged() -> None:
    state = states.lab()
    for key, chain in state.chains().items():
        if key.chain.startswith("cali-") and chain.rules:
            state = states.with_chain(state, key.table or "", replace(chain, rules=chain.rules[1:]))
    checked = check([state])
    assert not [each for each in checked.findings if each.id == "edited-felix-chain"]
    assert [each for each in checked.not_checked if each.id == "edited-felix-chain"]

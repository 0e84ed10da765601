"""Nodes on which BPF programs decide: said with the signs, and never of other nodes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calitop.cni.bpf import decided_in_bpf, with_bpf_warning
from calitop.formats import iptables_save
from calitop.model.network import Link
from calitop.model.node import BpfAttachment, NodeState
from calitop.model.rules import Chain, Ruleset
from tests import native_node

EBPF = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:cali-FORWARD - [0:0]
:cali-to-wl-dispatch - [0:0]
-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
-A cali-FORWARD -m comment --comment "cali:aaaaaaaaaaaaaaaa" \
-m comment --comment "Pre-approved by BPF programs." -m mark --mark 0x3000000/0x3000000 -j ACCEPT
-A cali-FORWARD -i cali+ -m comment --comment "cali:bbbbbbbbbbbbbbbb" \
-m comment --comment "From workload without BPF seen mark" -m mark ! --mark 0x1000000/0x1000000 -j DROP
-A cali-FORWARD -o cali+ -m comment --comment "cali:cccccccccccccccc" \
-m comment --comment "To workload, check workload is known." -j cali-to-wl-dispatch
-A cali-to-wl-dispatch -o cali7cd4eff55c7 -j ACCEPT
-A cali-to-wl-dispatch -m comment --comment "Unknown interface" -j DROP
COMMIT
"""
CILIUM = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:CILIUM_FORWARD - [0:0]
-A FORWARD -m comment --comment "cilium-feeder: CILIUM_FORWARD" -j CILIUM_FORWARD
COMMIT
"""
CILIUM_DEVICES = ("cilium_host", "cilium_net", "lxc3bb87f85aff5", "lxc_health")


def _state(rules: str, *devices: str) -> NodeState:
    read = iptables_save.parse(rules).rulesets
    assert read is not None
    return NodeState(rulesets=read, links=tuple(Link(name) for name in devices))


def test_calicos_ebpf_mode_is_known_by_its_rules_and_devices() -> None:
    found = decided_in_bpf(_state(EBPF, "cali7cd4eff55c7", "bpfin.cali", "bpfout.cali"))
    assert found is not None and found.by == "calico"
    assert found.evidence == (
        "device bpfin.cali, bpfout.cali",
        "rule 'Pre-approved by BPF programs' in filter cali-FORWARD",
        "no cali-fw- or cali-tw- chain",
    )


def test_one_sign_is_enough_and_absence_is_no_sign_in_a_cut_text() -> None:
    state = _state(
        EBPF.replace(":OUTPUT ACCEPT [0:0]\n", "").replace("*filter\n", "").replace("COMMIT\n", "")
    )
    found = decided_in_bpf(state)
    assert found is not None
    assert found.evidence[0].startswith("rule 'Pre-approved by BPF programs'")
    assert "no cali-fw- or cali-tw- chain" not in found.evidence


def test_a_node_of_cilium_alone() -> None:
    state = replace(
        _state(CILIUM, *CILIUM_DEVICES), bpf=(BpfAttachment("lxc3bb87f85aff5", "ingress", "tcx"),)
    )
    found = decided_in_bpf(state)
    assert found is not None and found.by == "cilium"
    assert found.evidence == (
        "device cilium_host, cilium_net, lxc3bb87f85aff5 and 1 more",
        "no chain of Calico",
        "BPF program or filter on lxc3bb87f85aff5",
        "no service chain of kube-proxy",
    )


def test_the_warning_says_what_is_not_seen_and_why() -> None:
    (warning,) = with_bpf_warning(_state(EBPF)).warnings
    assert warning == (
        "Calico's eBPF mode: policy, services and forwarding of pods are decided in BPF, "
        "which no rule shows and calitop cannot see (signs: "
        "rule 'Pre-approved by BPF programs' in filter cali-FORWARD; no cali-fw- or cali-tw- chain)"
    )


@pytest.mark.parametrize(
    "state",
    [
        NodeState(),
        native_node.state(),
        _state(CILIUM, "cali7cd4eff55c7", *CILIUM_DEVICES),
        _state(CILIUM, "ens160"),
        NodeState(links=tuple(Link(name) for name in CILIUM_DEVICES)),
        NodeState(rulesets=(Ruleset("ipv4", "nft", ()),), links=tuple(Link(name) for name in CILIUM_DEVICES)),
    ],
    ids=["nothing", "nftables mode", "mixed", "no pods", "no rules read", "no tables"],
)
def test_nothing_is_said_where_rules_decide_or_nothing_tells(state: NodeState) -> None:
    assert decided_in_bpf(state) is None
    assert with_bpf_warning(state) is state


def test_a_name_like_a_sign_in_anybodys_chain_is_none() -> None:
    rule = native_node.state().rulesets[0].tables[0].chains["filter-cali-FORWARD"].rules[0]
    signed = replace(rule, text='counter accept comment "Pre-approved by BPF programs."')
    ruleset = native_node.state().rulesets[0]
    table = ruleset.tables[0].with_chain(Chain("mine", (signed,)))
    assert decided_in_bpf(NodeState(rulesets=(replace(ruleset, tables=(table,)),))) is None

"""What the checks must say of each fault of the lab, and nothing else that alarms.

`tests/kernel/test_check_faults.py` proves it against the kernel, `test_lab_findings.py` keeps it whole
and the page docs/checks.md equal to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Found = Mapping[str, tuple[str, ...]]
"""Ids by node."""


@dataclass(frozen=True)
class Told:
    """What is told of both nodes, saved before and after the pings of a fault."""

    alarms: Found = field(default_factory=dict)
    """Errors and warnings."""
    infos: Found = field(default_factory=dict)
    """What is told as info and not of the healthy lab."""
    proof: str = ""
    """Words in the evidence of the first finding that names the fault."""
    why: str = ""
    """Why nothing more is told."""


RPF_SENDER: Found = {"work2": ("pod-flow-lost", "rp-filter-on-cilium", "rp-filter-on-tunnel")}
RPF_RECEIVER: Found = {"work1": ("pod-flow-lost", "rp-filter-on-cilium", "rp-filter-on-tunnel")}
COUNTED1: Found = {"work1": ("rp-filter-counted",)}
COUNTED2: Found = {"work2": ("rp-filter-counted",)}
PEER = ("ipip-peer-unknown", "ipip-sender-unknown", "pod-flow-lost")

TOLD: dict[str, Told] = {
    "rpf-tunl0-1": Told(
        {"work1": ("pod-flow-lost", "rp-filter-on-tunnel")}, COUNTED1, "net.ipv4.conf.tunl0.rp_filter = 1"
    ),
    "rpf-all-1": Told(RPF_RECEIVER, COUNTED1, "net.ipv4.conf.all.rp_filter = 1"),
    "rpf-sender": Told(RPF_SENDER, COUNTED2, "net.ipv4.conf.all.rp_filter = 1"),
    "rpf-both": Told(
        {
            "work1": ("pod-flow-lost", "rp-filter-on-tunnel"),
            "work2": ("pod-flow-lost", "rp-filter-on-tunnel"),
        },
        COUNTED1,
        "net.ipv4.conf.tunl0.rp_filter = 1",
    ),
    "rpf-all-both": Told({**RPF_RECEIVER, **RPF_SENDER}, COUNTED2, "net.ipv4.conf.all.rp_filter = 1"),
    "rpf-tunl0-sender": Told(
        {"work2": ("pod-flow-lost", "rp-filter-on-tunnel")},
        {},
        "net.ipv4.conf.tunl0.rp_filter = 1",
        "this ping passes; those from work1's Cilium pods to work2's Calico pods do not",
    ),
    "rpf-all-2": Told(
        {"work2": ("pod-flow-lost", "rp-filter-on-cilium")}, COUNTED2, "net.ipv4.conf.all.rp_filter = 2"
    ),
    "rpf-tunl0-2-noaddr": Told(
        {"work1": ("pod-flow-lost", "rp-filter-on-tunnel")}, COUNTED1, "net.ipv4.conf.tunl0.rp_filter = 2"
    ),
    "rpf-loosened": Told(
        {"work1": ("pod-flow-lost", "rp-filter-on-cilium")},
        {},
        "net.ipv4.conf.all.rp_filter = 2",
        "this ping passes; those from work1's Cilium pods to work2's Calico pods do not",
    ),
    "identity-mark": Told(
        {"work2": ("unknown-endpoint-counted",)},
        {},
        "Unknown interface",
        "a BPF program writes the mark: without a second moment only `identity-meets-endpoint` warns of it",
    ),
    "profile-denies": Told(why="what a profile denies is wanted; `calitop trace` names the rule"),
    "policy-denies": Told(why="what a policy denies is wanted; `calitop trace` names the rule"),
    "peer-missing": Told({"work1": (*PEER, "foreign-ipip-counted")}, {}, "does not hold 172.16.189.102"),
    "peer-missing-sender": Told(
        {"work2": PEER}, {}, "does not hold 172.16.189.101", "this ping passes; those from work1 do not"
    ),
    "unknown-interface": Told(
        {"work1": ("chain-without-dispatch", "pod-flow-lost", "unknown-interface-counted")},
        {},
        "cali-fw-calicbd8d7879b8",
    ),
    "forward-drop": Told(
        {"work2": ("forward-drop", "forward-policy-counted", "pod-flow-lost")}, {}, "FORWARD policy DROP"
    ),
    "untracked": Told(
        {"work1": ("untracked-one-way",)},
        {"work1": ("pod-invalid-counted",)},
        "-i tunl0 -p icmp -j CT --notrack",
        "it is of ICMP alone: `pod-flow-lost` speaks of TCP",
    ),
    "kube-invalid": Told(
        {"work2": ("invalid-drop-one-way", "forward-drop", "pod-flow-lost")},
        {"work2": ("kube-invalid-counted",)},
        "--ctstate INVALID -j DROP",
        "BPF delivers the request past the rules, so no loss is certain: a warning",
    ),
    "masquerade": Told(
        {},
        {"work1": ("pods-masqueraded",), "work2": ("pods-masqueraded",)},
        "cilium masquerade non-cluster",
        "Cilium does so on purpose",
    ),
    "route-back": Told(
        {}, {"work1": ("leaked-range",)}, "10.222.2.0/24 via 172.16.189.102 dev tunl0", "it works"
    ),
    "blackhole": Told(
        {"work1": ("blackhole-over-pod", "pod-flow-lost", "pod-without-route")},
        {},
        "blackhole 10.222.219.0/24",
    ),
    "blackhole-sender": Told(
        {"work1": ("block-on-two-nodes",), "work2": ("blackhole-over-pod", "pod-flow-lost")},
        {},
        "blackhole 10.222.219.0/24",
    ),
    "no-route": Told({"work2": ("no-route-to-pod", "pod-flow-lost")}, {}, "10.222.219.6/32 on k8s-work1"),
    "mtu": Told({"work2": ("pod-mtu",)}, {}, "tunl0 mtu 1400"),
    "conntrack-full": Told({"work1": ("conntrack-full",)}, {}, "nf_conntrack_count = 262144"),
    "both-backends": Told(
        {},
        {"work1": ("rules-in-other-backend",)},
        "FORWARD in the",
        "another program's rules may be wanted there; the trace names the rule",
    ),
    "rewriting": Told(why="Felix does so on a busy node; counts are taken across the rewriting"),
}

"""Named faults: what each changes in the healthy plans, and what was measured to move then.

A fault is the whole wanted state with something wrong in it, so loading one heals every
other. What it states of five pings is checked in every backend by
tests/kernel/test_lab_faults.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lab import topology
from lab.plan import KubeProxy, Plan, healthy
from lab.topology import WORK1, WORK2, Pod

PINGS = 5
CALICO1 = topology.pod("10.222.219.6")
CALICO2 = topology.pod("10.222.160.6")
CILIUM1 = topology.pod("10.222.1.239")
CILIUM2 = topology.pod("10.222.2.82")


@dataclass(frozen=True)
class Proof:
    """A counter that moves, and by how much for five pings."""

    node: str
    what: str
    """A statistic, a link (`tunl0 rx`), a policy (`filter FORWARD policy DROP`), or table, chain
    and words of a rule (`filter cali-OUTPUT: Allow IPIP`); `other` before a table means the
    other backend's."""
    packets: int = PINGS


@dataclass(frozen=True)
class Fault:
    """One thing gone wrong."""

    name: str
    says: str
    """What is wrong, in the operator's words."""
    moves: str
    """What moves for five pings, as measured."""
    changes: Mapping[str, Mapping[str, Any]]
    """Fields of the plans by node."""
    proofs: tuple[Proof, ...]
    still: tuple[Proof, ...] = ()
    """Counters that would move if the packets got so far; `packets` is not looked at."""
    replies: int = 0
    source: Pod = CILIUM2
    destination: Pod = CALICO1
    needs: KubeProxy | None = None
    """The style of kube-proxy without which it does not show; None: it shows in both."""
    size: int = 56
    """Bytes of data in a ping."""
    whole: bool = False
    """Pings that may not be cut into fragments."""
    of_iptables: bool = False
    """It is made of iptables rules that a node in nftables mode has not."""

    @property
    def in_native(self) -> bool:
        """Whether it shows where Calico and kube-proxy are in nftables mode."""
        return self.needs is None and not self.of_iptables

    @property
    def kube(self) -> KubeProxy:
        """A style of kube-proxy in which it shows."""
        return self.needs or "ipvs"

    def plans(self, kube: KubeProxy | None = None) -> dict[str, Plan]:
        """The wanted state of both nodes."""
        return {
            name: replace(plan, **self.changes.get(name, {}))
            for name, plan in healthy(kube or self.kube).items()
        }


def _rp_filter(*pairs: tuple[str, str], **also: Any) -> dict[str, Any]:
    return {"sysctls": tuple((f"net.ipv4.conf.{scope}.rp_filter", value) for scope, value in pairs), **also}


def _filtered(node: str) -> tuple[Proof, ...]:
    return (Proof(node, "TcpExt.IPReversePathFilter"),)


SENT = Proof("work2", "filter cali-OUTPUT: Allow IPIP packets to other Calico hosts")
RECEIVED = Proof("work1", "filter cali-INPUT: Allow IPIP packets from Calico hosts")
FORWARDED = Proof("work1", "filter FORWARD: cali-FORWARD")
INVALID = "INVALID"

FAULTS = (
    Fault(
        "rpf-tunl0-1",
        "strict reverse-path filtering on tunl0 of the receiver",
        "work1: IPReversePathFilter +5 and the IPIP accept of cali-INPUT +5; raw, mangle and nat "
        "PREROUTING move, FORWARD does not; no rule drops anything",
        {"work1": _rp_filter(("tunl0", "1"))},
        (SENT, RECEIVED, *_filtered("work1")),
        still=(FORWARDED,),
    ),
    Fault(
        "rpf-all-1",
        "strict reverse-path filtering on every device of the receiver",
        "the same as rpf-tunl0-1: the larger of all and device counts",
        {"work1": _rp_filter(("all", "1"))},
        (SENT, RECEIVED, *_filtered("work1")),
        still=(FORWARDED,),
    ),
    Fault(
        "rpf-sender",
        "strict reverse-path filtering on every device of the sender",
        "work2: IPReversePathFilter +5, on the pod's own lxc device, since the pod is routed by "
        "cilium_host; work1: nothing",
        {"work2": _rp_filter(("all", "1"))},
        _filtered("work2"),
        still=(SENT,),
    ),
    Fault(
        "rpf-both",
        "strict reverse-path filtering on tunl0 of both nodes",
        "work1: IPReversePathFilter +5; work2's own setting waits behind it for pings the other way",
        {"work1": _rp_filter(("tunl0", "1")), "work2": _rp_filter(("tunl0", "1"))},
        (SENT, RECEIVED, *_filtered("work1")),
        still=(FORWARDED,),
    ),
    Fault(
        "rpf-all-both",
        "strict reverse-path filtering on every device of both nodes",
        "work2: IPReversePathFilter +5; work1: nothing, its own setting waits behind it",
        {"work1": _rp_filter(("all", "1")), "work2": _rp_filter(("all", "1"))},
        _filtered("work2"),
        still=(SENT, *_filtered("work1")),
    ),
    Fault(
        "rpf-tunl0-sender",
        "strict reverse-path filtering on tunl0 of the sender: looks wrong, and works",
        "all pings pass; work2's IPReversePathFilter stays, since the replies come by cilium_vxlan",
        {"work2": _rp_filter(("tunl0", "1"))},
        (SENT, RECEIVED),
        still=(*_filtered("work2"), Proof("work2", "tunl0 rx")),
        replies=PINGS,
    ),
    Fault(
        "rpf-all-2",
        "loose reverse-path filtering on every device of the sender",
        "work2: IPReversePathFilter +5: on a device without an IPv4 address, as lxc devices are, "
        "loose acts as strict",
        {"work2": _rp_filter(("all", "2"))},
        _filtered("work2"),
        still=(SENT,),
    ),
    Fault(
        "rpf-tunl0-2-noaddr",
        "loose reverse-path filtering on a tunl0 that has lost its address",
        "work1: IPReversePathFilter +5: without an address on the device loose acts as strict",
        {"work1": _rp_filter(("tunl0", "2"), tunnel_address=False)},
        (SENT, RECEIVED, *_filtered("work1")),
        still=(FORWARDED,),
    ),
    Fault(
        "rpf-loosened",
        "strict on tunl0, but loose on all: looks wrong, and works",
        "all pings pass; IPReversePathFilter stays: the larger of the two counts",
        {"work1": _rp_filter(("tunl0", "1"), ("all", "2"))},
        (SENT, RECEIVED),
        still=_filtered("work1"),
        replies=PINGS,
    ),
    Fault(
        "identity-mark",
        "Cilium's identity mark meets Calico's endpoint-mark chains on the sender",
        "work2: the last rule of cali-from-endpoint-mark, Unknown interface, +5; the IPIP accept behind it "
        "stays; tunl0 sends 5, ens160 none; work1: nothing",
        {node.name: {"identity_mark": True} for node in topology.NODES},
        (Proof("work2", "filter cali-from-endpoint-mark: Unknown interface"), Proof("work2", "tunl0 tx")),
        still=(SENT,),
        needs="ipvs",
    ),
    Fault(
        "profile-denies",
        "the namespace's profile accepts nothing any more",
        "work1: Drop if no profiles matched +5 in the pod's cali-tw chain",
        {"work1": {"profile_accepts": False}},
        (RECEIVED, Proof("work1", f"filter cali-tw-{CALICO1.interface}: Drop if no profiles matched")),
    ),
    Fault(
        "policy-denies",
        "a policy on the receiving pod lets in Calico's pods only",
        "work1: Drop if no policies passed packet +5 in the pod's cali-tw chain",
        {"work1": {"policy_on": CALICO1}},
        (RECEIVED, Proof("work1", f"filter cali-tw-{CALICO1.interface}: Drop if no policies passed packet")),
    ),
    Fault(
        "peer-missing",
        "the sender is missing in the receiver's cali40all-hosts-net",
        "work1: Drop IPIP packets from non-Calico hosts +5 in cali-INPUT; tunl0 receives nothing",
        {"work1": {"hosts": (WORK1.address, topology.MASTER_ADDRESS)}},
        (SENT, Proof("work1", "filter cali-INPUT: Drop IPIP packets from non-Calico hosts")),
        still=(RECEIVED, Proof("work1", "tunl0 rx")),
    ),
    Fault(
        "peer-missing-sender",
        "the receiver is missing in the sender's cali40all-hosts-net: looks wrong, and works",
        "all pings pass; the IPIP accept of work2's cali-OUTPUT stays, OUTPUT's policy takes the packets",
        {"work2": {"hosts": (WORK2.address, topology.MASTER_ADDRESS)}},
        (RECEIVED, Proof("work2", "filter OUTPUT policy ACCEPT")),
        still=(SENT,),
        replies=PINGS,
    ),
    Fault(
        "unknown-interface",
        "Felix has not written the receiving pod's interface into its dispatch chains",
        "work1: Unknown interface +5 at the end of cali-to-wl-dispatch",
        {"work1": {"undispatched": CALICO1.interface}},
        (RECEIVED, Proof("work1", "filter cali-to-wl-dispatch: Unknown interface")),
    ),
    Fault(
        "forward-drop",
        "FORWARD's policy is DROP, and Cilium's accepts are gone",
        "work2: FORWARD's policy DROP +5; nothing leaves by tunl0",
        {"work2": {"cilium_forward": False}},
        (Proof("work2", "filter FORWARD policy DROP"),),
        still=(SENT, Proof("work2", "tunl0 tx")),
        of_iptables=True,
    ),
    Fault(
        "untracked",
        "the request is not tracked on arrival, so its reply belongs to no connection",
        "work1: the INVALID drop of the pod's cali-fw chain +5, conntrack invalid +5; the requests "
        "reach the pod",
        {"work1": {"untracked_in": "tunl0"}},
        (
            RECEIVED,
            Proof("work1", f"filter cali-fw-{CALICO1.interface}: {INVALID}"),
            Proof("work1", "conntrack.invalid"),
        ),
    ),
    Fault(
        "kube-invalid",
        "kube-proxy drops INVALID replies that Cilium's accepts no longer save",
        "work2: the INVALID drop of KUBE-FORWARD +5, conntrack invalid +5: the request came past "
        "work2's iptables",
        {"work2": {"cilium_forward": False}},
        (Proof("work2", f"filter KUBE-FORWARD: {INVALID}"), Proof("work2", "conntrack.invalid")),
        source=CALICO1,
        destination=CILIUM2,
        needs="iptables",
    ),
    Fault(
        "masquerade",
        "Cilium masquerades what leaves its range: no fault, another way back",
        "all pings pass; work2: cilium masquerade non-cluster +1, once for the flow; replies come back "
        "by tunl0",
        {node.name: {"masquerade": True} for node in topology.NODES},
        (
            SENT,
            RECEIVED,
            Proof("work2", "nat CILIUM_POST_nat: cilium masquerade", 1),
            Proof("work2", "tunl0 rx"),
        ),
        replies=PINGS,
    ),
    Fault(
        "route-back",
        "the receiver routes the sender's range back by the tunnel: no fault, another way back",
        "all pings pass; work1 sends the replies by tunl0, its cilium_vxlan nothing",
        {"work1": {"routes": (f"{WORK2.pod_range} via {WORK2.address} dev tunl0 proto bird onlink",)}},
        (SENT, RECEIVED, Proof("work1", "tunl0 tx")),
        still=(Proof("work1", "cilium_vxlan tx"),),
        replies=PINGS,
    ),
    Fault(
        "blackhole",
        "the receiving pod's own route is gone, so its block's blackhole takes the packets",
        "work1: PREROUTING and tunl0 rx move, FORWARD does not, and no statistic either",
        {"work1": {"missing_routes": (CALICO1.ip,)}},
        (SENT, RECEIVED, Proof("work1", "tunl0 rx")),
        still=(FORWARDED, *_filtered("work1")),
    ),
    Fault(
        "blackhole-sender",
        "the sender has a blackhole where the receiver's block should be routed",
        "work2: PREROUTING and the pod's link move, and nothing else",
        {"work2": {"routes": (f"blackhole {WORK1.block} proto bird",)}},
        (Proof("work2", f"{CILIUM2.interface} rx"),),
        still=(SENT, *_filtered("work2"), Proof("work2", "IpExt.InNoRoutes")),
    ),
    Fault(
        "no-route",
        "the sender has no route at all to the receiver's block",
        "work2: InNoRoutes +5, and ICMP unreachables to the pod as fast as their limit lets them",
        {"work2": {"missing_routes": (WORK1.block, "default")}},
        (Proof("work2", "IpExt.InNoRoutes"),),
        still=(SENT,),
    ),
    Fault(
        "mtu",
        "tunl0 of the sender is too small for the ping, which may not be cut",
        "work2: FragFails +1 and one ICMP unreachable; the pod knows the size then, and sends no more",
        {"work2": {"tunnel_mtu": 1400}},
        (Proof("work2", "Ip.FragFails", 1), Proof("work2", "Icmp.OutDestUnreachs", 1)),
        source=CALICO2,
        size=1430,
        whole=True,
    ),
    Fault(
        "conntrack-full",
        "the receiver's conntrack table is full of live connections",
        "work1: conntrack drop +5; raw PREROUTING moves, mangle does not: the outer packets are refused",
        {"work1": {"conntrack_full": True}},
        (SENT, Proof("work1", "conntrack.drop"), Proof("work1", "raw PREROUTING policy ACCEPT")),
        still=(RECEIVED, Proof("work1", "mangle PREROUTING: cali-PREROUTING")),
    ),
    Fault(
        "both-backends",
        "an old firewall's rule sits in the other iptables backend",
        "work1: the rule in the other backend drops; in this one FORWARD accepts as if all were well",
        {"work1": {"other_backend": True}},
        (RECEIVED, Proof("work1", "other filter FORWARD: left by an old firewall")),
        of_iptables=True,
    ),
    Fault(
        "rewriting",
        "Felix keeps writing its chains anew, ten a second: no fault, but counters start over",
        "all pings pass; counters of rewritten chains fall to zero in between",
        {"work1": {"rewriting": True}},
        (SENT, RECEIVED),
        replies=PINGS,
        of_iptables=True,
    ),
)
BY_NAME = {fault.name: fault for fault in FAULTS}


def named(names: str | None) -> list[Fault]:
    """The faults of names joined by `+`, as the lab's settings keep them."""
    return [BY_NAME[name] for name in names.split("+")] if names else []

"""What is wanted of one node: the healthy state, and what a fault changes in it. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab import topology
from lab.topology import Node, Pod

KubeProxy = Literal["ipvs", "iptables", "nft"]


@dataclass(frozen=True)
class Plan:
    """The whole wanted state of one node; every default is healthy."""

    node: Node
    kube: KubeProxy = "ipvs"
    sysctls: tuple[tuple[str, str], ...] = ()
    """Written after the healthy ones, as (`net.ipv4.conf.tunl0.rp_filter`, `1`)."""
    hosts: tuple[str, ...] = topology.HOSTS
    """Members of cali40all-hosts-net."""
    tunnel_address: bool = True
    tunnel_mtu: int = 1480
    routes: tuple[str, ...] = ()
    """Routes in place of the healthy ones to the same destination, in `ip route` words."""
    missing_routes: tuple[str, ...] = ()
    """Destinations without a route."""
    profile_accepts: bool = True
    policy_on: Pod | None = None
    """A local Calico pod selected by a policy that lets Calico pods in, and nobody else."""
    undispatched: str | None = None
    """A workload interface missing in Felix's dispatch chains."""
    cilium_forward: bool = True
    """Whether CILIUM_FORWARD holds its accepts."""
    masquerade: bool = False
    """Whether Cilium masquerades what leaves its own range (iptables masquerading)."""
    identity_mark: bool = False
    """Whether BPF writes the identity into the mark of packets it hands to the kernel."""
    untracked_in: str | None = None
    """An interface whose arriving packets are not tracked."""
    conntrack_full: bool = False
    other_backend: bool = False
    """Whether the other iptables backend holds a rule too, which drops forwarded ICMP."""
    rewriting: bool = False
    """Whether Felix keeps rewriting chains."""


def healthy(kube: KubeProxy = "ipvs") -> dict[str, Plan]:
    """The plans of a lab in which every pod reaches every other."""
    return {node.name: Plan(node, kube) for node in topology.NODES}

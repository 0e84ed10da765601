"""The chain of packet sizes: pod <= tunnel <= wire less the tunnel's header."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_link
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found
from calitop.model.network import Link

_OVERHEAD = {"ipip": 20, "vxlan": 50, "wireguard": 60}
"""Bytes that each tunnel adds over IPv4 (Felix, dataplane/linux: MTU of the devices)."""


def _tunnel_too_big(facts: NodeFacts) -> Iterator[Found]:
    under = wire(facts)
    for link, overhead in tunnels(facts):
        if under is not None and under.mtu and link.mtu and link.mtu + overhead > under.mtu:
            title = f"{link.name} with {link.mtu} bytes and {overhead} of header exceeds {under.name}"
            yield Found(f"{title} with {under.mtu}", (of_link(link), of_link(under)))


def _pod_too_big(facts: NodeFacts) -> Iterator[Found]:
    """One finding for each tunnel: a node's pods have one size."""
    for tunnel, _ in tunnels(facts):
        bigger = [
            link
            for link in facts.state.links
            if facts.index.owner_of_link(link) == "calico"
            and facts.index.role_of_link(link) == "workload"
            and link.mtu is not None
            and tunnel.mtu is not None
            and link.mtu > tunnel.mtu
        ]
        if bigger:
            title = f"pods send up to {max(link.mtu or 0 for link in bigger)} bytes, {tunnel.name} takes"
            yield Found(f"{title} {tunnel.mtu}", (of_link(tunnel), *map(of_link, bigger)))


def tunnels(facts: NodeFacts) -> Iterator[tuple[Link, int]]:
    """Calico's tunnels that a route uses, with their overhead in bytes."""
    used = {route.dev for route in facts.unicast}
    for link in facts.state.links:
        overhead = _OVERHEAD.get(facts.index.role_of_link(link) or "")
        if overhead is not None and link.name in used and facts.index.owner_of_link(link) == "calico":
            yield link, overhead


def wire(facts: NodeFacts) -> Link | None:
    """The interface of the IPv4 default route with the smallest metric."""
    defaults = [
        route
        for route in facts.unicast
        if route.family == "ipv4" and route.dst == "default" and route.table == "main" and route.dev
    ]
    best = min(defaults, key=lambda route: route.metric, default=None)
    return None if best is None else facts.world.links.get(best.dev or "")


CHECKS = (
    Check(
        "tunnel-mtu",
        "warning",
        ("links", "routes"),
        "A full packet does not fit the wire once it is wrapped: it is cut into fragments or dropped. Pings "
        "pass, big answers hang.",
        "Lower the tunnel's MTU (FelixConfiguration ipipMTU, vxlanMTU, wireguardMTU), or leave it to Calico.",
        "projectcalico/calico#1709, #7651, #8953",
        _tunnel_too_big,
    ),
    Check(
        "pod-mtu",
        "warning",
        ("links", "routes"),
        "What a pod sends to other nodes does not fit the tunnel. It works only while the ICMP message that "
        "tells so comes back to the pod.",
        "Set the MTU of new pods (calico-config veth_mtu, Installation mtu) to the tunnel's, and make the "
        "pods anew.",
        "projectcalico/calico#1709, #7651, #8953",
        _pod_too_big,
    ),
)

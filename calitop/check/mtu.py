"""The chain of packet sizes: pod <= tunnel <= wire less the tunnel's header."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_link
from calitop.check.facts import NodeFacts, address_of
from calitop.check.records import Check, Found, Unjudged
from calitop.model.network import Link
from calitop.path.routing import lookup

_OVERHEAD = {"ipip": 20, "vxlan": 50, "wireguard": 60}
"""Bytes that each tunnel adds over IPv4 (Felix, dataplane/linux: MTU of the devices)."""


def _tunnel_too_big(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    for link, overhead in tunnels(facts):
        under = wire(facts, link)
        if under is None or not under.mtu or not link.mtu:
            yield Unjudged(
                f"the way that packets of {link.name} leave by, and both sizes (ip route, ip link)"
            )
        elif link.mtu + overhead > under.mtu:
            title = f"{link.name} with {link.mtu} bytes and {overhead} of header exceeds {under.name}"
            yield Found(f"{title} with {under.mtu}", (of_link(link), of_link(under)))


def _pod_too_big(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """One finding for each tunnel: a node's pods have one size."""
    for tunnel, _ in tunnels(facts):
        if not tunnel.mtu:
            yield Unjudged(f"the size of {tunnel.name} (ip link)")
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


def wire(facts: NodeFacts, tunnel: Link | None = None) -> Link | None:
    """The interface by which a tunnel's outer packets leave; None where nothing tells.

    The one that the tunnel is bound to, by its name or its outer source; else the smallest on the
    way to its next hops, which IPIP has for outer destinations; else, and without a tunnel, that of the
    IPv4 default route.
    """
    told = dict(tunnel.info) if tunnel is not None else {}
    source = address_of(told.get("local"))
    bound = (told.get("link"), *facts.world.owners.get(source, ())) if source else (told.get("link"),)
    names = [name for name in bound if name is not None]
    if not names and tunnel is not None and facts.index.role_of_link(tunnel) == "ipip":
        names = _ways(facts, tunnel)
    found = [link for link in map(facts.world.links.get, names) if link is not None and link.name != "lo"]
    return min(found, key=lambda link: link.mtu or 0, default=None) or _by_default(facts)


def _ways(facts: NodeFacts, tunnel: Link) -> list[str]:
    """The interfaces on the way to the next hops by a tunnel."""
    routes = (route for route in facts.index.routes_of_interface(tunnel.name) if route.gateway)
    hops = dict.fromkeys(address_of(route.gateway) for route in routes)
    ways = (lookup(facts.world, hop).way for hop in hops if hop is not None)
    return [way.dev for way in ways if way is not None and way.dev and way.dev != tunnel.name]


def _by_default(facts: NodeFacts) -> Link | None:
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

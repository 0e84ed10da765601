"""What a route does with packets and what an interface is for, each as one plain sentence."""

from __future__ import annotations

from calitop.cni.index import NodeIndex
from calitop.cni.pods import pod_name
from calitop.model.network import Link, Route
from calitop.report.text import printable

_NO_WAY = {
    "blackhole": "packets to it are thrown away without a word; no interface is asked",
    "unreachable": "packets to it are answered with host unreachable; no interface is asked",
    "prohibit": "packets to it are answered with administratively prohibited; no interface is asked",
    "throw": "the search goes on with the next policy rule; no interface is asked",
}
_OWN = {
    "local": "are for this node itself",
    "broadcast": "are broadcasts: for this node and all others on the link",
    "multicast": "are multicasts",
    "anycast": "are for this node itself, as for others with that address",
}
_ROLES = {
    "loopback": "The node's own loopback",
    "ipip": "IPIP tunnel: packets that leave here travel to another node inside an outer IPv4 packet",
    "vxlan": "VXLAN tunnel: packets that leave here travel to another node inside an outer UDP packet",
    "geneve": "Geneve tunnel: packets that leave here travel to another node inside an outer UDP packet",
    "wireguard": "WireGuard tunnel: packets that leave here travel encrypted to another node",
    "health": "Cilium's own health endpoint",
    "cilium host": "Cilium's way between the host and its pods",
    "ipvs": "Holds the addresses of services for IPVS; it carries no packets",
    "bridge": "Bridge: joins the interfaces that have it as their master",
    "container": "Host's end of a container's cable",
    "physical": "The node's interface to the network outside",
}
"""Those that need no word on their own are left out."""


def no_way_words(route: Route) -> str | None:
    """Why a route leads to no interface; None when it leads to one."""
    if route.dev or any(hop.dev for hop in route.nexthops):
        return None
    if route.type in _NO_WAY:
        return f"{route.dst} is {route.type}: {_NO_WAY[route.type]}"
    if route.types:
        kinds = " or ".join(route.types)
        return f"{route.dst} is {kinds}, the source does not tell which: no interface is asked"
    return f"{route.dst} names no interface"


def explain_route(index: NodeIndex, route: Route) -> str:
    """Where the route sends packets, or why nowhere."""
    return printable(no_way_words(route) or f"Packets {_destination(route)} {_way(index, route)}.")


def _destination(route: Route) -> str:
    if route.dst != "default":
        return f"to {route.dst}"
    return f"that no other route of table {route.table} takes"


def _way(index: NodeIndex, route: Route) -> str:
    if route.type in _OWN:
        return _OWN[route.type]
    if route.nexthops:
        ways = (_hop(index, hop.dev, hop.gateway) for hop in route.nexthops)
        return f"leave by one of {len(route.nexthops)} ways, a flow always by the same: {'; '.join(ways)}"
    return f"leave {_hop(index, route.dev, route.gateway)}"


def _hop(index: NodeIndex, dev: str | None, gateway: str | None) -> str:
    name = dev or "an interface that is not told"
    pod = index.pod_of_interface(dev) if dev else None
    if pod is not None:
        return f"by {name}, straight into the pod {pod_name(pod)}"
    link = index.state.link(dev) if dev else None
    role = index.role_of_link(link) if link is not None else None
    tunnel = f" (the {role} tunnel)" if role in ("ipip", "vxlan", "geneve", "wireguard") else ""
    if gateway is None:
        return f"by {name}{tunnel} without a gateway: the destination is on that link"
    return f"by {name}{tunnel} to the next hop {gateway}"


def explain_link(index: NodeIndex, link: Link) -> str:
    """What the interface is for; empty where its role is not known or says it all."""
    role = index.role_of_link(link)
    if role != "workload":
        return f"{_ROLES[role]}." if role in _ROLES else ""
    pod = index.pod_of_interface(link.name)
    who = "a pod that is not known" if pod is None else f"the pod {pod_name(pod)}"
    words = f"Host's end of the cable of {who}: received here is what the pod sends, sent is what enters it."
    return printable(words)

"""Where on the captured nodes a flow begins and ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from calitop.hits.moved import NodeHits
from calitop.model.network import Route
from calitop.model.values import Address

_INSIDE = frozenset(
    ("workload", "health", "loopback", "ipip", "vxlan", "geneve", "wireguard", "gre")
) | frozenset(("cilium host", "ipvs", "bridge", "dummy"))


@dataclass(frozen=True, slots=True)
class End:
    """One end of a flow on the node that hosts it."""

    node: str
    device: str | None
    """Host side of the pod's link, or the device with the node's own address; None when unknown."""
    own: bool = False
    """The address is the node's own, not a pod's."""


def find_end(nodes: Sequence[NodeHits], address: Address) -> End | None:
    """The node that hosts an address, by the best witness that any of the nodes has; None when open."""
    for witness in _WITNESSES:
        found = [end for node in nodes if (end := witness(node, address)) is not None]
        if len(found) == 1:
            return found[0]
        if found:
            return None
    return None


def is_workload(node: NodeHits, device: str) -> bool:
    """Whether a device is the host side of a pod's link."""
    link = node.after.link(device)
    return link is not None and node.index.role_of_link(link) == "workload"


def is_underlay(node: NodeHits, device: str) -> bool:
    """Whether a device may lead to the other nodes themselves: none of pods, tunnels or bridges."""
    link = node.after.link(device)
    return link is not None and node.index.role_of_link(link) not in _INSIDE


def best_route(node: NodeHits, address: Address) -> Route | None:
    """The route of the main table with the longest prefix that holds the address."""
    fitting = [
        (length, -route.metric, -place, route)
        for place, route in enumerate(node.after.routes)
        if route.table == "main" and (length := _holds(route, address)) is not None
    ]
    return max(fitting, key=lambda item: item[:3])[3] if fitting else None


def _holds(route: Route, address: Address) -> int | None:
    if route.dst == "default":
        return 0 if route.family == f"ipv{address.version}" else None
    try:
        network = ip_network(route.dst, strict=False)
    except ValueError:
        return None
    return network.prefixlen if address in network else None


def own_addresses(node: NodeHits) -> dict[Address, str]:
    """The node's own addresses with the first device that has each."""
    found: dict[Address, str] = {}
    for link in node.after.links:
        for text in link.addresses:
            try:
                found.setdefault(ip_address(text.split("/")[0]), link.name)
            except ValueError:
                continue
    return found


def _by_own_address(node: NodeHits, address: Address) -> End | None:
    device = own_addresses(node).get(address)
    return End(node.name, device, own=True) if device is not None else None


def _by_pod(node: NodeHits, address: Address) -> End | None:
    pod = node.index.pod_of_address(str(address))
    return End(node.name, pod.interface) if pod is not None and pod.interface else None


def _by_host_route(node: NodeHits, address: Address) -> End | None:
    route = best_route(node, address)
    if route is None or route.gateway is not None or route.dev is None:
        return None
    return End(node.name, route.dev) if is_workload(node, route.dev) else None


def _by_neighbour(node: NodeHits, address: Address) -> End | None:
    for neighbour in node.after.neighbours:
        device = neighbour.dev
        if neighbour.address.split("/")[0] == str(address) and device and is_workload(node, device):
            return End(node.name, device)
    return None


def _by_node_of_pod(node: NodeHits, address: Address) -> End | None:
    pod = node.index.pod_of_address(str(address))
    if pod is None or all(pod is not local for local in node.index.local_pods):
        return None
    return End(node.name, _only_moved_workload(node, address))


def _by_cilium_range(node: NodeHits, address: Address) -> End | None:
    """The range whose gateway is the node's own cilium_host inside it is this node's.

    Whether or not it is the best route: Cilium's BPF delivers to its pods past the routes.
    """
    own = own_addresses(node)
    for route in node.after.routes:
        if route.gateway is None or route.dst == "default" or _holds(route, address) is None:
            continue
        gateway = ip_address(route.gateway)
        if gateway in own and gateway in ip_network(route.dst, strict=False):
            return End(node.name, _only_moved_workload(node, address))
    return None


def _by_block(node: NodeHits, address: Address) -> End | None:
    """The discarded prefix around an address is the node's own block of addresses."""
    route = best_route(node, address)
    if route is None or (route.type or "blackhole") not in ("blackhole", "unreachable"):
        return None
    return End(node.name, None) if route.dst != "default" else None


def _only_moved_workload(node: NodeHits, address: Address) -> str | None:
    """The one pod link that moved and that no other address is known to be behind."""
    moved = unclaimed_links(node, address)
    return moved[0] if len(moved) == 1 else None


def unclaimed_links(node: NodeHits, address: Address | None = None) -> list[str]:
    """The pods' links that moved and lead to no other address by any route."""
    claimed = {
        route.dev
        for route in node.after.routes
        if route.dev and route.gateway is None and route.dst.split("/")[0] != str(address)
    }
    return [device for device in node.links if is_workload(node, device) and device not in claimed]


_WITNESSES: tuple[Callable[[NodeHits, Address], End | None], ...] = (
    _by_own_address,
    _by_pod,
    _by_host_route,
    _by_neighbour,
    _by_node_of_pod,
    _by_cilium_range,
    _by_block,
)
"""Best first."""

"""The nodes of a trace together: who has an address, where a pod's packets begin, what lies next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from calitop.cni.names import link_owner, link_role
from calitop.errors import UsageError
from calitop.model.values import Address
from calitop.path.bpf_devices import redirects
from calitop.path.devices import some_device
from calitop.path.node import Node
from calitop.path.routing import lookup
from calitop.path.stack import is_pod_link
from calitop.path.tunnels import kind_of, local_of


@dataclass(frozen=True, slots=True)
class Start:
    """Where a packet begins."""

    node: Node
    devices: tuple[str, ...]
    """Devices it can come in by; none where the node itself sends it."""


class Network:
    """The nodes that were given.

    Args:
        nodes: In the operator's order, names unique.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises:
            UsageError: There is none.
        """
        found = next((node for node in self.nodes if node.name == name), None)
        if found is None:
            known = ", ".join(node.name for node in self.nodes)
            raise UsageError(f'no node "{name}" among those given ({known})')
        return found

    def owner(self, address: Address | None) -> Node | None:
        """The node that has an address as its own, on a device that other nodes can reach."""
        if address is None:
            return None
        return next((node for node in self.nodes if address in node.world.owners), None)

    def start(self, src: Address, on: str | None = None, dev: str | None = None) -> Start:
        """Where a packet from an address begins.

        Raises:
            UsageError: No node is known to have the address.
        """
        if on is not None:
            node = self.node(on)
            if dev is not None:
                return Start(node, (dev,))
            return Start(node, ()) if src in node.world.owners else Start(node, self._pod_devices(node, src))
        owner = self.owner(src)
        if owner is not None and dev is None:
            return Start(owner, ())
        for witness in (_by_listing, _by_route, _by_filter, _by_range, _by_name):
            found = [node for node in self.nodes if witness(node, src)]
            if len(found) == 1:
                return Start(found[0], (dev,) if dev else self._pod_devices(found[0], src))
        named = ", ".join(node.name for node in self.nodes)
        raise UsageError(
            f"none of the nodes given ({named}) is known to have {src}: say --on NODE --in INTERFACE"
        )

    def _pod_devices(self, node: Node, src: Address) -> tuple[str, ...]:
        """The devices by which a pod's packets can come in."""
        for witness in (_by_listing, _by_route, _by_filter):
            found = witness(node, src)
            if found:
                return (found,)
        claimed = {route.dev for route in node.state.routes if route.gateway is None and route.dev}
        free = [name for name in node.world.links if is_pod_link(node, name) and name not in claimed]
        beginning = _beginning(node, src) if not free else None
        if not free and beginning is None:
            raise UsageError(
                f"by which interface {src} sends on {node.name} is not known: say --in INTERFACE"
            )
        return (some_device(beginning),) if beginning is not None else tuple(free)

    def listed_on(self, address: Address | None) -> str | None:
        """The node that a listing of pods puts an address on, given or not."""
        pods = (pod for node in self.nodes for pod in node.state.pods if pod.ip and pod.node)
        return next((pod.node for pod in pods if ip_address((pod.ip or "").split("/")[0]) == address), None)

    def next_node(self, hop: Address | None, sender: Node) -> tuple[Node, str] | None:
        """The node that takes what is sent to an address on the wire, and the device it comes in by."""
        for node in self.nodes:
            devices = node.world.owners.get(hop, ()) if hop is not None else ()
            if node is not sender and devices:
                return node, devices[0]
        return None

    def outer_end(self, node: Node, dev: str, hop: Address | None) -> Address | None:
        """The address to which a tunnel sends what is for a next hop, by the nodes that are given.

        IPIP takes the next hop itself. Others ask their own tables; the nodes that were given tell
        who has the next hop, and that node's device of the same kind tells its outer address.
        """
        kind = kind_of(node, dev)
        if kind in ("ipip", "gre"):
            return hop
        there = self.owner(hop)
        if there is None:
            return None
        links = there.world.links
        alike = [
            name for name in dict.fromkeys((dev, *links)) if name in links and kind_of(there, name) == kind
        ]
        own = (local_of(links[name]) for name in alike)
        return next((one for one in own if one is not None), None) or next(_underlay_addresses(there), None)


def _underlay_addresses(node: Node) -> Iterator[Address]:
    for name in node.world.links:
        if link_role(name, node.world.links[name].kind) in ("physical", "bond", "vlan", "veth"):
            yield from node.world.addresses(name) or ()
            own = node.world.addresses(name, "ipv6") or ()
            yield from (one for one in own if not one.is_link_local)


# -- where a pod is


def _by_listing(node: Node, src: Address) -> str | None:
    """The interface that a pod's listing or a neighbour entry names."""
    for pod in node.state.pods:
        if pod.interface and pod.ip and ip_address(pod.ip.split("/")[0]) == src:
            return pod.interface if pod.interface in node.world.links else None
    for neighbour in node.state.neighbours:
        if neighbour.dev and neighbour.address.split("/")[0] == str(src) and is_pod_link(node, neighbour.dev):
            return neighbour.dev
    return None


def _by_route(node: Node, src: Address) -> str | None:
    """The pod's link that the address is routed to, as far as the tables were read."""
    for way in lookup(node.world, src).ways:
        if way.type == "unicast" and not way.gateway and way.dev and is_pod_link(node, way.dev):
            return way.dev
    return None


def _by_filter(node: Node, src: Address) -> str | None:
    """The pod's link to which a traffic filter sends what is for the address."""
    for value, mask, dev in redirects(node):
        if src.version == 4 and int(src) & mask == value and is_pod_link(node, dev):
            return dev
    return None


def _by_range(node: Node, src: Address) -> str | None:
    """Cilium's range of this node: its gateway is the node's own address inside it."""
    for route in node.state.routes:
        if route.gateway is None or route.dst == "default":
            continue
        gateway, network = ip_address(route.gateway), ip_network(route.dst, strict=False)
        is_own = gateway in node.world.owners or not node.world.addresses_known
        if is_own and gateway in network and src in network:
            return route.dev
    return None


def _by_name(node: Node, src: Address) -> str | None:
    """The node that the listing of pods names, whose interfaces were not captured."""
    for pod in node.state.pods:
        if pod.ip and ip_address(pod.ip.split("/")[0]) == src and pod.node == node.name:
            return pod.node
    return None


_BEGINNINGS = {"cilium": "lxc", "calico": "cali"}


def _beginning(node: Node, src: Address) -> str | None:
    """How the name of a pod's device begins, by whose device the pod's address is routed to."""
    owners = {link_owner(way.dev) for way in lookup(node.world, src).ways if way.dev}
    return next((start for owner, start in _BEGINNINGS.items() if owner in owners), None)

"""The packets that belong to a flow at one node: requests, replies, and the tunnels around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import product

from calitop.hits.ends import End, best_route, is_underlay, is_workload, own_addresses
from calitop.hits.flow import Flow
from calitop.hits.moved import LegName, NodeHits, Way
from calitop.model.values import Address
from calitop.path.packet import ICMP, ICMPV6, IPIP, NO_DEVICE, TCP, UDP, Packet
from calitop.path.routing import lookup
from calitop.path.world import World

TUNNEL_PORTS = (4789, 8472, 8473, 6081)
"""VXLAN as Calico and as Cilium use it, Cilium beside another VXLAN, Geneve."""
_ICMP_REQUEST = {4: (ICMP, 8), 6: (ICMPV6, 128)}
_ICMP_ERRORS = {4: (ICMP, (3, 11)), 6: (ICMPV6, (1, 2, 3, 4))}


@dataclass(frozen=True, slots=True)
class Passing:
    """A packet with the hook at which it passes, and where it is going."""

    way: Way
    packet: Packet


def packets_of(nodes: Sequence[NodeHits], node: NodeHits, flow: Flow) -> list[Passing]:
    """Every kind of packet of the flow that can pass a node, at each hook."""
    world = World(node.after)
    inner = [*_requests(flow), *_rewritten(nodes, flow)]
    found = [
        passing
        for packet in inner
        for leg, way, ends in _both_legs(packet, flow)
        for passing in _inner(node, world, way, *ends, leg)
    ]
    found += [passing for leg, packet in _outer(nodes, node, flow) for passing in _at_host(node, packet, leg)]
    found += _errors(node, world, flow)
    return list(dict.fromkeys(found))


def _both_legs(packet: Packet, flow: Flow) -> Iterator[tuple[LegName, Packet, tuple[End | None, End | None]]]:
    yield "request", packet, (flow.source, flow.target)
    yield "reply", packet.reply(), (flow.target, flow.source)


def _requests(flow: Flow) -> Iterator[Packet]:
    ping, kind = _ICMP_REQUEST[flow.src.version]
    base = Packet(family=flow.family, src=flow.src, dst=flow.dst)
    yield replace(base, protocol=ping, icmp_type=kind, icmp_code=0)
    yield replace(base, protocol=TCP)
    yield replace(base, protocol=UDP)


def _rewritten(nodes: Sequence[NodeHits], flow: Flow) -> Iterator[Packet]:
    """The requests where a rule of nat moved that changes an address: to what is not known."""
    targets = {each.rule.target for node in nodes for each in node.moved if each.rule is not None}
    if targets & {"MASQUERADE", "SNAT", "NETMAP"}:
        yield from (replace(packet, src=None) for packet in _requests(flow))
    if targets & {"DNAT", "REDIRECT", "NETMAP"}:
        yield from (replace(packet, dst=None) for packet in _requests(flow))


def _errors(node: NodeHits, world: World, flow: Flow) -> Iterator[Passing]:
    """What a node on the way tells the sender when it refuses its packets."""
    protocol, kinds = _ICMP_ERRORS[flow.src.version]
    told = [Packet(family=flow.family, dst=flow.src, protocol=protocol, icmp_type=kind) for kind in kinds]
    reset = Packet(family=flow.family, src=flow.dst, dst=flow.src, protocol=TCP)
    for packet in (*told, reset):
        yield from _sent(packet, _ways_out(world, packet, None), "error")
    for packet in told:
        yield from _inner(node, world, packet, None, flow.source, "error")


# -- inside -----------------------------------------------------------------------------


def _inner(
    node: NodeHits, world: World, packet: Packet, source: End | None, target: End | None, leg: LegName
) -> Iterator[Passing]:
    """One direction of the flow itself, on its way from `source` to `target`."""
    starts = source is not None and source.node == node.name
    ends = target is not None and target.node == node.name
    if starts and source is not None and source.own:
        devices = [target.device] if ends and target else _ways_out(world, packet, None)
        yield from _sent(packet, devices, leg)
        return
    ways_in = [source.device] if starts and source is not None else _foreign(node)
    for device in ways_in:
        arrived = replace(packet, iif=device, oif=NO_DEVICE)
        yield Passing(Way("PREROUTING", leg), arrived)
        if ends and target is not None and target.own:
            yield Passing(Way("INPUT", leg), arrived)
            continue
        mine = [target.device] if ends and target is not None else []
        # A pod of Cilium may be reached by its own device or, by BPF, behind cilium_host.
        for oif in dict.fromkeys((*mine, *_ways_out(world, packet, device))):
            yield Passing(Way("FORWARD", leg), replace(packet, iif=device, oif=oif))
            yield Passing(Way("POSTROUTING", leg), replace(packet, iif=NO_DEVICE, oif=oif))


def _sent(
    packet: Packet, devices: Sequence[str | None], leg: LegName | None, outer: bool = False
) -> Iterator[Passing]:
    for hook, device in product(("OUTPUT", "POSTROUTING"), devices):
        yield Passing(Way(hook, leg, outer), replace(packet, iif=NO_DEVICE, oif=device))


def _ways_out(world: World, packet: Packet, device: str | None) -> list[str | None]:
    """The devices by which the packet can leave; none where the kernel refuses it in routing."""
    ways = lookup(world, packet.dst, packet.src, iif=device).ways
    return list(dict.fromkeys(way.dev for way in ways if way.error is None))


def _foreign(node: NodeHits) -> list[str | None]:
    """Devices by which packets from other nodes can come in: all that received, but no pod's.

    A device that is not known where the links were not counted.
    """
    found: list[str | None] = [
        device
        for device, delta in node.links.items()
        if delta.rx_packets != 0 and device != "lo" and not is_workload(node, device)
    ]
    counted = any(link.counters.rx_packets is not None for link in node.after.links)
    return found if counted else [None]


# -- outside ----------------------------------------------------------------------------


def _outer(nodes: Sequence[NodeHits], node: NodeHits, flow: Flow) -> Iterator[tuple[LegName | None, Packet]]:
    """Tunnel packets between this node and the one at the other end, both ways."""
    mine = _underlay(node)
    others = {
        address
        for other in nodes
        if other is not node and _hosts(other, flow)
        for address in _underlay(other)
    } or _gateways(node, flow)
    for one, other in product(sorted(mine, key=int), sorted(others, key=int)):
        if one.version != other.version:
            continue
        away, back = _legs_of(node, flow)
        yield from ((away, packet) for packet in _tunnelled(one, other))
        yield from ((back, packet) for packet in _tunnelled(other, one))


def _legs_of(node: NodeHits, flow: Flow) -> tuple[LegName | None, LegName | None]:
    """What the tunnel carries away from a node, and to it."""
    starts, ends = (end is not None and end.node == node.name for end in (flow.source, flow.target))
    if starts == ends:
        return None, None
    return ("request", "reply") if starts else ("reply", "request")


def _tunnelled(src: Address, dst: Address) -> Iterator[Packet]:
    base = Packet(family="ipv4" if src.version == 4 else "ipv6", src=src, dst=dst)
    if src.version == 4:
        yield replace(base, protocol=IPIP)
    yield from (replace(base, protocol=UDP, dport=port) for port in TUNNEL_PORTS)


def _hosts(node: NodeHits, flow: Flow) -> bool:
    return any(end is not None and end.node == node.name for end in (flow.source, flow.target))


def _underlay(node: NodeHits) -> set[Address]:
    """The node's addresses in the network between the nodes."""
    found = own_addresses(node)
    return {address for address, device in found.items() if is_underlay(node, device)}


def _gateways(node: NodeHits, flow: Flow) -> set[Address]:
    """The next nodes by this node's routes, where the other node is not given."""
    routes = [best_route(node, address) for address in (flow.src, flow.dst)]
    gateways = {ip_address(route.gateway) for route in routes if route is not None and route.gateway}
    return gateways - set(own_addresses(node))


def _at_host(node: NodeHits, packet: Packet, leg: LegName | None) -> Iterator[Passing]:
    devices: list[str | None] = [device for device in node.links if is_underlay(node, device)]
    if packet.src in own_addresses(node):
        yield from _sent(packet, devices or [None], leg, outer=True)
        return
    for device in devices or [None]:
        arrived = replace(packet, iif=device, oif=NO_DEVICE)
        yield Passing(Way("PREROUTING", leg, outer=True), arrived)
        yield Passing(Way("INPUT", leg, outer=True), arrived)

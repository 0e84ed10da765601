"""Predict the path of a packet across nodes, and of its answer back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from calitop.errors import CalitopError
from calitop.model.place import Where
from calitop.model.values import Address
from calitop.path.beyond import ends_beyond
from calitop.path.bits import NO_MARK, Bits
from calitop.path.flight import Condition, End, Flight
from calitop.path.network import Network, Start
from calitop.path.node import Node
from calitop.path.outcome import path_of, place_of
from calitop.path.packet import ICMP, ICMPV6, TCP, UDP, Packet
from calitop.path.stack import Leaving, Stack, is_pod_link
from calitop.path.steps import Path, Step
from calitop.path.tunnels import carries, decapsulated, encapsulated, kind_of, local_of, remote_of

Protocol = Literal["icmp", "tcp", "udp"]

_MOST_HOPS = 16
"""Nodes and tunnels that are followed; a packet that still goes on runs in a circle."""
_LENGTHS = {"icmp": 84, "tcp": 60, "udp": 60}
"""Bytes of a ping, of a SYN, of a short datagram."""
_LONGER = 20
"""Bytes by which a packet is longer in IPv6."""
_FAMILY_NAMES = {"ipv4": "IPv4", "ipv6": "IPv6"}
_SYN, _SYN_ACK = Bits(0x02), Bits(0x12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The packet that is asked for."""

    src: Address
    dst: Address
    protocol: Protocol = "icmp"
    sport: int | None = None
    dport: int | None = None
    mark: Bits = NO_MARK
    length: int | None = None
    """Bytes with its IP header; None for a usual one of its protocol."""
    on: str | None = None
    """Node on which it starts; None to find it."""
    dev: str | None = None
    """Interface by which it comes in; None to find it."""
    reply: bool = False


@dataclass(frozen=True, slots=True)
class Traced:
    """What is predicted."""

    forward: Path
    reply: Path | None = None
    """None where it was not asked for, or where no way delivers the packet or may do so (BPF)."""
    asymmetry: str | None = None
    """In words, where the answer takes another way (`out by tunl0, back by cilium_host`)."""


def trace(network: Network, request: Request, *, decided: bool = False) -> Traced:
    """The path of a packet across the nodes, and of its answer.

    Args:
        network: The nodes.
        request: The packet.
        decided: Whether only a decided path matters: of an undecided one not all branches are followed then,
            nor its answer.

    Raises:
        CalitopError: Where the packet starts cannot be known, or a node does not exist.
    """
    start = network.start(request.src, request.on, request.dev)
    ends = _Trace(network, decided).follow(start, Flight(_packet(request)))
    forward = path_of(ends)
    arrived = _arrived(ends)
    is_moot = decided and forward.verdict == "undecided"
    if not request.reply or arrived is None or is_moot:
        return Traced(forward)
    answer = _answer(network, request, arrived)
    if answer is None:
        return Traced(forward)
    back = path_of(_Trace(network, decided).follow(*answer))
    return Traced(forward, back, _asymmetry(arrived, back))


def _arrived(ends: Sequence[End]) -> End | None:
    """The way that an answer answers: one that is delivered, else one on which BPF may deliver it."""
    delivered = next((end for end in ends if end.verdict == "delivered"), None)
    by_bpf = (
        end for end in ends if end.where is not None and end.where.kind == "bpf" and not end.flight.inside
    )
    return delivered or min(by_bpf, key=lambda end: len(end.flight.conditions), default=None)


def _packet(request: Request) -> Packet:
    is_v4 = request.dst.version == 4
    numbers = {"icmp": ICMP if is_v4 else ICMPV6, "tcp": TCP, "udp": UDP}
    is_icmp = request.protocol == "icmp"
    return Packet(
        family="ipv4" if is_v4 else "ipv6",
        src=request.src,
        dst=request.dst,
        protocol=numbers[request.protocol],
        sport=request.sport,
        dport=request.dport,
        icmp_type=(8 if is_v4 else 128) if is_icmp else None,
        icmp_code=0 if is_icmp else None,
        tcp_flags=_SYN if request.protocol == "tcp" else Bits(0, 0),
        mark=request.mark,
        connmark=NO_MARK,
        length=request.length or _LENGTHS[request.protocol] + (0 if is_v4 else _LONGER),
        ttl=64,
        tos=0,
        dont_fragment=True,
    )


def _answer(network: Network, request: Request, end: End) -> tuple[Start, Flight] | None:
    """Where the answer starts, and the answer: ends turned round, what conntrack saw kept.

    None where it is not known on which node BPF delivers the packet.
    """
    arrived, where = end.flight.packet, end.where
    flags = _SYN_ACK if request.protocol == "tcp" else Bits(0, 0)
    packet = replace(
        arrived.reply(),
        mark=NO_MARK,
        connmark=NO_MARK,
        tcp_flags=flags,
        length=arrived.length,
        ttl=64,
        tos=0,
        dont_fragment=request.protocol != "icmp",
    )
    seen = end.flight
    flight = Flight(packet, connections=seen.connections, set_changes=seen.set_changes)
    if end.verdict == "delivered":
        device = where.device if where is not None and where.kind == "link" else None
        node = network.node(end.flight.steps()[-1].node)
        return Start(node, (device,) if device else ()), flight
    return _answer_behind_bpf(network, flight, where)


def _answer_behind_bpf(network: Network, flight: Flight, where: Where | None) -> tuple[Start, Flight] | None:
    """The answer to a packet that BPF has taken, on the assumption that it is delivered."""
    src = flight.packet.src
    if src is None or where is None:
        return None
    try:
        start = network.start(src)
    except CalitopError:
        return None
    told = f"BPF at {where.device} of {where.node} delivers the packet"
    return start, replace(flight, assumed=(told,))


def _asymmetry(arrived: End, back: Path) -> str | None:
    """The devices by which both ways go from node to node, where they differ."""
    last = arrived.where.device if arrived.verdict == "delivered" and arrived.where is not None else None
    forth = [dev for dev in _devices_out(arrived.flight.steps()) if dev != last]
    home = _devices_out(back.steps)
    if not forth or not home or forth[0] in home:
        return None
    return f"out by {forth[0]}, back by {home[0]}"


def _devices_out(steps: tuple[Step, ...]) -> list[str]:
    return [
        step.action.split()[1] for step in steps if step.kind == "route" and step.action.startswith("by ")
    ]


class _Trace:
    """One direction."""

    def __init__(self, network: Network, decided: bool) -> None:
        self._network = network
        self._decided = decided
        self._ends: list[End] = []

    def follow(self, start: Start, flight: Flight) -> list[End]:
        """Every end that the packet can meet."""
        if not start.devices:
            self._sent(start.node, replace(flight, packet=replace(flight.packet, has_socket=True)), 0)
        for at, dev in enumerate(start.devices):
            words = f"{flight.packet.src} sends by {dev}"
            asked = Condition(("start", start.node.name), at, len(start.devices), words, "--in INTERFACE")
            self._arrived(start.node, flight if len(start.devices) == 1 else flight.assuming(asked), dev, 0)
        return self._ends

    def _sent(self, node: Node, flight: Flight, hops: int) -> None:
        stack = Stack(node)
        stack.send([flight])
        self._onward(node, stack, hops)

    def _arrived(self, node: Node, flight: Flight, dev: str, hops: int) -> None:
        stack = Stack(node)
        stack.receive([flight], dev)
        self._onward(node, stack, hops)

    def _onward(self, node: Node, stack: Stack, hops: int) -> None:
        self._ends += stack.ended
        for flight in stack.local:
            if not self._is_enough():
                self._local(node, flight, hops)
        for leaving in stack.leaving:
            if self._is_enough():
                return
            where = Where(node=node.name, kind="link", device=leaving.dev)
            if hops >= _MOST_HOPS:
                because = f"after {hops} nodes and tunnels it still goes on: a routing loop"
                self._ends.append(End(leaving.flight, "dropped", where, because))
            elif _is_down(node, leaving.dev):
                because = f"{leaving.dev} of {node.name} is down"
                self._ends.append(End(leaving.flight, "dropped", where, because))
            elif kind_of(node, leaving.dev) is not None:
                self._tunnel(node, leaving, where, hops + 1)
            else:
                self._leaves(node, leaving, where, hops + 1)

    def _is_enough(self) -> bool:
        """Whether two places were met already, where no more than that matters."""
        return self._decided and len({place_of(end) for end in self._ends}) > 1

    # -- tunnels

    def _tunnel(self, node: Node, leaving: Leaving, where: Where, hops: int) -> None:
        family = leaving.flight.packet.family
        if not carries(node, leaving.dev, family):
            because = f"{leaving.dev} of {node.name} carries no {_FAMILY_NAMES[family]} packets"
            self._ends.append(End(leaving.flight, "dropped", where, because))
            return
        link = node.world.links.get(leaving.dev)
        hop = leaving.gateway or leaving.flight.packet.dst
        remote = remote_of(link) or self._network.outer_end(node, leaving.dev, hop)
        if remote is None:
            because = f"to which node {leaving.dev} of {node.name} sends it is not in the files"
            missing = (f"bridge fdb show dev {leaving.dev} on {node.name}", "a snapshot of the other node")
            self._ends.append(End(leaving.flight, "undecided", where, because, missing))
            return
        self._sent(node, encapsulated(node, leaving.flight, leaving.dev, remote, local_of(link)), hops)

    def _local(self, node: Node, flight: Flight, hops: int) -> None:
        """For the node itself: unwrapped where it is a tunnel's packet."""
        if not flight.inside:
            step = _deliver(node, flight, f"to a socket of {node.name}")
            because = f"delivered to {node.name} itself"
            self._ends.append(End(flight.took(step), "delivered", None, because))
            return
        found = decapsulated(node, flight)
        if found is None:
            where = Where(node=node.name, kind="kernel", name="no_tunnel")
            because = f"{node.name} has no device that unwraps it"
            self._ends.append(End(flight, "dropped", where, because))
            return
        self._arrived(node, found[0], found[1], hops)

    # -- the wire

    def _leaves(self, node: Node, leaving: Leaving, where: Where, hops: int) -> None:
        hop = leaving.gateway or leaving.flight.packet.dst
        found = self._network.next_node(hop, node)
        if found is None and is_pod_link(node, leaving.dev):
            step = _deliver(node, leaving.flight, f"to {leaving.dev}")
            because = f"delivered to {leaving.flight.packet.dst} by {leaving.dev} of {node.name}"
            self._ends.append(End(_if_taken(leaving.flight).took(step), "delivered", where, because))
            return
        if self._is_failed(node, leaving, hop):
            lost = Where(node=node.name, kind="kernel", name="neighbour", device=leaving.dev)
            because = f"{node.name} does not get {hop} answered on {leaving.dev} (neighbour FAILED)"
            self._ends.append(End(leaving.flight, "dropped", lost, because))
            return
        if found is None:
            there = self._network.listed_on(_innermost(leaving.flight).dst) or str(hop)
            self._ends += ends_beyond(node, leaving.flight, leaving.dev, hop, there)
            return
        packet = replace(leaving.flight.packet, mark=NO_MARK)
        self._arrived(found[0], leaving.flight.carrying(packet), found[1], hops)

    def _is_failed(self, node: Node, leaving: Leaving, hop: Address | None) -> bool:
        return any(
            one.dev == leaving.dev and one.address.split("/")[0] == str(hop) and "FAILED" in one.state
            for one in node.state.neighbours
        )


def _is_down(node: Node, dev: str) -> bool:
    link = node.world.links.get(dev)
    return link is not None and link.up is False


def _if_taken(flight: Flight) -> Flight:
    """The way with what a pod must allow to take its own packet back that nothing has masqueraded."""
    packet = flight.packet
    if packet.family == "ipv6" or packet.src is None or packet.src != packet.dst:
        return flight
    told = (
        f"the pod takes a packet from its own address {packet.src}; without accept_local its kernel drops it"
    )
    return replace(flight, assumed=(*flight.assumed, told))


def _innermost(flight: Flight) -> Packet:
    """The packet that was asked for, tunnels taken away."""
    return flight.inside[0] if flight.inside else flight.packet


def _deliver(node: Node, flight: Flight, words: str) -> Step:
    return Step(node=node.name, kind="deliver", action=words, text=words, packet=flight.packet)

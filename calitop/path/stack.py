"""A packet's way through one node's network stack: hooks, conntrack, routing, in the kernel's order.

raw, conntrack, mangle, nat at PREROUTING; then routing with the reverse-path check; then INPUT or
FORWARD; then POSTROUTING. What the node sends itself is routed first and again when a rule of mangle
or nat changed what routing looks at.

Source: ip_rcv_finish and ip_forward in net/ipv4, ip_route_me_harder in net/ipv4/netfilter.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from calitop.cni.names import link_role
from calitop.model.place import Where
from calitop.model.values import Address
from calitop.path import hook_walk
from calitop.path.base_chains import CONNTRACK
from calitop.path.bpf_devices import Direction, meet
from calitop.path.flight import Condition, End, Flight
from calitop.path.node import Node
from calitop.path.packet import ESTABLISHED, NO_DEVICE, Packet
from calitop.path.policy import LOOPBACK, UNKNOWN_WAY, Way
from calitop.path.route_ends import end_of_way, route_step
from calitop.path.routing import RouteAnswer, lookup, lookup_packet
from calitop.path.tracking import confirmed, forgotten, tracked, unseen

_NAT_DST, _NAT_SRC = -100, 100
"""Priorities at which destinations and sources are rewritten (NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC)."""
_MANGLE_DONE = -149
_IPVS_DEVICE = "kube-ipvs0"


@dataclass(frozen=True, slots=True)
class Leaving:
    """A way on which the packet leaves a node by a device."""

    flight: Flight
    dev: str
    gateway: Address | None


@dataclass(slots=True)
class Stack:
    """One packet's passage through one node.

    Attributes:
        leaving: Ways on which it leaves by a device.
        local: Ways on which it is for the node itself.
        ended: Ways that end here.
    """

    node: Node
    leaving: list[Leaving] = field(default_factory=list)
    local: list[Flight] = field(default_factory=list)
    ended: list[End] = field(default_factory=list)

    # -- in

    def receive(self, flights: Sequence[Flight], dev: str) -> None:
        """Packets that come in by a device."""
        arrived = [self._arrived(flight, dev) for flight in flights]
        self._routed(self._prerouting(self._at_device(arrived, dev, "ingress")))

    def _arrived(self, flight: Flight, dev: str) -> Flight:
        return flight.carrying(replace(forgotten(flight.packet), iif=dev, oif=NO_DEVICE, has_socket=False))

    def _at_device(self, flights: Sequence[Flight], dev: str, direction: Direction) -> list[Flight]:
        on: list[Flight] = []
        for flight in flights:
            met = meet(self.node, flight, dev, direction)
            on += met.on
            self.ended += met.ended
        return on

    def _prerouting(self, flights: Sequence[Flight]) -> list[Flight]:
        before = [flight.carrying(unseen(flight.packet)) for flight in flights]
        seen = self._tracked(self._walk("PREROUTING", before, below=CONNTRACK))
        mangled = self._walk("PREROUTING", seen, above=CONNTRACK, below=_NAT_DST)
        return self._walk("PREROUTING", [_answered_to(one) for one in mangled], above=_NAT_DST)

    def _tracked(self, flights: Sequence[Flight]) -> list[Flight]:
        on: list[Flight] = []
        for flight in flights:
            ways, ended = tracked(self.node, flight)
            on += ways
            self.ended += ended
        return on

    def _walk(self, hook: str, flights: Sequence[Flight], **bounds: int) -> list[Flight]:
        found = hook_walk.walk(self.node, hook, flights, **bounds)
        self.ended += found.ended
        return found.accepted

    # -- routing

    def _routed(self, flights: Sequence[Flight]) -> None:
        for flight in flights:
            answer = lookup_packet(self.node.world, flight.packet)
            for way, one in self._ways(flight, answer):
                if way.error is not None or way.type == UNKNOWN_WAY:
                    self.ended.append(end_of_way(self.node, one, way, answer))
                elif way.dev == LOOPBACK:
                    self._input(one.took(route_step(self.node, one, way)))
                else:
                    self._forward(one.took(route_step(self.node, one, way)), way)

    def _ways(self, flight: Flight, answer: RouteAnswer) -> Iterator[tuple[Way, Flight]]:
        """Each way that routing leaves open, with what it depends on."""
        told = replace(flight, assumed=tuple(dict.fromkeys((*flight.assumed, *answer.assumed))))
        packet = flight.packet
        asked = ("route", self.node.name, packet.ends, packet.iif, packet.mark)
        for at, way in enumerate(answer.ways):
            if len(answer.ways) == 1:
                yield way, told
                continue
            words = " and ".join(way.depends) or f"the way is {way.type} {way.dev or ''}".rstrip()
            missing = next(iter((*way.missing, *answer.missing)), None)
            named = None if missing is None else f"{missing} on {self.node.name}"
            yield way, told.assuming(Condition(asked, at, len(answer.ways), words, named))

    def _input(self, flight: Flight) -> None:
        for one in self._walk("INPUT", [flight]):
            if self._is_ipvs(one.packet):
                self.ended.append(self._ipvs(one))
            else:
                self.local.append(confirmed(self.node, one))

    def _is_ipvs(self, packet: Packet) -> bool:
        return packet.dst is not None and _IPVS_DEVICE in self.node.world.owners.get(packet.dst, ())

    def _ipvs(self, flight: Flight) -> End:
        where = Where(node=self.node.name, kind="kernel", name="ipvs")
        because = (
            f"{flight.packet.dst} is a service address of IPVS on {self.node.name}, which chooses an endpoint"
        )
        return End(flight, "undecided", where, because, (f"ipvsadm -Ln on {self.node.name}",))

    # -- through

    def _forward(self, flight: Flight, way: Way) -> None:
        packet = flight.packet
        dev = way.dev or ""
        if packet.ttl is not None and packet.ttl <= 1:
            self._stopped(flight, "ttl", None, "its TTL ends here")
            return
        fitting = self._fitting(flight, way)
        if fitting is None:
            return
        ttl = None if packet.ttl is None else packet.ttl - 1
        changed = fitting.carrying(replace(packet, ttl=ttl, oif=dev))
        self._out(self._walk("FORWARD", [changed]), way)

    def _fitting(self, flight: Flight, way: Way) -> Flight | None:
        """The way through a device that is large enough, or that may cut the packet into fragments."""
        link = self.node.world.links.get(way.dev or "")
        limit = way.route.mtu if way.route is not None and way.route.mtu else link.mtu if link else None
        packet = flight.packet
        if limit is None or packet.length is None or packet.length <= limit:
            return flight
        told = f"it has {packet.length} bytes, {way.dev} takes {limit}"
        if packet.dont_fragment is False and packet.family == "ipv4":
            cut = f"{self.node.name} cuts it into fragments: {told}"
            return replace(flight, assumed=(*flight.assumed, cut))
        may_not, may = f"{told}; it may not be cut (DF)", "the packet may be cut (no DF)"
        if packet.dont_fragment is None and packet.family == "ipv4":
            asked = ("fragment", self.node.name, way.dev, packet.ends)
            self._stopped(flight.assuming(Condition(asked, 1, 2, "its DF is set")), "mtu", way.dev, may_not)
            return flight.assuming(Condition(asked, 0, 2, may))
        self._stopped(flight, "mtu", way.dev, f"{may_not}, and answers `fragmentation needed`")
        return None

    def _stopped(self, flight: Flight, name: str, dev: str | None, words: str) -> None:
        where = Where(node=self.node.name, kind="kernel", name=name, device=dev)
        self.ended.append(End(flight, "dropped", where, f"{self.node.name} drops it: {words}"))

    def _out(self, flights: Sequence[Flight], way: Way) -> None:
        """Through POSTROUTING and out by the device."""
        dev = way.dev or ""
        mangled = self._walk("POSTROUTING", flights, below=_NAT_SRC)
        sent = self._walk("POSTROUTING", [_answered_from(one) for one in mangled], above=_NAT_SRC)
        done = [confirmed(self.node, flight) for flight in sent]
        if dev == LOOPBACK:
            self._routed_in_again(done)
            return
        gateway = ip_address(way.gateway) if way.gateway else None
        self.leaving += [Leaving(flight, dev, gateway) for flight in self._at_device(done, dev, "egress")]

    def _routed_in_again(self, flights: Sequence[Flight]) -> None:
        """What the node sends to itself comes in by lo, its connection already known."""
        back = [flight.carrying(replace(flight.packet, iif=LOOPBACK, oif=NO_DEVICE)) for flight in flights]
        self._routed(self._walk("PREROUTING", back))

    # -- sent here

    def send(self, flights: Sequence[Flight]) -> None:
        """Packets that this node itself sends, a tunnel's own among them."""
        for flight in flights:
            fresh = flight.carrying(replace(forgotten(flight.packet), iif=NO_DEVICE, oif=NO_DEVICE))
            self._route_out(fresh, self._output)

    def _route_out(self, flight: Flight, then: Callable[[Flight, Way], None]) -> None:
        packet = flight.packet
        answer = lookup(
            self.node.world,
            packet.dst,
            packet.src if packet.has_socket is not None else None,
            mark=packet.mark,
            src_known=packet.src is not None,
            tos=packet.tos,
            protocol=packet.protocol,
            sport=packet.sport,
            dport=packet.dport,
        )
        for way, one in self._ways(flight, answer):
            if way.error is not None or way.type == UNKNOWN_WAY:
                self.ended.append(end_of_way(self.node, one, way, answer))
                continue
            src = one.packet.src or (ip_address(way.src) if way.src else None)
            chosen = one.carrying(replace(one.packet, oif=way.dev, src=src))
            then(chosen.took(route_step(self.node, one, way)), way)

    def _output(self, flight: Flight, way: Way) -> None:
        fitting = self._fitting(flight, way)
        if fitting is None:
            return
        before = [fitting.carrying(unseen(flight.packet))]
        seen = self._tracked(self._walk("OUTPUT", before, below=CONNTRACK))
        for one in self._walk("OUTPUT", seen, above=CONNTRACK, below=_MANGLE_DONE):
            self._rerouted(one, way, flight.packet, self._output_nat)

    def _output_nat(self, flight: Flight, way: Way) -> None:
        for one in self._walk("OUTPUT", [flight], above=_MANGLE_DONE, below=_NAT_DST + 1):
            self._rerouted(one, way, flight.packet, self._output_filter)

    def _output_filter(self, flight: Flight, way: Way) -> None:
        self._out(self._walk("OUTPUT", [flight], above=_NAT_DST + 1), way)

    def _rerouted(self, flight: Flight, way: Way, old: Packet, then: Callable[[Flight, Way], None]) -> None:
        """On by the way it had, or by a new one where what routing looks at has changed."""
        new = flight.packet
        if (new.mark, new.dst, new.src, new.tos) == (old.mark, old.dst, old.src, old.tos):
            then(flight, way)
        else:
            self._route_out(flight, then)


def _answered_to(flight: Flight) -> Flight:
    """An answer's destination is the one that the request came from."""
    packet = flight.packet
    if packet.ct_state != {ESTABLISHED} or packet.direction != "reply" or not packet.snat:
        return flight
    return flight.carrying(replace(packet, dst=packet.original.src, dport=packet.original.sport))


def _answered_from(flight: Flight) -> Flight:
    """An answer's source is the one that the request was sent to."""
    packet = flight.packet
    if packet.ct_state != {ESTABLISHED} or packet.direction != "reply" or not packet.dnat:
        return flight
    return flight.carrying(replace(packet, src=packet.original.dst, sport=packet.original.dport))


def is_pod_link(node: Node, dev: str) -> bool:
    """Whether a device leads to a pod or container of this node; a veth with an address is the node's own."""
    link = node.world.links.get(dev)
    role = link_role(dev, link.kind if link else None)
    is_bare = role == "veth" and link is not None and not link.addresses
    return is_bare or role in ("workload", "container", "health")

"""A packet's way through one node's network stack: hooks, conntrack, routing, in the kernel's order.

raw, conntrack, mangle, nat at PREROUTING; then routing with the reverse-path check; then INPUT or
FORWARD; then POSTROUTING. What the node sends itself is routed first and again when a rule of mangle
or nat changed what routing looks at.

Source: ip_rcv_finish and ip_forward in net/ipv4, ip_route_me_harder in net/ipv4/netfilter.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from calitop.path.own_address import own_address
from calitop.path.packet import ESTABLISHED, NO_DEVICE, Packet
from calitop.path.policy import LOOPBACK, UNKNOWN_WAY, Way
from calitop.path.route_ends import end_of_way, route_step
from calitop.path.routing import RouteAnswer, lookup, lookup_packet
from calitop.path.tracking import confirmed, forgotten, known, tracked, unseen

_NAT_DST, _NAT_SRC = -100, 100
"""Priorities at which destinations and sources are rewritten (NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC)."""
_MANGLE_DONE = -149
_HERE = ("local", "anycast")
"""Types of a way that ends on the node itself, whatever its device."""
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
                elif way.dev == LOOPBACK or way.type in _HERE:
                    self._input(one.took(route_step(self.node, one, way)))
                else:
                    for allowed in self._allowed(one, way):
                        self._forward(allowed.took(route_step(self.node, allowed, way)), way)

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
        mangled = self._walk("INPUT", [flight], below=_NAT_SRC)
        for one in self._walk("INPUT", [_answered_from(each) for each in mangled], above=_NAT_SRC):
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

    def _allowed(self, flight: Flight, way: Way) -> Iterator[Flight]:
        """The way where the node forwards packets of its family; IPv4 asks the device, as part of routing.

        Source: ip6_forward in net/ipv6/ip6_output.c.
        """
        if flight.packet.family == "ipv4":
            yield flight
            return
        name = self.node.world.setting_name("all", "forwarding", "ipv6")
        is_forced = self.node.world.setting(flight.packet.iif or "", "force_forwarding", "ipv6")
        on = 1 if is_forced else self.node.world.sysctl(name)
        asked = ("forwarding", self.node.name)
        is_off, is_on = (
            flight
            if on is not None
            else flight.assuming(Condition(asked, at, 2, words, f"{name} on {self.node.name}"))
            for at, words in enumerate((f"{name} is 0", f"{name} is 1"))
        )
        if not on:
            self._stopped(is_off, "no_forwarding", None, f"{name} is 0")
        if on != 0:
            yield is_on

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
        chosen = [flight.carrying(replace(flight.packet, oif=dev)) for flight in flights]
        mangled = self._walk("POSTROUTING", chosen, below=_NAT_SRC)
        sent = self._walk("POSTROUTING", [_answered_from(one) for one in mangled], above=_NAT_SRC)
        done = [confirmed(self.node, flight) for flight in sent]
        if dev == LOOPBACK:
            self._routed_in_again(done)
            return
        gateway = ip_address(way.gateway) if way.gateway else None
        self.leaving += [Leaving(flight, dev, gateway) for flight in self._at_device(done, dev, "egress")]

    def _routed_in_again(self, flights: Sequence[Flight]) -> None:
        """What the node sends to itself comes in by lo, its connection and its way already known."""
        back = [
            flight.carrying(replace(known(flight.packet), iif=LOOPBACK, oif=NO_DEVICE)) for flight in flights
        ]
        for flight in self._walk("PREROUTING", back):
            self._input(flight)

    # -- sent here

    def send(self, flights: Sequence[Flight]) -> None:
        """Packets that this node itself sends, a tunnel's own among them."""
        for flight in flights:
            fresh = flight.carrying(replace(forgotten(flight.packet), iif=NO_DEVICE, oif=NO_DEVICE))
            self._route_out(fresh)

    def _route_out(self, flight: Flight) -> None:
        packet = flight.packet
        answer = lookup(
            self.node.world,
            packet.dst,
            packet.src if packet.has_socket is not None else None,
            mark=packet.mark,
            tos=packet.tos,
            protocol=packet.protocol,
            sport=packet.sport,
            dport=packet.dport,
        )
        for way, one in self._sendable(flight, answer):
            src = one.packet.src or self._source(way, packet)
            self._output(one.carrying(replace(one.packet, oif=way.dev, src=src)), way)

    def _sendable(self, flight: Flight, answer: RouteAnswer) -> Iterator[tuple[Way, Flight]]:
        """The ways on which what is sent here goes on, each with its step."""
        for way, one in self._ways(flight, answer):
            if way.error is not None or way.type == UNKNOWN_WAY:
                self.ended.append(end_of_way(self.node, one, way, answer))
            else:
                yield way, one.took(route_step(self.node, one, way))

    def _source(self, way: Way, packet: Packet) -> Address | None:
        """The source that the kernel chooses for a packet that has none."""
        if way.src is not None:
            return ip_address(way.src)
        hop = ip_address(way.gateway) if way.gateway else None
        return own_address(self.node.world, way.dev or "", packet.family, hop)

    def _output(self, flight: Flight, way: Way) -> None:
        fitting = self._fitting(flight, way)
        if fitting is None:
            return
        before = [fitting.carrying(unseen(flight.packet))]
        for one in self._tracked(self._walk("OUTPUT", before, below=CONNTRACK)):
            for mangled in self._walk("OUTPUT", [one], above=CONNTRACK, below=_MANGLE_DONE):
                is_changed = _looked_at(mangled.packet) != _looked_at(one.packet)
                for again, by in self._again(mangled, way, is_changed):
                    self._output_nat(again, by)

    def _output_nat(self, flight: Flight, way: Way) -> None:
        for asked in self._walk("OUTPUT", [flight], above=_MANGLE_DONE, below=_NAT_DST + 1):
            one = _answered_to(asked)
            for again, by in self._again(one, way, one.packet.dst != flight.packet.dst):
                self._out(self._walk("OUTPUT", [again], above=_NAT_DST + 1), by)

    def _again(self, flight: Flight, way: Way, is_changed: bool) -> Iterator[tuple[Flight, Way]]:
        """By the way it had, or by a new one where mangle or nat changed what routing looks at.

        Its device in OUTPUT stays the first one; ports are not asked, and any source may be.
        """
        if not is_changed:
            yield flight, way
            return
        packet = flight.packet
        answer = lookup(
            self.node.world,
            packet.dst,
            packet.src,
            mark=packet.mark,
            src_known=packet.src is not None,
            any_source=True,
            tos=packet.tos,
        )
        for by, one in self._sendable(flight, answer):
            yield one, by


def _looked_at(packet: Packet) -> tuple[object, ...]:
    """What mangle in OUTPUT may change so that the packet is routed anew."""
    return packet.mark, packet.src, packet.dst, packet.tos


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

"""Where the kernel sends a packet: the same answer as `ip route get`, or what it depends on.

`lookup` asks for a destination as a sender does, or with `iif` as for a packet that came in; then
the reverse-path check, martian addresses and forwarding are part of the answer.

Source: ip_route_output_key_hash_rcu and ip_route_input_slow in net/ipv4/route.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from calitop.model.network import IpFamily
from calitop.model.values import Address
from calitop.path import rp_filter
from calitop.path.address_types import is_local
from calitop.path.bits import NO_MARK, Bits
from calitop.path.packet import NO_DEVICE, Packet
from calitop.path.policy import LOOPBACK, NO_ROUTE, UNKNOWN_WAY, Query, Way, distinct, fib_ways
from calitop.path.world import World

MARTIAN_SOURCE, MARTIAN_DESTINATION = "martian_source", "martian_destination"
RP_FILTER, FORWARDING_OFF, BAD_SOURCE = "rp_filter", "forwarding_off", "bad_source"

STATISTICS = {
    RP_FILTER: "TcpExt.IPReversePathFilter",
    NO_ROUTE: "IpExt.InNoRoutes",
    FORWARDING_OFF: "Ip.InAddrErrors",
}
"""The kernel's counter that moves when a packet that came in ends so; others move none of their own."""


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """Where a packet goes, or what that depends on."""

    ways: tuple[Way, ...]
    """Each way that is possible; one alone is certain."""
    assumed: tuple[str, ...] = ()
    """What was taken for given because no file tells it, in words."""

    @property
    def way(self) -> Way | None:
        """The way, where it is certain."""
        only = self.ways[0] if len(self.ways) == 1 else None
        return None if only is None or only.type == UNKNOWN_WAY else only

    @property
    def missing(self) -> tuple[str, ...]:
        """Commands and settings that would decide."""
        return tuple(dict.fromkeys(name for way in self.ways for name in way.missing))

    @property
    def depends(self) -> tuple[str, ...]:
        """The conditions that tell the ways apart, in words."""
        return tuple(dict.fromkeys(words for way in self.ways for words in way.depends))


def lookup(
    world: World,
    dst: Address | None,
    src: Address | None = None,
    *,
    iif: str | None = None,
    oif: str = NO_DEVICE,
    mark: Bits = NO_MARK,
    src_known: bool = True,
    any_source: bool = False,
    tos: int | None = 0,
    protocol: int | None = None,
    sport: int | None = None,
    dport: int | None = None,
) -> RouteAnswer:
    """The way to a destination, as `ip route get DST from SRC iif IIF oif OIF mark MARK` answers.

    Args:
        world: The node.
        dst: The destination; None where it is not known.
        src: The source; None where the sender has not chosen one.
        iif: The device the packet came in by; None for what this node sends itself.
        oif: The device that the sender is bound to.
        mark: The packet mark, unknown bits included.
        src_known: False where the packet has a source that is not known.
        any_source: Whether this node may send with a source that is not its own.
        tos: The packet's tos, for rules and routes that look at it.
        protocol: Layer 4 protocol, for rules that look at it; so are the ports.
        sport: Source port.
        dport: Destination port.
    """
    if dst is None:
        return RouteAnswer((Way(UNKNOWN_WAY, depends=("the destination is not known",)),))
    query = Query(
        family="ipv4" if dst.version == 4 else "ipv6",
        dst=dst,
        src=src,
        src_known=src_known,
        iif=iif or LOOPBACK,
        oif=oif,
        mark=mark,
        tos=tos,
        protocol=protocol,
        sport=sport,
        dport=dport,
    )
    ways = _Input(world, query).ways() if iif is not None else _Output(world, query, any_source).ways()
    return RouteAnswer(tuple(distinct(ways)), assumptions(world, query.family))


def lookup_packet(world: World, packet: Packet) -> RouteAnswer:
    """The way of a packet: by its input device where it has one, else as sent by this node.

    A packet whose input device is not known has no known way.
    """
    if packet.iif is None:
        return RouteAnswer((Way(UNKNOWN_WAY, depends=("the input device is not known",)),))
    return lookup(
        world,
        packet.dst,
        packet.src,
        iif=packet.iif or None,
        mark=packet.mark,
        src_known=packet.src is not None,
        tos=packet.tos,
        protocol=packet.protocol,
        sport=packet.sport,
        dport=packet.dport,
    )


def assumptions(world: World, family: IpFamily) -> tuple[str, ...]:
    """What a lookup takes for given on this node because no file tells it."""
    found = []
    if not world.rules_read(family):
        found.append("the policy rules are the kernel's own (ip rule was not read)")
    if world.fibs[family] and not world.all_tables_read(family) and world.addresses_known:
        found.append("table local follows from the addresses (ip route show table all was not read)")
    return tuple(found)


class _Output:
    """A lookup for what this node sends itself."""

    def __init__(self, world: World, query: Query, any_source: bool) -> None:
        self._world = world
        self._query = query
        self._any_source = any_source

    def ways(self) -> Iterator[Way]:
        """Each way that is possible."""
        query = self._query
        if query.family == "ipv4" and query.src is not None and not self._any_source:
            own = query.src in self._world.owners or is_local(self._world, query.src)
            if own is not True:
                why = () if own is False else (f"{query.src} is not an address of this node",)
                yield Way(BAD_SOURCE, error="ENETUNREACH", depends=why)
            if own is False:
                return
        if query.family == "ipv4" and int(query.dst) == 0:
            yield Way("local", LOOPBACK)
            return
        for way in fib_ways(self._world, query):
            yield self._finished(way)

    def _finished(self, way: Way) -> Way:
        query = self._query
        if way.error is not None and query.oif and query.family == "ipv4":
            # The kernel takes a destination without a route for a neighbour on the device asked for.
            return replace(way, type="unicast", dev=query.oif, error=None, gateway=None, src=None)
        if way.type == "local":
            return replace(way, dev=LOOPBACK)
        if way.error is None and self._keeps_loopback_in(way):
            return Way(BAD_SOURCE, error="EINVAL")
        if way.type == "unicast" and query.family == "ipv4":
            kind = "broadcast" if int(query.dst) == _ALL_ONES else "multicast"
            return replace(way, type=kind) if kind == "broadcast" or query.dst.is_multicast else way
        return way

    def _keeps_loopback_in(self, way: Way) -> bool:
        """Whether the device does not let out a source of the loopback (__mkroute_output)."""
        query = self._query
        is_own = query.family == "ipv4" and query.src is not None and query.src.is_loopback
        if not is_own or way.dev is None or self._world.is_loopback(way.dev):
            return False
        return self._world.either(way.dev, "route_localnet") is False


class _Input:
    """A lookup for a packet that came in."""

    def __init__(self, world: World, query: Query) -> None:
        self._world = world
        self._query = query
        self._dev = query.iif or ""

    def ways(self) -> Iterator[Way]:
        """Each way that is possible."""
        martian = self._martian() if self._query.family == "ipv4" else None
        if martian is not None:
            yield martian
            return
        if self._query.family == "ipv4" and self._is_for_all():
            broadcast = Way("broadcast", LOOPBACK)
            src = self._query.src
            yield from [broadcast] if src is not None and _is_zeronet(src) else self._checked(broadcast)
            return
        for way in fib_ways(self._world, self._query):
            yield from self._accepted(way)

    def _is_for_all(self) -> bool:
        """Whether it is for everybody on the wire: 255.255.255.255, or both addresses zero."""
        src, dst = self._query.src, int(self._query.dst)
        return dst == _ALL_ONES or (dst == 0 and src is not None and int(src) == 0)

    def _martian(self) -> Way | None:
        """The refusal of addresses that may not come in by a wire."""
        src, dst = self._query.src, self._query.dst
        if src is not None and (src.is_multicast or int(src) == _ALL_ONES):
            return Way(MARTIAN_SOURCE, error="EINVAL")
        if self._is_for_all():
            return None
        if src is not None and _is_zeronet(src):
            return Way(MARTIAN_SOURCE, error="EINVAL")
        if _is_zeronet(dst):
            return Way(MARTIAN_DESTINATION, error="EINVAL")
        looped = dst if dst.is_loopback else src if src is not None and src.is_loopback else None
        if looped is None or self._world.is_loopback(self._dev):
            return None
        allowed = self._world.either(self._dev, "route_localnet")
        kind = MARTIAN_DESTINATION if looped is dst else MARTIAN_SOURCE
        return None if allowed else Way(kind, error="EINVAL")

    def _accepted(self, way: Way) -> Iterator[Way]:
        if way.type == UNKNOWN_WAY:
            yield way
        elif way.type in ("local", "broadcast") or self._query.family == "ipv6":
            yield from self._checked(way)
        else:
            forwarding = self._world.setting(self._dev, "forwarding", self._query.family)
            if forwarding != 1:
                name = self._world.setting_name(self._dev, "forwarding", self._query.family)
                why = () if forwarding == 0 else (f"{name} is 0",)
                missing = () if forwarding == 0 else (name,)
                yield Way(FORWARDING_OFF, error="EHOSTUNREACH", depends=why, missing=missing)
            if forwarding != 0:
                yield from self._checked(way)

    def _checked(self, way: Way) -> Iterator[Way]:
        """The way behind the reverse-path check; a refused destination is not checked."""
        if way.error is not None or self._query.family == "ipv6":
            yield way
            return
        if way.type not in ("unicast", "local", "broadcast"):
            yield Way(MARTIAN_DESTINATION, error="EINVAL", depends=way.depends)
            return
        answer = rp_filter.check(
            self._world, self._packet(way), self._dev, way.dev if way.type == "unicast" else LOOPBACK
        )
        asked = f"the reverse-path check on {self._dev}"
        if answer.passes is not True:
            kind = answer.refusal or RP_FILTER
            refuses = (f"{asked} refuses {self._query.src} ({answer.because})",)
            why = (*way.depends, *(refuses if answer.passes is None else ()))
            error = "EINVAL" if kind == MARTIAN_SOURCE else "EXDEV"
            yield Way(kind, error=error, depends=why, missing=answer.missing, because=answer.because)
        if answer.passes is not False:
            passed = replace(way, dev=LOOPBACK) if way.type != "unicast" else way
            accepts = (f"{asked} accepts {self._query.src}",) if answer.passes is None else ()
            yield replace(passed, depends=(*way.depends, *accepts), missing=(*way.missing, *answer.missing))

    def _packet(self, way: Way) -> Packet:
        """The packet as the check sees it: what is for all on the wire is answered from no address."""
        query = self._query
        return Packet(
            family=query.family,
            src=query.src,
            dst=_NOBODY if way.type == "broadcast" else query.dst,
            protocol=query.protocol,
            sport=query.sport,
            dport=query.dport,
            mark=query.mark,
            tos=query.tos,
            iif=self._dev,
        )


_ALL_ONES = 0xFFFFFFFF
_NOBODY = IPv4Address(0)


def _is_zeronet(address: Address) -> bool:
    return address.version == 4 and int(address) >> 24 == 0

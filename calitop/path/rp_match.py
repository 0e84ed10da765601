"""The match `-m rpfilter` (and nft's `fib saddr . iif oif`): a rule's own reverse-path test.

It ignores the sysctl rp_filter, and looks at the packet as it came in, before the kernel's own check.

Source: net/ipv4/netfilter/ipt_rpfilter.c, net/ipv6/netfilter/ip6t_rpfilter.c.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from calitop.model import matches, values
from calitop.path.bits import NO_MARK
from calitop.path.devices import is_named
from calitop.path.packet import NO_DEVICE, Packet
from calitop.path.policy import UNKNOWN_WAY, Query, Way, fib_ways
from calitop.path.three import Truth, agreed, negation
from calitop.path.world import World

_LOCAL_MULTICAST = ip_network("224.0.0.0/24")


def rpfilter(match: matches.RpFilter, packet: Packet, world: World) -> Truth:
    """Whether the source is reached by the packet's input device."""
    found = _passes(match, packet, world)
    return negation(found) if match.negated else found


def _passes(match: matches.RpFilter, packet: Packet, world: World) -> Truth:
    if packet.iif is None or packet.src is None or packet.iif == NO_DEVICE:
        return None
    if world.is_loopback(packet.iif):
        return True
    if packet.family == "ipv4" and int(packet.src) >> 24 == 0:
        if packet.dst is None:
            return None
        if packet.dst.is_multicast:
            return packet.dst in _LOCAL_MULTICAST
    query = Query(
        family=packet.family,
        dst=packet.src,
        src=_answering(packet),
        src_known=packet.dst is not None,
        mark=packet.mark if match.validmark else NO_MARK,
        tos=packet.tos,
    )
    if packet.family == "ipv6":
        query = replace(query, oif="" if match.loose else packet.iif)
    return agreed(_accepts(match, way, packet.iif) for way in fib_ways(world, query))


def _answering(packet: Packet) -> values.Address | None:
    """The source of an answer: the packet's destination where that is one host's."""
    return None if packet.dst is None or packet.dst.is_multicast else packet.dst


def _accepts(match: matches.RpFilter, way: Way, dev: str) -> Truth:
    if way.type == UNKNOWN_WAY:
        return None
    if way.type != "unicast" and not (way.type == "local" and match.accept_local):
        return False
    devices = {way.dev} if way.route is None or not way.route.nexthops else set(_hops(way))
    return match.loose or is_named(dev, tuple(values.NamePattern(name) for name in devices if name))


def _hops(way: Way) -> list[str | None]:
    return [hop.dev for hop in way.route.nexthops] if way.route is not None else []

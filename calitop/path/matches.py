"""Whether a rule's conditions hold for a packet: yes, no, or unknown.

`holds` evaluates one match, negation included; a match without an entry in the table here
(limit, statistic, recent, bpf …) is unknown. `rule_holds` evaluates a whole rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar, cast

from calitop.model import matches
from calitop.model.matches import Match
from calitop.model.rules import TableKey
from calitop.model.spec import RuleSpec
from calitop.model.values import in_any
from calitop.path import ct_matches, nft_elements, rp_match
from calitop.path.address_types import address_type
from calitop.path.devices import is_named
from calitop.path.packet import ICMP, ICMPV6, NO_DEVICE, TCP, UDP, WITH_PORTS, Packet
from calitop.path.three import Truth, every, negation, some
from calitop.path.world import World

M = TypeVar("M", bound=Match)
Evaluate = Callable[[M, Packet, World], Truth]

_VERSIONS = {"ipv4": 4, "ipv6": 6}


def holds(match: Match, packet: Packet, world: World) -> Truth:
    """Whether one condition holds for a packet at this place of its way; None where that is not known."""
    evaluate = _EXACT.get(type(match))
    if evaluate is not None:
        return evaluate(match, packet, world)
    positive = _POSITIVE.get(type(match))
    if positive is None:
        return None
    found = positive(match, packet, world)
    return negation(found) if match.negated else found


def rule_holds(rule: RuleSpec, packet: Packet, world: World) -> Truth:
    """Whether a rule takes the packet: False if any condition fails, else None if any is unknown."""
    return every(truth for _, truth in conditions(rule, packet, world))


def conditions(
    rule: RuleSpec, packet: Packet, world: World, table: TableKey | None = None
) -> Iterator[tuple[Match, Truth]]:
    """Each condition of a rule in order, with whether it holds.

    Args:
        rule: What the rule says.
        packet: The packet at this place of its way.
        world: The node.
        table: The rule's table, in which nft's own sets are looked up; None leaves them open.
    """
    is_iptables = bool(rule.head)
    for match, beside_state in zip(rule.matches, _beside_state(rule), strict=True):
        if isinstance(match, matches.InSet) and not is_iptables:
            truth = _in_nft_set(match, packet, world, table)
        else:
            truth = holds(match, packet, world)
        if beside_state and truth is False and not packet.is_tracked:
            # Without a connection the state alone decides (conntrack_mt in xt_conntrack.c).
            truth = True if packet.is_tracked is False else None
        yield match, truth


def _beside_state(rule: RuleSpec) -> Iterator[bool]:
    """Of each condition, whether the same `-m conntrack` of an iptables rule asks for the state too."""
    modules: list[list[Match]] = []
    for match in rule.matches:
        if not modules or match.words[:1] == ("-m",):
            modules.append([])
        modules[-1].append(match)
    for module in modules:
        asks_state = bool(rule.head) and any(isinstance(one, matches.CtState) for one in module)
        yield from (asks_state and isinstance(match, _BESIDE_STATE) for match in module)


def _in_nft_set(match: matches.InSet, packet: Packet, world: World, table: TableKey | None) -> Truth:
    if nft_elements.other_family(match, packet):
        return False
    found = nft_elements.in_set(match, table, packet, world, rule_holds) if table is not None else None
    return negation(found) if match.negated else found


_BESIDE_STATE = (
    matches.CtStatus,
    matches.CtDirection,
    matches.CtProtocol,
    matches.CtAddress,
    matches.CtPorts,
)


# -- addresses, devices, marks


def _ip_address(match: matches.IpAddress, packet: Packet, world: World) -> Truth:
    """Addresses of the other family never fit, negated or not; `meta nfproto != ipv4` is the whole of one."""
    version = _VERSIONS[packet.family]
    if all(network.version != version for network in match.networks):
        return match.negated and any(network.prefixlen == 0 for network in match.networks)
    own = packet.src if match.side == "src" else packet.dst
    if any(network.prefixlen == 0 for network in match.networks if network.version == version):
        return not match.negated
    if own is None:
        return None
    inside = any(own in network for network in match.networks if network.version == version)
    return inside != match.negated


def _address_range(match: matches.AddressRange, packet: Packet, world: World) -> Truth:
    own = packet.src if match.side == "src" else packet.dst
    if match.first.version != _VERSIONS[packet.family]:
        return False
    return None if own is None else int(match.first) <= int(own) <= int(match.last)


def _interface(match: matches.Interface, packet: Packet, world: World) -> Truth:
    return is_named(packet.iif if match.way == "in" else packet.oif, match.names)


def _physdev(match: matches.Physdev, packet: Packet, world: World) -> Truth:
    """A bridge port: a packet that did not come in by a bridge has none."""
    if packet.iif is None:
        return None
    if packet.iif == NO_DEVICE or world.is_kind(packet.iif, "bridge") is False:
        return False
    return None


def _mark(match: matches.Mark, packet: Packet, world: World) -> Truth:
    if match.of == "connection":
        return ct_matches.mark(match, packet)
    found = packet.mark.test(match.value, match.mask)
    return negation(found) if match.negated else found


def _mac(match: matches.Mac, packet: Packet, world: World) -> Truth:
    """What this node sends, also to itself, comes in no frame; then the match fails, negated or not."""
    if packet.iif == NO_DEVICE or (packet.iif is not None and world.is_loopback(packet.iif) is True):
        return False
    if packet.mac_source is None:
        return None
    found = (packet.mac_source == match.address) != match.negated
    return None if found and packet.iif is None else found


# -- the packet's headers


def _protocol(match: matches.Protocol, packet: Packet, world: World) -> Truth:
    if 0 in match.numbers:
        return True
    return None if packet.protocol is None else packet.protocol in match.numbers


def _fragment(match: matches.Fragment, packet: Packet, world: World) -> Truth:
    return packet.fragment


def _ports(match: matches.Ports, packet: Packet, world: World) -> Truth:
    """Ports are in the first fragment only; the match fails for the others, negated or not."""
    if packet.fragment or (packet.protocol is not None and packet.protocol not in WITH_PORTS):
        return False
    sides = {"src": (packet.sport,), "dst": (packet.dport,), None: (packet.sport, packet.dport)}[match.side]
    found = some(None if port is None else in_any(port, match.ranges) for port in sides)
    return every((negation(packet.fragment), negation(found) if match.negated else found))


def _tcp_flags(match: matches.TcpFlags, packet: Packet, world: World) -> Truth:
    if packet.fragment or (packet.protocol is not None and packet.protocol != TCP):
        return False
    found = packet.tcp_flags.test(match.flags, match.mask)
    return every((negation(packet.fragment), negation(found) if match.negated else found))


def _icmp(match: matches.Icmp, packet: Packet, world: World) -> Truth:
    wanted = ICMP if match.version == 4 else ICMPV6
    if packet.fragment or (packet.protocol is not None and packet.protocol != wanted):
        return False
    kind = True if match.type is None else _equal(packet.icmp_type, match.type)
    code = packet.icmp_code
    codes = True if match.codes is None else None if code is None else code in match.codes
    found = every((kind, codes))
    return every((negation(packet.fragment), negation(found) if match.negated else found))


def _equal(own: int | None, wanted: int) -> Truth:
    return None if own is None else own == wanted


def _length(match: matches.Length, packet: Packet, world: World) -> Truth:
    return None if packet.length is None else packet.length in match.bytes


def _ttl(match: matches.Ttl, packet: Packet, world: World) -> Truth:
    return None if packet.ttl is None else packet.ttl in match.values


def _dscp(match: matches.Dscp, packet: Packet, world: World) -> Truth:
    return None if packet.tos is None else packet.tos >> 2 == match.value


def _tos(match: matches.Tos, packet: Packet, world: World) -> Truth:
    return None if packet.tos is None else packet.tos & match.mask == match.value


# -- what asks the node


def _in_set(match: matches.InSet, packet: Packet, world: World) -> Truth:
    """Membership; a set that is missing or whose members were not read leaves it open."""
    members = world.members(match.name)
    found = members.match(packet, match.directions) if members is not None and match.directions else None
    if found is None:
        return None
    truth: Truth = (found == ("nomatch" if match.return_nomatch else "in")) != match.negated
    return None if truth and match.options else truth


def _addr_type(match: matches.AddrType, packet: Packet, world: World) -> Truth:
    """Kinds of the packet's addresses; with a limit only those of its device count."""
    dev = packet.iif if match.limit == "in" else packet.oif
    if match.limit is not None and dev is None:
        return None
    limit = dev if match.limit is not None else None
    asked = ((match.src, match.src_negated, packet.src), (match.dst, match.dst_negated, packet.dst))
    return every(
        _of_types(address_type(world, own, limit) if own is not None else None, types, negated, packet)
        for types, negated, own in asked
        if types is not None
    )


def _of_types(found: str | None, types: frozenset[str], negated: bool, packet: Packet) -> Truth:
    if packet.family == "ipv6" and types - {"LOCAL", "MULTICAST"}:
        return None
    return None if found is None else (found in types) != negated


def _owner(match: matches.Owner, packet: Packet, world: World) -> Truth:
    """The sending socket's owner; what this node only forwards has none."""
    if packet.has_socket is False:
        return False
    if match.of == "socket":
        return packet.has_socket
    own = packet.uid if match.of == "uid" else packet.gid
    if own is None or match.ids is None:
        return None
    return every((packet.has_socket, own in match.ids))


def _socket(match: matches.Socket, packet: Packet, world: World) -> Truth:
    """A socket that takes the packet; only TCP, UDP and errors about them are looked up at all."""
    if packet.protocol in (TCP, UDP, None):
        return None
    is_error = packet.protocol == ICMP and packet.icmp_type in (None, *_ICMP_ERRORS)
    return None if is_error or packet.protocol == ICMPV6 else False


_ICMP_ERRORS = (3, 4, 5, 11, 12)


def _always(match: Match, packet: Packet, world: World) -> Truth:
    return True


def _ct(test: Callable[[M, Packet], Truth]) -> Evaluate[M]:
    return lambda match, packet, world: test(match, packet)


def _table(*entries: tuple[type[M], Evaluate[M]]) -> dict[type[Match], Evaluate[Match]]:
    return {kind: cast("Evaluate[Match]", evaluate) for kind, evaluate in entries}


_POSITIVE: dict[type[Match], Evaluate[Match]] = {
    **_table((matches.AddressRange, _address_range)),
    **_table((matches.Interface, _interface)),
    **_table((matches.Physdev, _physdev)),
    **_table((matches.Protocol, _protocol)),
    **_table((matches.Fragment, _fragment)),
    **_table((matches.Length, _length)),
    **_table((matches.Ttl, _ttl)),
    **_table((matches.Dscp, _dscp)),
    **_table((matches.Tos, _tos)),
    **_table((matches.Owner, _owner)),
    **_table((matches.Socket, _socket)),
}
"""Conditions without their negation."""

_EXACT: dict[type[Match], Evaluate[Match]] = {
    **_table((matches.Always, _always)),
    **_table((matches.Comment, _always)),
    **_table((matches.IpAddress, _ip_address)),
    **_table((matches.Mark, _mark)),
    **_table((matches.Mac, _mac)),
    **_table((matches.Ports, _ports)),
    **_table((matches.TcpFlags, _tcp_flags)),
    **_table((matches.Icmp, _icmp)),
    **_table((matches.InSet, _in_set)),
    **_table((matches.AddrType, _addr_type)),
    **_table((matches.RpFilter, rp_match.rpfilter)),
    **_table((matches.CtState, _ct(ct_matches.state))),
    **_table((matches.CtStatus, _ct(ct_matches.status))),
    **_table((matches.CtDirection, _ct(ct_matches.direction))),
    **_table((matches.CtProtocol, _ct(ct_matches.protocol))),
    **_table((matches.CtAddress, _ct(ct_matches.address))),
    **_table((matches.CtPorts, _ct(ct_matches.ports))),
}
"""Conditions that see to their negation themselves, since some fail either way."""

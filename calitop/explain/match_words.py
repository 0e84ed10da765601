"""Each condition of a rule as a clause that can stand behind "if": `the packet comes in by eth0`.

What calitop does not evaluate keeps its own words, in quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from calitop.cni.set_names import set_purpose
from calitop.explain.mark_words import MarkWords
from calitop.formats.iptables_values import PROTOCOLS
from calitop.model import matches as m
from calitop.model.values import NamePattern, Network, Range, Side

SIDES = {"src": "source", "dst": "destination"}
_WAYS = {"in": "comes in by", "out": "goes out by"}
_NOT_WAYS = {"in": "does not come in by", "out": "does not go out by"}
_STATES = {
    "NEW": "the packet opens a new connection",
    "ESTABLISHED": "the connection is established",
    "RELATED": "the connection is related to a known one",
    "INVALID": "connection tracking finds the packet invalid",
    "UNTRACKED": "the packet is not tracked",
    "SNAT": "the connection's source is translated",
    "DNAT": "the connection's destination is translated",
}
_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
_FACTS = {
    "is-in": "came in by a bridge port",
    "is-out": "goes out by a bridge port",
    "is-bridged": "is bridged, not routed",
}
_MOST = 4
"""Alternatives that are told; the rest is counted."""
_UNITS = ((86400, "second"), (1440, "minute"), (24, "hour"), (1, "day"))
_NAMES = {
    1: "icmp",
    4: "IPIP",
    6: "tcp",
    17: "udp",
    41: "IPv6 in IP",
    47: "gre",
    50: "esp",
    51: "ah",
    58: "icmpv6",
    132: "sctp",
}
_ICMP = {(4, 0): "echo reply", (4, 8): "echo request", (6, 128): "echo request", (6, 129): "echo reply"}


def match_words(match: m.Match, marks: MarkWords) -> str:
    """The condition as a clause; "" for one that always holds (a comment, `-m tcp` alone)."""
    if isinstance(match, m.Mark):
        return marks.test(match)
    words = CLAUSES.get(type(match))
    return words(match) if words is not None else quoted(match)


def quoted(match: m.Match) -> str:
    """The condition in its own words, a `!` among them."""
    return f"'{' '.join(match.words) or type(match).__name__}' holds"


def protocol_name(number: int) -> str:
    """A layer 4 protocol as people call it."""
    known = _NAMES.get(number) or next((name for name, own in PROTOCOLS.items() if own == number), None)
    return known or f"protocol {number}"


def ranges_words(ranges: Iterable[Range]) -> str:
    """`80, 443 or 8000-8080`."""
    return alternatives(range_words(one) for one in ranges)


def alternatives(words: Iterable[str]) -> str:
    """`a, b or c`; of many the first ones and how many more."""
    told = list(words)
    if len(told) > _MOST:
        told = [*told[: _MOST - 1], f"{len(told) - _MOST + 1} more"]
    return " or ".join(filter(None, (", ".join(told[:-1]), *told[-1:])))


def range_words(one: Range) -> str:
    """`80`, `8000-8080`."""
    return str(one.first) if one.first == one.last else f"{one.first}-{one.last}"


def _is(match: m.Match) -> str:
    return "is not" if match.negated else "is"


def _names(names: Sequence[NamePattern]) -> str:
    return alternatives(f"{name.text}*" if name.prefix else name.text for name in names)


def _side(side: Side) -> str:
    return SIDES[side]


def _nothing(_: m.Match) -> str:
    return ""


def _interface(match: m.Interface) -> str:
    ways = _NOT_WAYS if match.negated else _WAYS
    return f"the packet {ways[match.way]} {_names(match.names) or 'no device'}"


def _physdev(match: m.Physdev) -> str:
    if match.fact is not None:
        told = f"the packet {_FACTS[match.fact]}"
    else:
        told = f"the packet {_WAYS[match.way or 'in']} the bridge port {_names(match.names)}"
    return f"it is not so that {told}" if match.negated else told


def _device_group(match: m.DeviceGroup) -> str:
    ways = _NOT_WAYS if match.negated else _WAYS
    mask = "" if match.mask == 0xFFFFFFFF else f"/{match.mask:#x}"
    return f"the packet {ways[match.way]} a device of group {match.value:#x}{mask}"


def _address(match: m.IpAddress) -> str:
    return f"the {_side(match.side)} {_in_networks(match, match.networks)}"


def _in_networks(match: m.Match, networks: Sequence[Network]) -> str:
    """`is 10.0.0.1`, `is not in 10.0.0.0/8 or 172.16.0.0/12`."""
    is_single = all(one.prefixlen == one.max_prefixlen for one in networks)
    return f"{_is(match)}{'' if is_single else ' in'} {alternatives(_network(str(one)) for one in networks)}"


def _network(words: str) -> str:
    address, _, length = words.partition("/")
    return address if length == ("128" if ":" in address else "32") else words


def _address_range(match: m.AddressRange) -> str:
    return f"the {_side(match.side)} {_is(match)} between {match.first} and {match.last}"


def _protocol(match: m.Protocol) -> str:
    if 0 in match.numbers:
        return "no protocol is tried for" if match.negated else ""
    return f"the protocol {_is(match)} {alternatives(map(protocol_name, match.numbers))}"


def _fragment(match: m.Fragment) -> str:
    return f"the packet {_is(match)} a second or later fragment"


def _ports(match: m.Ports) -> str:
    port = f"the {_side(match.side)} port" if match.side is not None else "the source or destination port"
    if match.side is None and match.negated:
        return f"neither port is {ranges_words(match.ranges)}"
    return f"{port} {_is(match)} {ranges_words(match.ranges)}"


def _tcp_flags(match: m.TcpFlags) -> str:
    def named(bits: int) -> list[str]:
        return [name for at, name in enumerate(_FLAGS) if bits >> at & 1]

    looked, wanted = named(match.mask), named(match.flags)
    verb = "are not exactly" if match.negated else "are exactly"
    return f"of the TCP flags {', '.join(looked) or 'none'} those set {verb} {', '.join(wanted) or 'none'}"


def _tcp_option(match: m.TcpOption) -> str:
    return f"TCP option {match.number} is {'missing' if match.negated else 'there'}"


def _icmp(match: m.Icmp) -> str:
    name = "ICMP" if match.version == 4 else "ICMPv6"
    if match.type is None:
        return f"the packet {_is(match)} {name}"
    known = _ICMP.get((match.version, match.type))
    codes = "" if match.codes is None else f", code {range_words(match.codes)}"
    return f"the packet {_is(match)} {name} type {match.type}{f' ({known})' if known else ''}{codes}"


def _ct_state(match: m.CtState) -> str:
    if match.negated or len(match.states) != 1:
        return f"the connection state {_is(match)} {alternatives(sorted(match.states))}"
    (state,) = match.states
    told = _STATES.get(state)
    return f"{told} ({state})" if told else f"the connection state is {state}"


def _ct_status(match: m.CtStatus) -> str:
    return f"the connection status {_is(match)} {alternatives(sorted(match.statuses))}"


def _ct_direction(match: m.CtDirection) -> str:
    return f"the packet {_is(match)} of the connection's {match.direction} direction"


def _ct_protocol(match: m.CtProtocol) -> str:
    return f"the connection's protocol {_is(match)} {alternatives(map(protocol_name, match.numbers))}"


def _ct_address(match: m.CtAddress) -> str:
    return f"the connection's {match.direction} {_side(match.side)} {_in_networks(match, match.networks)}"


def _ct_ports(match: m.CtPorts) -> str:
    port = f"the connection's {match.direction} {_side(match.side)} port"
    return f"{port} {_is(match)} {ranges_words(match.ranges)}"


def _ct_expire(match: m.CtExpire) -> str:
    verb = "does not expire" if match.negated else "expires"
    return f"the connection {verb} in {range_words(match.seconds)} s"


def _in_set(match: m.InSet) -> str:
    sides = [SIDES.get(one, one) for one in match.directions]
    who = (
        f"the {sides[0]}" if len(sides) == 1 else f"the packet's ({', '.join(sides)})" if sides else "the key"
    )
    exception = " as an exception (nomatch)" if match.return_nomatch else ""
    options = " ".join(f"--{one.name} {' '.join(one.values)}".strip() for one in match.options)
    also = f" and '{options}' holds" if options else ""
    purpose = set_purpose(match.name.removeprefix("@"))
    told = f" ({purpose})" if purpose else ""
    return f"{who} {_is(match)} in the set {match.name}{told}{exception}{also}"


def _addr_type(match: m.AddrType) -> str:
    sides = (("source", match.src, match.src_negated), ("destination", match.dst, match.dst_negated))
    told = [
        (side, negated, [_kind(one, match) for one in sorted(kinds or ())]) for side, kinds, negated in sides
    ]
    return " and ".join(
        f"the {side} {'is not' if negated else 'is'} {alternatives(kinds)}"
        for side, negated, kinds in told
        if kinds
    )


def _kind(kind: str, match: m.AddrType) -> str:
    device = f"the device it {_WAYS[match.limit]}" if match.limit is not None else None
    if kind == "LOCAL":
        return f"an address of {device or 'this host'}"
    return f"of type {kind}" + (f" on {device}" if device else "")


def _rp_filter(match: m.RpFilter) -> str:
    leads = "leads" if not match.negated else "does not lead"
    out = "any device" if match.loose else "the device it came in by"
    by_mark = ", looked up with the packet's mark" if match.validmark else ""
    return f"the way back to the source {leads} out of {out} (reverse path{by_mark})"


def _mac(match: m.Mac) -> str:
    return f"the source MAC address {_is(match)} {match.address}"


def _length(match: m.Length) -> str:
    return f"the packet {_is(match)} {range_words(match.bytes)} bytes long"


def _ttl(match: m.Ttl) -> str:
    return f"the TTL {_is(match)} {range_words(match.values)}"


def _dscp(match: m.Dscp) -> str:
    return f"the DSCP {_is(match)} {match.value:#x}"


def _tos(match: m.Tos) -> str:
    return f"the TOS {_is(match)} {match.value:#x} under the mask {match.mask:#x}"


def _packet_type(match: m.PacketType) -> str:
    return f"the frame {_is(match)} {match.type}"


def _owner(match: m.Owner) -> str:
    if match.of == "socket":
        return f"the packet {'comes' if not match.negated else 'does not come'} from a socket of this host"
    who = match.name or (range_words(match.ids) if match.ids is not None else "known")
    return f"the {match.of} of the sending socket {_is(match)} {who}"


def _socket(match: m.Socket) -> str:
    kind = "transparent socket" if match.transparent else "socket"
    return f"{'no' if match.negated else 'a'} {kind} of this host takes the packet"


def _limit(match: m.Limit) -> str:
    rate = "" if match.per_day is None else f" ({_rate(match.per_day)}, burst {match.burst})"
    return f"the rate limit{rate} is {'exceeded' if match.negated else 'not exceeded'}"


def _rate(per_day: float) -> str:
    unit, name = next((one for one in _UNITS if per_day >= one[0]), _UNITS[-1])
    return f"{per_day / unit:g} per {name}"


def _statistic(match: m.Statistic) -> str:
    verb = "does not pick" if match.negated else "picks"
    if match.probability is not None:
        return f"chance (probability {match.probability:.4g}) {verb} the packet"
    return f"counting {verb} the packet (one of every {match.every}, from number {match.packet} on)"


CLAUSES: dict[type[m.Match], Callable[..., str]] = {
    m.Comment: _nothing,
    m.Always: _nothing,
    m.Interface: _interface,
    m.Physdev: _physdev,
    m.DeviceGroup: _device_group,
    m.IpAddress: _address,
    m.AddressRange: _address_range,
    m.Protocol: _protocol,
    m.Fragment: _fragment,
    m.Ports: _ports,
    m.TcpFlags: _tcp_flags,
    m.TcpOption: _tcp_option,
    m.Icmp: _icmp,
    m.CtState: _ct_state,
    m.CtStatus: _ct_status,
    m.CtDirection: _ct_direction,
    m.CtProtocol: _ct_protocol,
    m.CtAddress: _ct_address,
    m.CtPorts: _ct_ports,
    m.CtExpire: _ct_expire,
    m.InSet: _in_set,
    m.AddrType: _addr_type,
    m.RpFilter: _rp_filter,
    m.Mac: _mac,
    m.Length: _length,
    m.Ttl: _ttl,
    m.Dscp: _dscp,
    m.Tos: _tos,
    m.PacketType: _packet_type,
    m.Owner: _owner,
    m.Socket: _socket,
    m.Limit: _limit,
    m.Statistic: _statistic,
}
"""The words for each kind of match, but for marks, which need the node."""

"""Options of iptables that stand for one condition each -> typed records.

The conditions of a rule are anded, whichever module brings them. A reader answers None
when it does not understand every word; the caller then makes an `Unknown` of them.
`iptables_modules` reads the modules whose options change each other's meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from calitop.formats import iptables_values as read
from calitop.formats.words import names
from calitop.model import matches
from calitop.model.matches import Match
from calitop.model.values import Direction, Option, Range, Side, Way

OptionReader = Callable[[Option], "Match | None"]

_SYN = (0x17, 0x02)
_HIGHEST_32 = 0xFFFFFFFF


def first_value(option: Option) -> str:
    """The option's first value, empty when the text breaks off before it."""
    return option.values[0] if option.values else ""


# -- general options


def _address(side: Side) -> OptionReader:
    def reader(option: Option) -> Match | None:
        networks = read.networks(first_value(option))
        return matches.IpAddress(side=side, networks=networks, negated=option.negated) if networks else None

    return reader


def _interface(way: Way) -> OptionReader:
    def reader(option: Option) -> Match | None:
        name = first_value(option)
        return (
            matches.Interface(way=way, names=(read.pattern(name),), negated=option.negated) if name else None
        )

    return reader


def _protocol(option: Option) -> Match | None:
    number = read.protocol(first_value(option))
    return None if number is None else matches.Protocol(numbers=(number,), negated=option.negated)


def _fragment(option: Option) -> Match | None:
    return matches.Fragment(negated=option.negated)


def _either_family(option: Option) -> Match | None:
    """`-4` and `-6` say for which program a rule is meant."""
    return matches.Always(module=None)


# -- ports and layer 4


def _ports(side: Side | None) -> OptionReader:
    def reader(option: Option) -> Match | None:
        found = read.port_range(first_value(option))
        return found and matches.Ports(side=side, ranges=(found,), negated=option.negated)

    return reader


def _many_ports(side: Side | None) -> OptionReader:
    def reader(option: Option) -> Match | None:
        found = read.port_ranges(first_value(option))
        return matches.Ports(side=side, ranges=found, negated=option.negated) if found else None

    return reader


def _tcp_flags(option: Option) -> Match | None:
    bits = [read.tcp_flags(word) for word in option.values]
    if len(bits) != 2 or bits[0] is None or bits[1] is None:
        return None
    return matches.TcpFlags(mask=bits[0], flags=bits[1], negated=option.negated)


def _syn(option: Option) -> Match | None:
    return matches.TcpFlags(mask=_SYN[0], flags=_SYN[1], negated=option.negated)


def _tcp_option(option: Option) -> Match | None:
    number = read.number(first_value(option))
    return None if number is None else matches.TcpOption(number=number, negated=option.negated)


def _icmp(version: Literal[4, 6]) -> OptionReader:
    def reader(option: Option) -> Match | None:
        found = read.icmp(first_value(option), version)
        return found and matches.Icmp(version=version, type=found[0], codes=found[1], negated=option.negated)

    return reader


# -- marks and connections


def _mark(of: Literal["packet", "connection"]) -> OptionReader:
    def reader(option: Option) -> Match | None:
        found = read.value_and_mask(first_value(option))
        return found and matches.Mark(of=of, value=found[0], mask=found[1], negated=option.negated)

    return reader


_CT_STATES = names("INVALID NEW ESTABLISHED RELATED UNTRACKED SNAT DNAT")
_CT_DIRECTIONS: dict[str, Direction] = {"ORIGINAL": "original", "REPLY": "reply"}
_CT_STATUSES = names("NONE EXPECTED SEEN_REPLY ASSURED CONFIRMED")


def _ct_state(option: Option) -> Match | None:
    states = frozenset(first_value(option).upper().split(","))
    return matches.CtState(states=states, negated=option.negated) if states <= _CT_STATES else None


def _ct_status(option: Option) -> Match | None:
    found = frozenset(first_value(option).upper().split(","))
    return matches.CtStatus(statuses=found, negated=option.negated) if found <= _CT_STATUSES else None


def _ct_direction(option: Option) -> Match | None:
    direction = _CT_DIRECTIONS.get(first_value(option).upper())
    return matches.CtDirection(direction=direction, negated=option.negated) if direction else None


def _ct_protocol(option: Option) -> Match | None:
    number = read.protocol(first_value(option))
    return None if number is None else matches.CtProtocol(numbers=(number,), negated=option.negated)


def _ct_address(direction: Direction, side: Side) -> OptionReader:
    def reader(option: Option) -> Match | None:
        found = read.networks(first_value(option))
        if not found:
            return None
        return matches.CtAddress(direction=direction, side=side, networks=found, negated=option.negated)

    return reader


def _ct_ports(direction: Direction, side: Side) -> OptionReader:
    def reader(option: Option) -> Match | None:
        found = read.port_range(first_value(option))
        return found and matches.CtPorts(
            direction=direction, side=side, ranges=(found,), negated=option.negated
        )

    return reader


def _ct_expire(option: Option) -> Match | None:
    found = read.number_range(first_value(option), _HIGHEST_32)
    return found and matches.CtExpire(seconds=found, negated=option.negated)


# -- the packet's way and header


def _physdev(way: Way) -> OptionReader:
    def reader(option: Option) -> Match | None:
        name = first_value(option)
        return matches.Physdev(way=way, names=(read.pattern(name),), negated=option.negated) if name else None

    return reader


def _physdev_fact(fact: Literal["is-in", "is-out", "is-bridged"]) -> OptionReader:
    def reader(option: Option) -> Match | None:
        return matches.Physdev(way=None, fact=fact, negated=option.negated)

    return reader


def _device_group(way: Way) -> OptionReader:
    def reader(option: Option) -> Match | None:
        found = read.value_and_mask(first_value(option))
        return found and matches.DeviceGroup(way=way, value=found[0], mask=found[1], negated=option.negated)

    return reader


def _mac(option: Option) -> Match | None:
    parts = first_value(option).lower().split(":")
    good = len(parts) == 6 and all(len(part) == 2 and set(part) <= set("0123456789abcdef") for part in parts)
    return matches.Mac(address=":".join(parts), negated=option.negated) if good else None


def _length(option: Option) -> Match | None:
    found = read.number_range(first_value(option), 65535)
    return found and matches.Length(bytes=found, negated=option.negated)


_TTL_ENDS: tuple[tuple[str, Literal["eq", "gt", "lt"]], ...] = (
    ("", "eq"),
    ("-eq", "eq"),
    ("-gt", "gt"),
    ("-lt", "lt"),
)


def _ttl(comparison: Literal["eq", "gt", "lt"]) -> OptionReader:
    def reader(option: Option) -> Match | None:
        value = read.number(first_value(option))
        if value is None or value > 255:
            return None
        values = {"eq": Range(value, value), "gt": Range(value + 1, 255), "lt": Range(0, value - 1)}[
            comparison
        ]
        return matches.Ttl(values=values, negated=option.negated)

    return reader


def _address_range(side: Side) -> OptionReader:
    def reader(option: Option) -> Match | None:
        low, dash, high = first_value(option).partition("-")
        first, last = read.address(low), read.address(high if dash else low)
        if first is None or last is None or first.version != last.version:
            return None
        return matches.AddressRange(side=side, first=first, last=last, negated=option.negated)

    return reader


def _owner(of: Literal["uid", "gid"]) -> OptionReader:
    def reader(option: Option) -> Match | None:
        word = first_value(option)
        found = read.number_range(word, _HIGHEST_32, "-")
        name = None if found else word
        return matches.Owner(of=of, ids=found, name=name, negated=option.negated) if word else None

    return reader


def _socket_exists(option: Option) -> Match | None:
    return matches.Owner(of="socket", negated=option.negated)


def _dscp(option: Option) -> Match | None:
    value = read.number(first_value(option))
    return None if value is None or value > 63 else matches.Dscp(value=value, negated=option.negated)


def _tos(option: Option) -> Match | None:
    found = read.value_and_mask(first_value(option), 0xFF)
    return found and matches.Tos(value=found[0], mask=found[1], negated=option.negated)


def _packet_type(option: Option) -> Match | None:
    kind = first_value(option)
    known = kind in ("unicast", "broadcast", "multicast")
    return matches.PacketType(type=kind, negated=option.negated) if known else None


def _comment(option: Option) -> Match | None:
    return matches.Comment(text=option.values[0]) if option.values and not option.negated else None


GENERAL_READERS: dict[str, OptionReader] = {
    "source": _address("src"),
    "src": _address("src"),
    "destination": _address("dst"),
    "dst": _address("dst"),
    "protocol": _protocol,
    "proto": _protocol,
    "in-interface": _interface("in"),
    "out-interface": _interface("out"),
    "fragment": _fragment,
    "fragments": _fragment,
    "ipv4": _either_family,
    "ipv6": _either_family,
}

_PORT_READERS: dict[str, OptionReader] = {
    "sport": _ports("src"),
    "source-port": _ports("src"),
    "dport": _ports("dst"),
    "destination-port": _ports("dst"),
}

_TTL_READERS: dict[str, OptionReader] = {
    reader + end: _ttl(comparison) for reader in ("ttl", "hl") for end, comparison in _TTL_ENDS
}

OPTION_READERS: dict[str, dict[str, OptionReader]] = {
    "tcp": {**_PORT_READERS, "tcp-flags": _tcp_flags, "syn": _syn, "tcp-option": _tcp_option},
    "udp": _PORT_READERS,
    "udplite": _PORT_READERS,
    "sctp": _PORT_READERS,
    "dccp": _PORT_READERS,
    "icmp": {"icmp-type": _icmp(4)},
    "icmp6": {"icmpv6-type": _icmp(6)},
    "icmpv6": {"icmpv6-type": _icmp(6)},
    "multiport": {
        "sports": _many_ports("src"),
        "source-ports": _many_ports("src"),
        "dports": _many_ports("dst"),
        "destination-ports": _many_ports("dst"),
        "ports": _many_ports(None),
    },
    "comment": {"comment": _comment},
    "mark": {"mark": _mark("packet")},
    "connmark": {"mark": _mark("connection")},
    "state": {"state": _ct_state},
    "conntrack": {
        "ctstate": _ct_state,
        "ctstatus": _ct_status,
        "ctdir": _ct_direction,
        "ctproto": _ct_protocol,
        "ctexpire": _ct_expire,
        "ctorigsrc": _ct_address("original", "src"),
        "ctorigdst": _ct_address("original", "dst"),
        "ctreplsrc": _ct_address("reply", "src"),
        "ctrepldst": _ct_address("reply", "dst"),
        "ctorigsrcport": _ct_ports("original", "src"),
        "ctorigdstport": _ct_ports("original", "dst"),
        "ctreplsrcport": _ct_ports("reply", "src"),
        "ctrepldstport": _ct_ports("reply", "dst"),
    },
    "physdev": {
        "physdev-in": _physdev("in"),
        "physdev-out": _physdev("out"),
        "physdev-is-in": _physdev_fact("is-in"),
        "physdev-is-out": _physdev_fact("is-out"),
        "physdev-is-bridged": _physdev_fact("is-bridged"),
    },
    "devgroup": {"src-group": _device_group("in"), "dst-group": _device_group("out")},
    "mac": {"mac-source": _mac},
    "length": {"length": _length},
    "ttl": _TTL_READERS,
    "hl": _TTL_READERS,
    "iprange": {"src-range": _address_range("src"), "dst-range": _address_range("dst")},
    "owner": {"uid-owner": _owner("uid"), "gid-owner": _owner("gid"), "socket-exists": _socket_exists},
    "dscp": {"dscp": _dscp},
    "tos": {"tos": _tos},
    "pkttype": {"pkt-type": _packet_type},
}
"""By module: options that stand for one condition each."""

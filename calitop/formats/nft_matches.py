"""A condition of an nft rule -> typed matches, where its words are understood in full.

One condition can say two things: `tcp dport 80` holds for TCP only and for that port.
Addresses and ports of another family or protocol never match, negated or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Literal

from calitop.formats import iptables_values as read
from calitop.formats.nft_conntrack import ct_direction, ct_state, ct_status, ct_tuple
from calitop.formats.nft_fields import Relation, items
from calitop.formats.nft_names import (
    DSCP,
    ICMP_CODES,
    ICMP_TYPES,
    NFPROTOS,
    PACKET_TYPES,
    TCP_OPTIONS,
)
from calitop.formats.nft_values import (
    SIDES,
    SINGLE,
    networks_of,
    one_range,
    one_value,
    plain_values,
    ranges_of,
)
from calitop.formats.nft_words import unquoted
from calitop.model import matches, values
from calitop.model.matches import Match
from calitop.model.values import NamePattern, Range

Reader = Callable[[Relation], "Match | None"]

_FULL = 0xFFFFFFFF
_EQUAL = ("", "==")
_PORTED = {"tcp": 6, "udp": 17, "sctp": 132, "dccp": 33, "udplite": 136, "th": None}
_ICMP: Mapping[str, tuple[Literal[4, 6], int]] = {"icmp": (4, 1), "icmpv6": (6, 58)}


def typed(relation: Relation) -> Match | None:
    """The match that a condition is, without its words; None where it is not understood.

    For `tcp …`, `udp …` and `icmp …` the protocol is a match of its own (see `protocol_of`).
    """
    if not relation.value:
        return None
    found = _looked_up(relation)
    if found is not None:
        return found
    reader = _READERS.get(relation.field[:2]) or _READERS.get(relation.field[:1])
    return reader(relation) if reader is not None else None


def protocol_of(relation: Relation) -> int | None:
    """The layer 4 protocol that the field belongs to; None where it belongs to none."""
    name = relation.field[0] if relation.field else ""
    return _ICMP[name][1] if name in _ICMP else _PORTED.get(name)


def _looked_up(relation: Relation) -> Match | None:
    """A lookup in a named set; `directions` is known for addresses only."""
    if len(relation.value) != 1 or relation.value[0][:1] != "@" or relation.sign not in SINGLE:
        return None
    if relation.changes or "," in relation.value[0]:
        return None
    field = relation.field
    side = SIDES.get(field[1]) if len(field) == 2 and field[0] in ("ip", "ip6") else None
    name, negated = relation.value[0][1:], relation.sign == "!="
    return matches.InSet(name=name, directions=(side,) if side else (), negated=negated)


def _interface(way: values.Way) -> Reader:
    def reader(relation: Relation) -> Match | None:
        found = plain_values(relation)
        if found is None or not all(word.strip('"') for word in found):
            return None
        names = tuple(_pattern(unquoted(word)) for word in found)
        return matches.Interface(way=way, names=names, negated=relation.sign == "!=")

    return reader


def _pattern(name: str) -> NamePattern:
    """A device name; `*` at its end stands for any rest, `\\*` for itself."""
    if name.endswith("*") and not name.endswith("\\*"):
        return NamePattern(name[:-1], True)
    return NamePattern(name.replace("\\*", "*"))


def _group(way: values.Way) -> Reader:
    def reader(relation: Relation) -> Match | None:
        value = read.number(one_value(relation) or "")
        return (
            None
            if value is None
            else matches.DeviceGroup(way=way, value=value, negated=relation.sign == "!=")
        )

    return reader


def _address(relation: Relation) -> Match | None:
    found = plain_values(relation)
    networks = None if found is None else networks_of(found)
    if not networks:
        return None
    return matches.IpAddress(side=SIDES[relation.field[1]], networks=networks, negated=relation.sign == "!=")


def _ports(relation: Relation) -> Match | None:
    ranges = ranges_of(relation, 65535)
    if ranges is None:
        return None
    return matches.Ports(side=SIDES[relation.field[1]], ranges=ranges, negated=relation.sign == "!=")


def _protocol(relation: Relation) -> Match | None:
    found = plain_values(relation)
    numbers = [read.protocol(word) for word in found or ()]
    known = tuple(number for number in numbers if number)
    if not known or len(known) != len(numbers):
        return None
    return matches.Protocol(numbers=known, negated=relation.sign == "!=")


def _version(relation: Relation) -> Match | None:
    """`meta nfproto ipv4`: every IPv4 source lies in 0.0.0.0/0, no other packet's does."""
    found = plain_values(relation)
    networks = [NFPROTOS.get(word) for word in found or ()]
    known = tuple(ip_network(network) for network in networks if network is not None)
    if not known or len(known) != len(networks):
        return None
    return matches.IpAddress(side="src", networks=known, negated=relation.sign == "!=")


def _mark(of: Literal["packet", "connection"]) -> Reader:
    def reader(relation: Relation) -> Match | None:
        word = items(relation.value)
        if relation.sign not in SINGLE or word is None or len(word) != 1:
            return None
        value, _, length = word[0].partition("/")
        number, mask = read.number(value), _mark_mask(relation.changes, length)
        if number is None or mask is None or max(number, mask) > _FULL:
            return None
        return matches.Mark(of=of, value=number, mask=mask, negated=relation.sign == "!=")

    return reader


def _mark_mask(changes: tuple[tuple[str, str], ...], length: str) -> int | None:
    """Mask of `mark & 0xff` or of `0x0/12`; all bits without either."""
    if not changes:
        bits = read.number(length) if length else 32
        return None if bits is None or bits > 32 else _FULL << (32 - bits) & _FULL
    if length or len(changes) > 1 or changes[0][0] not in ("&", "and"):
        return None
    return read.number(changes[0][1])


def _icmp(relation: Relation) -> Match | None:
    version, _ = _ICMP[relation.field[0]]
    word = one_value(relation) or ""
    if relation.field[1] not in ("type", "code"):
        return None
    names = ICMP_TYPES[version] if relation.field[1] == "type" else ICMP_CODES[version]
    value = names.get(word, read.number(word))
    if value is None or value > 255:
        return None
    negated = relation.sign == "!="
    if relation.field[1] == "type":
        return matches.Icmp(version=version, type=value, negated=negated)
    return matches.Icmp(version=version, type=None, codes=Range(value, value), negated=negated)


def _tcp_flags(relation: Relation) -> Match | None:
    """`syn / fin,syn`, `& (fin | syn) == syn`, or one flag that must be set."""
    mask: int | None
    if len(relation.value) == 3 and relation.value[1] == "/" and not relation.changes:
        flags, mask = _bits(relation.value[0]), _bits(relation.value[2])
    elif len(relation.changes) == 1 and relation.changes[0][0] in ("&", "and") and len(relation.value) == 1:
        flags, mask = _bits(relation.value[0]), _bits(relation.changes[0][1])
    else:
        flags = mask = _bits(relation.value[0]) if len(relation.value) == 1 and relation.sign == "" else None
        mask = mask if mask is not None and mask.bit_count() == 1 and not relation.changes else None
    if flags is None or mask is None or relation.sign not in SINGLE:
        return None
    return matches.TcpFlags(mask=mask, flags=flags, negated=relation.sign == "!=")


def _bits(word: str) -> int | None:
    bits = 0
    for name in word.replace(" ", "").replace("|", ",").split(","):
        bit = read.number(name) if name[:1].isdigit() else read.TCP_FLAGS.get(name.upper())
        if bit is None or name.upper() in ("ALL", "NONE"):
            return None
        bits |= bit
    return bits


def _tcp_option(relation: Relation) -> Match | None:
    word = one_value(relation)
    number = (
        TCP_OPTIONS.get(relation.field[2], read.number(relation.field[2]))
        if len(relation.field) == 3
        else None
    )
    if number is None or word not in ("exists", "missing", "0", "1"):
        return None
    is_absent = word in ("missing", "0")
    return matches.TcpOption(number=number, negated=is_absent != (relation.sign == "!="))


def _fib(relation: Relation) -> Match | None:
    *flags, result = (word for word in relation.field[1:] if word != ".")
    if result == "type":
        return _address_type(flags, relation)
    word = one_value(relation)
    if result not in ("oif", "oifname") or word not in ("exists", "missing", "0"):
        return None
    if flags[:1] != ["saddr"] or not set(flags[1:]) <= {"mark", "iif"}:
        return None
    is_absent = word != "exists"
    return matches.RpFilter(
        loose="iif" not in flags, validmark="mark" in flags, negated=is_absent != (relation.sign == "!=")
    )


def _address_type(flags: list[str], relation: Relation) -> Match | None:
    found = plain_values(relation)
    limits: Mapping[tuple[str, ...], values.Way | None] = {(): None, ("iif",): "in", ("oif",): "out"}
    if not found or not all(word.isalpha() for word in found) or tuple(flags[1:]) not in limits:
        return None
    types, negated = frozenset(word.upper() for word in found), relation.sign == "!="
    limit = limits[tuple(flags[1:])]
    if flags[0] == "saddr":
        return matches.AddrType(src=types, src_negated=negated, limit=limit)
    return matches.AddrType(dst=types, dst_negated=negated, limit=limit) if flags[0] == "daddr" else None


def _length(relation: Relation) -> Match | None:
    found = one_range(relation, 65535)
    return found and matches.Length(bytes=found[0], negated=found[1])


def _ttl(relation: Relation) -> Match | None:
    found = one_range(relation, 255)
    return found and matches.Ttl(values=found[0], negated=found[1])


def _dscp(relation: Relation) -> Match | None:
    word = one_value(relation) or ""
    value = DSCP.get(word, read.number(word))
    return None if value is None or value > 63 else matches.Dscp(value=value, negated=relation.sign == "!=")


def _packet_type(relation: Relation) -> Match | None:
    kind = PACKET_TYPES.get(one_value(relation) or "")
    return None if kind is None else matches.PacketType(type=kind, negated=relation.sign == "!=")


def _owner(of: Literal["uid", "gid"]) -> Reader:
    def reader(relation: Relation) -> Match | None:
        found = one_range(relation, _FULL)
        if found is not None:
            return matches.Owner(of=of, ids=found[0], negated=found[1])
        name = one_value(relation)
        named = name is not None and unquoted(name)[:1].isalpha()
        return (
            matches.Owner(of=of, name=unquoted(name), negated=relation.sign == "!=")
            if name and named
            else None
        )

    return reader


def _mac(relation: Relation) -> Match | None:
    address = one_value(relation) or ""
    known = address.count(":") == 5
    return matches.Mac(address=address.lower(), negated=relation.sign == "!=") if known else None


def _socket(relation: Relation) -> Match | None:
    word = one_value(relation)
    return matches.Socket(transparent=True) if word == "1" and relation.sign in _EQUAL else None


def _numgen(relation: Relation) -> Match | None:
    """`numgen random mod 100 < 10`, `numgen inc mod 3 0`."""
    size = read.number(relation.field[3]) if len(relation.field) == 4 else None
    if not size:
        return None
    found = ranges_of(relation, size - 1)
    if found is None or len(found) != 1 or relation.sign == "!=":
        return None
    share = found[0].last - found[0].first + 1
    if relation.field[1] == "random":
        return matches.Statistic(probability=share / size)
    return matches.Statistic(every=size, packet=found[0].first) if share == 1 else None


_READERS: dict[tuple[str, ...], Reader] = {
    ("iifname",): _interface("in"),
    ("oifname",): _interface("out"),
    ("iif",): _interface("in"),
    ("oif",): _interface("out"),
    ("meta", "iifname"): _interface("in"),
    ("meta", "oifname"): _interface("out"),
    ("iifgroup",): _group("in"),
    ("oifgroup",): _group("out"),
    **{(family, side): _address for family in ("ip", "ip6") for side in ("saddr", "daddr")},
    **{(name, side): _ports for name in _PORTED for side in ("sport", "dport")},
    ("meta", "l4proto"): _protocol,
    ("ip", "protocol"): _protocol,
    ("meta", "nfproto"): _version,
    ("meta", "protocol"): _version,
    ("meta", "mark"): _mark("packet"),
    ("mark",): _mark("packet"),
    ("ct", "mark"): _mark("connection"),
    ("ct", "state"): ct_state,
    ("ct", "status"): ct_status,
    ("ct", "direction"): ct_direction,
    ("ct", "original"): ct_tuple,
    ("ct", "reply"): ct_tuple,
    ("icmp",): _icmp,
    ("icmpv6",): _icmp,
    ("tcp", "flags"): _tcp_flags,
    ("tcp", "option"): _tcp_option,
    ("fib",): _fib,
    ("meta", "length"): _length,
    ("ip", "length"): _length,
    ("ip", "ttl"): _ttl,
    ("ip6", "hoplimit"): _ttl,
    ("ip", "dscp"): _dscp,
    ("ip6", "dscp"): _dscp,
    ("meta", "pkttype"): _packet_type,
    ("meta", "skuid"): _owner("uid"),
    ("meta", "skgid"): _owner("gid"),
    ("skuid",): _owner("uid"),
    ("skgid",): _owner("gid"),
    ("ether", "saddr"): _mac,
    ("socket", "transparent"): _socket,
    ("numgen",): _numgen,
}
"""By the first words of the field, the longer key first."""

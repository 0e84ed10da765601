"""A condition of an nft rule -> typed matches, where its words are understood in full.

One condition can say two things: `tcp dport 80` holds for TCP only and for that port.
Addresses and ports of another family or protocol never match, negated or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_network, summarize_address_range
from typing import Literal

from calitop.formats import iptables_values as read
from calitop.formats.nft_fields import Relation, items
from calitop.formats.nft_names import (
    CT_STATES,
    CT_STATUSES,
    DSCP,
    ICMP_CODES,
    ICMP_TYPES,
    NFPROTOS,
    PACKET_TYPES,
    TCP_OPTIONS,
)
from calitop.formats.nft_words import unquoted
from calitop.model import spec
from calitop.model.spec import Match, NamePattern, Network, Range

Reader = Callable[[Relation], "Match | None"]

_FULL = 0xFFFFFFFF
_EQUAL = ("", "==")
_SINGLE = ("", "==", "!=")
_MOST_NETWORKS = 256
_PORTED = {"tcp": 6, "udp": 17, "sctp": 132, "dccp": 33, "udplite": 136, "th": None}
_SIDES: Mapping[str, spec.Side] = {"saddr": "src", "daddr": "dst", "sport": "src", "dport": "dst"}
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
    if len(relation.value) != 1 or relation.value[0][:1] != "@" or relation.sign not in _SINGLE:
        return None
    if relation.changes or "," in relation.value[0]:
        return None
    field = relation.field
    side = _SIDES.get(field[1]) if len(field) == 2 and field[0] in ("ip", "ip6") else None
    name, negated = relation.value[0][1:], relation.sign == "!="
    return spec.InSet(name=name, directions=(side,) if side else (), negated=negated)


def _plain(relation: Relation) -> tuple[str, ...] | None:
    """The values of an (un)equality without operators; None for anything else."""
    if relation.changes or relation.sign not in _SINGLE:
        return None
    return items(relation.value)


def _one(relation: Relation) -> str | None:
    """The one value of an (un)equality."""
    found = _plain(relation)
    return found[0] if found is not None and len(found) == 1 else None


def _interface(way: spec.Way) -> Reader:
    def reader(relation: Relation) -> Match | None:
        found = _plain(relation)
        if found is None or not all(word.strip('"') for word in found):
            return None
        names = tuple(_pattern(unquoted(word)) for word in found)
        return spec.Interface(way=way, names=names, negated=relation.sign == "!=")

    return reader


def _pattern(name: str) -> NamePattern:
    """A device name; `*` at its end stands for any rest, `\\*` for itself."""
    if name.endswith("*") and not name.endswith("\\*"):
        return NamePattern(name[:-1], True)
    return NamePattern(name.replace("\\*", "*"))


def _group(way: spec.Way) -> Reader:
    def reader(relation: Relation) -> Match | None:
        value = read.number(_one(relation) or "")
        return (
            None if value is None else spec.DeviceGroup(way=way, value=value, negated=relation.sign == "!=")
        )

    return reader


def _address(relation: Relation) -> Match | None:
    found = _plain(relation)
    networks = None if found is None else _networks(found)
    if not networks:
        return None
    return spec.IpAddress(side=_SIDES[relation.field[1]], networks=networks, negated=relation.sign == "!=")


def _networks(found: tuple[str, ...]) -> tuple[Network, ...] | None:
    networks: list[Network] = []
    for word in found:
        more = _range_networks(word) if "-" in word else read.networks(word)
        if not more or len(networks) + len(more) > _MOST_NETWORKS:
            return None
        networks += more
    return tuple(networks)


def _range_networks(word: str) -> tuple[Network, ...]:
    """The networks that make up `10.0.0.1-10.0.0.9`; () where they are not two addresses in order."""
    low, _, high = word.partition("-")
    first, last = read.address(low), read.address(high)
    if first is None or last is None or first.version != last.version or int(first) > int(last):
        return ()
    return tuple(summarize_address_range(first, last))


def _ports(relation: Relation) -> Match | None:
    ranges = _ranges(relation, 65535)
    if ranges is None:
        return None
    return spec.Ports(side=_SIDES[relation.field[1]], ranges=ranges, negated=relation.sign == "!=")


def _ranges(relation: Relation, highest: int) -> tuple[Range, ...] | None:
    """Numbers of an (un)equality, or the range of `<`, `>`, `<=`, `>=`."""
    found = items(relation.value)
    if relation.changes or found is None:
        return None
    if relation.sign in _SINGLE:
        ranges = tuple(read.number_range(word, highest, "-") for word in found if word[-1:] != "-")
        known = tuple(one for one in ranges if one is not None and one.last <= highest)
        return known if known and len(known) == len(found) else None
    bound = read.number(found[0]) if len(found) == 1 else None
    return None if bound is None else _half_open(relation.sign, bound, highest)


def _half_open(sign: str, bound: int, highest: int) -> tuple[Range, ...] | None:
    limits = {
        "<": (0, bound - 1),
        "<=": (0, bound),
        ">": (bound + 1, highest),
        ">=": (bound, highest),
    }
    first, last = limits.get(sign, (1, 0))
    return (Range(first, last),) if first <= last else None


def _range(relation: Relation, highest: int) -> tuple[Range, bool] | None:
    """One range, and whether it is negated."""
    ranges = _ranges(relation, highest)
    return (ranges[0], relation.sign == "!=") if ranges is not None and len(ranges) == 1 else None


def _protocol(relation: Relation) -> Match | None:
    found = _plain(relation)
    numbers = [read.protocol(word) for word in found or ()]
    known = tuple(number for number in numbers if number)
    if not known or len(known) != len(numbers):
        return None
    return spec.Protocol(numbers=known, negated=relation.sign == "!=")


def _version(relation: Relation) -> Match | None:
    """`meta nfproto ipv4`: every IPv4 source lies in 0.0.0.0/0, no other packet's does."""
    found = _plain(relation)
    networks = [NFPROTOS.get(word) for word in found or ()]
    known = tuple(ip_network(network) for network in networks if network is not None)
    if not known or len(known) != len(networks):
        return None
    return spec.IpAddress(side="src", networks=known, negated=relation.sign == "!=")


def _mark(of: Literal["packet", "connection"]) -> Reader:
    def reader(relation: Relation) -> Match | None:
        word = items(relation.value)
        if relation.sign not in _SINGLE or word is None or len(word) != 1:
            return None
        value, _, length = word[0].partition("/")
        number, mask = read.number(value), _mark_mask(relation.changes, length)
        if number is None or mask is None or max(number, mask) > _FULL:
            return None
        return spec.Mark(of=of, value=number, mask=mask, negated=relation.sign == "!=")

    return reader


def _mark_mask(changes: tuple[tuple[str, str], ...], length: str) -> int | None:
    """Mask of `mark & 0xff` or of `0x0/12`; all bits without either."""
    if not changes:
        bits = read.number(length) if length else 32
        return None if bits is None or bits > 32 else _FULL << (32 - bits) & _FULL
    if length or len(changes) > 1 or changes[0][0] not in ("&", "and"):
        return None
    return read.number(changes[0][1])


def _flag_names(value: tuple[str, ...], table: Mapping[str, str]) -> frozenset[str] | None:
    """Names of a comma list or set of flags, by name or by bit; None when one is unknown."""
    found = items(value)
    words = [part for word in found or () for part in word.split(",")]
    names = [table.get(word) or table.get(hex(read.number(word) or 0)) for word in words]
    known = frozenset(name for name in names if name is not None)
    return known if known and len(known) == len(names) else None


def _ct_state(relation: Relation) -> Match | None:
    names = _flag_names(relation.value, CT_STATES)
    if names is None or relation.changes or relation.sign not in ("", "==", "!=", "!"):
        return None
    # A packet has one state: two states compared exactly, not as a list of choices, never fit.
    if relation.sign in ("==", "!=") and len(names) > 1 and relation.value[0] != "{":
        return None
    return spec.CtState(states=names, negated=relation.sign in ("!=", "!"))


def _ct_status(relation: Relation) -> Match | None:
    """Any of the flags; iptables knows the addresses' translation as a state."""
    if relation.changes or relation.sign not in ("", "!") or relation.value[:1] == ("{",):
        return None
    names, negated = _flag_names(relation.value, CT_STATUSES), relation.sign == "!"
    if names is None:
        return None
    if names <= {"SNAT", "DNAT"}:
        return spec.CtState(states=names, negated=negated)
    return None if names & {"SNAT", "DNAT"} else spec.CtStatus(statuses=names, negated=negated)


def _ct_direction(relation: Relation) -> Match | None:
    names: Mapping[str, spec.Direction] = {
        "original": "original",
        "reply": "reply",
        "0": "original",
        "1": "reply",
    }
    direction = names.get(_one(relation) or "")
    return direction and spec.CtDirection(direction=direction, negated=relation.sign == "!=")


def _ct_tuple(relation: Relation) -> Match | None:
    """`ct original ip saddr 10.0.0.0/8`, `ct reply proto-dst 80`."""
    direction: spec.Direction = "original" if relation.field[1] == "original" else "reply"
    key, negated = relation.field[-1], relation.sign == "!="
    if key in ("proto-src", "proto-dst"):
        side: spec.Side = "src" if key == "proto-src" else "dst"
        ranges = _ranges(relation, 65535)
        return (
            None
            if ranges is None
            else spec.CtPorts(direction=direction, side=side, ranges=ranges, negated=negated)
        )
    found = _plain(relation) if key in ("saddr", "daddr") else None
    networks = None if found is None else _networks(found)
    if not networks:
        return None
    return spec.CtAddress(direction=direction, side=_SIDES[key], networks=networks, negated=negated)


def _icmp(relation: Relation) -> Match | None:
    version, _ = _ICMP[relation.field[0]]
    word = _one(relation) or ""
    if relation.field[1] not in ("type", "code"):
        return None
    names = ICMP_TYPES[version] if relation.field[1] == "type" else ICMP_CODES[version]
    value = names.get(word, read.number(word))
    if value is None or value > 255:
        return None
    negated = relation.sign == "!="
    if relation.field[1] == "type":
        return spec.Icmp(version=version, type=value, negated=negated)
    return spec.Icmp(version=version, type=None, codes=Range(value, value), negated=negated)


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
    if flags is None or mask is None or relation.sign not in _SINGLE:
        return None
    return spec.TcpFlags(mask=mask, flags=flags, negated=relation.sign == "!=")


def _bits(word: str) -> int | None:
    bits = 0
    for name in word.replace(" ", "").replace("|", ",").split(","):
        bit = read.number(name) if name[:1].isdigit() else read.TCP_FLAGS.get(name.upper())
        if bit is None or name.upper() in ("ALL", "NONE"):
            return None
        bits |= bit
    return bits


def _tcp_option(relation: Relation) -> Match | None:
    word = _one(relation)
    number = (
        TCP_OPTIONS.get(relation.field[2], read.number(relation.field[2]))
        if len(relation.field) == 3
        else None
    )
    if number is None or word not in ("exists", "missing", "0", "1"):
        return None
    is_absent = word in ("missing", "0")
    return spec.TcpOption(number=number, negated=is_absent != (relation.sign == "!="))


def _fib(relation: Relation) -> Match | None:
    *flags, result = (word for word in relation.field[1:] if word != ".")
    if result == "type":
        return _address_type(flags, relation)
    word = _one(relation)
    if result not in ("oif", "oifname") or word not in ("exists", "missing", "0"):
        return None
    if flags[:1] != ["saddr"] or not set(flags[1:]) <= {"mark", "iif"}:
        return None
    is_absent = word != "exists"
    return spec.RpFilter(
        loose="iif" not in flags, validmark="mark" in flags, negated=is_absent != (relation.sign == "!=")
    )


def _address_type(flags: list[str], relation: Relation) -> Match | None:
    found = _plain(relation)
    limits: Mapping[tuple[str, ...], spec.Way | None] = {(): None, ("iif",): "in", ("oif",): "out"}
    if not found or not all(word.isalpha() for word in found) or tuple(flags[1:]) not in limits:
        return None
    types, negated = frozenset(word.upper() for word in found), relation.sign == "!="
    limit = limits[tuple(flags[1:])]
    if flags[0] == "saddr":
        return spec.AddrType(src=types, src_negated=negated, limit=limit)
    return spec.AddrType(dst=types, dst_negated=negated, limit=limit) if flags[0] == "daddr" else None


def _length(relation: Relation) -> Match | None:
    found = _range(relation, 65535)
    return found and spec.Length(bytes=found[0], negated=found[1])


def _ttl(relation: Relation) -> Match | None:
    found = _range(relation, 255)
    return found and spec.Ttl(values=found[0], negated=found[1])


def _dscp(relation: Relation) -> Match | None:
    word = _one(relation) or ""
    value = DSCP.get(word, read.number(word))
    return None if value is None or value > 63 else spec.Dscp(value=value, negated=relation.sign == "!=")


def _packet_type(relation: Relation) -> Match | None:
    kind = PACKET_TYPES.get(_one(relation) or "")
    return None if kind is None else spec.PacketType(type=kind, negated=relation.sign == "!=")


def _owner(of: Literal["uid", "gid"]) -> Reader:
    def reader(relation: Relation) -> Match | None:
        found = _range(relation, _FULL)
        if found is not None:
            return spec.Owner(of=of, ids=found[0], negated=found[1])
        name = _one(relation)
        named = name is not None and unquoted(name)[:1].isalpha()
        return (
            spec.Owner(of=of, name=unquoted(name), negated=relation.sign == "!=") if name and named else None
        )

    return reader


def _mac(relation: Relation) -> Match | None:
    address = _one(relation) or ""
    known = address.count(":") == 5
    return spec.Mac(address=address.lower(), negated=relation.sign == "!=") if known else None


def _socket(relation: Relation) -> Match | None:
    word = _one(relation)
    return spec.Socket(transparent=True) if word == "1" and relation.sign in _EQUAL else None


def _numgen(relation: Relation) -> Match | None:
    """`numgen random mod 100 < 10`, `numgen inc mod 3 0`."""
    size = read.number(relation.field[3]) if len(relation.field) == 4 else None
    if not size:
        return None
    found = _ranges(relation, size - 1)
    if found is None or len(found) != 1 or relation.sign == "!=":
        return None
    share = found[0].last - found[0].first + 1
    if relation.field[1] == "random":
        return spec.Statistic(probability=share / size)
    return spec.Statistic(every=size, packet=found[0].first) if share == 1 else None


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
    ("ct", "state"): _ct_state,
    ("ct", "status"): _ct_status,
    ("ct", "direction"): _ct_direction,
    ("ct", "original"): _ct_tuple,
    ("ct", "reply"): _ct_tuple,
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

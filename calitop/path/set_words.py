"""A member of an ipset in ipset's words -> one key per dimension.

Keys: (prefix length, number) for addresses, (protocol, port) for ports, a number for marks,
text for hardware addresses, a `NamePattern` for devices. ICMP has type and code in the port's place.

Source: ipset(8); ipset's lib/parse.c and lib/print.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, summarize_address_range

from calitop.formats import iptables_values as read
from calitop.model.values import NamePattern

Key = tuple[int, int] | int | str | NamePattern

_TCP, _ICMP, _ICMPV6 = 6, 1, 58
_COMMENT = re.compile(r'"[^"]*"')
"""What a comment says is no option; ipset takes none with quotes in it."""
_MOST_EXPANDED = 65536


class NotUnderstoodError(Exception):
    """The words of a member are not ipset's, or would expand to too many keys."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of a set."""

    keys: tuple[tuple[Key, ...], ...]
    """Per dimension the keys that the words stand for (`10.0.0.1-10.0.0.9` is several)."""
    nomatch: bool = False
    has_physdev: bool = False
    """The device of a net,iface entry is a bridge port."""


def member_of(words: str, kinds: tuple[str, ...]) -> Member:
    """The entry that the words stand for.

    Args:
        words: As `ipset save` prints it behind the set's name, options included.
        kinds: The dimensions of the set's type (`ip`, `net`, `port`, `mac`, `mark`, `iface`).

    Raises:
        NotUnderstoodError: The words do not fit the type.
    """
    element, *options = (_COMMENT.sub("", words) if '"' in words else words).split()
    parts = _parts(element, kinds)
    device = parts[kinds.index("iface")] if "iface" in kinds else ""
    has_physdev = device.startswith("physdev:")
    keys: list[tuple[Key, ...]] = []
    for part, kind in zip(parts, kinds, strict=False):
        if kind == "iface":
            name = part.removeprefix("physdev:")
            keys.append((NamePattern(name, "wildcard" in options),))
        else:
            keys.append(tuple(_keys(part, kind)))
    return Member(tuple(keys), "nomatch" in options, has_physdev)


def _parts(element: str, kinds: tuple[str, ...]) -> list[str]:
    """The words of each dimension; a bitmap:ip,mac entry may lack its second."""
    parts = element.split(",", len(kinds) - 1)
    if len(parts) != len(kinds):
        raise NotUnderstoodError(element)
    return parts


def _keys(part: str, kind: str) -> Iterator[Key]:
    if kind in ("ip", "net"):
        yield from _prefixes(part)
    elif kind == "port":
        yield from _ports(part)
    elif kind == "mark":
        number = read.number(part)
        if number is None:
            raise NotUnderstoodError(part)
        yield number
    else:
        yield part.lower()


def _prefixes(part: str) -> Iterator[tuple[int, int]]:
    plain = read.plain_ipv4(part)
    if plain is not None:
        yield plain
        return
    first, dash, last = part.partition("-")
    try:
        if dash and "/" not in last:
            for network in summarize_address_range(ip_address(first), ip_address(last)):
                yield network.prefixlen, int(network.network_address)
            return
    except (ValueError, TypeError):
        raise NotUnderstoodError(part) from None
    found = read.networks(part)
    if found is None or len(found) != 1:
        raise NotUnderstoodError(part)
    yield found[0].prefixlen, int(found[0].network_address)


def _ports(part: str) -> Iterator[tuple[int, int]]:
    name, colon, rest = part.partition(":")
    protocol = read.protocol(name) if colon else _TCP
    words = rest if colon else part
    if protocol is None:
        raise NotUnderstoodError(part)
    if protocol in (_ICMP, _ICMPV6):
        yield protocol, _icmp(words, 4 if protocol == _ICMP else 6)
        return
    first, dash, last = words.partition("-")
    low, high = read.port(first), read.port(last if dash else first)
    if low is None or high is None or high - low >= _MOST_EXPANDED:
        raise NotUnderstoodError(part)
    for port in range(low, high + 1):
        yield protocol, port


def _icmp(words: str, version: int) -> int:
    """Type and code in the 16 bits where ipset keeps the port."""
    found = read.icmp(words, version)
    if found is None or found[0] is None:
        number = read.number(words)
        if number is None:
            raise NotUnderstoodError(words)
        return number
    return found[0] << 8 | (found[1].first if found[1] is not None else 0)

"""Values of an nft condition: single words, numbers, addresses; None where not understood in full."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import summarize_address_range

from calitop.formats import iptables_values as read
from calitop.formats.nft_fields import Relation, items
from calitop.model.values import Network, Range, Side

SINGLE = ("", "==", "!=")
"""Comparisons that ask for (un)equality."""

SIDES: Mapping[str, Side] = {"saddr": "src", "daddr": "dst", "sport": "src", "dport": "dst"}
"""Fields and the end of the packet's way that they speak of."""

_MOST_NETWORKS = 256


def plain_values(relation: Relation) -> tuple[str, ...] | None:
    """The values of an (un)equality without operators; None for anything else."""
    if relation.changes or relation.sign not in SINGLE:
        return None
    return items(relation.value)


def one_value(relation: Relation) -> str | None:
    """The one value of an (un)equality."""
    found = plain_values(relation)
    return found[0] if found is not None and len(found) == 1 else None


def networks_of(found: tuple[str, ...]) -> tuple[Network, ...] | None:
    """The networks that addresses, prefixes and ranges make up; None where one is none of these."""
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


def ranges_of(relation: Relation, highest: int) -> tuple[Range, ...] | None:
    """Numbers of an (un)equality, or the range of `<`, `>`, `<=`, `>=`."""
    found = items(relation.value)
    if relation.changes or found is None:
        return None
    if relation.sign in SINGLE:
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


def one_range(relation: Relation, highest: int) -> tuple[Range, bool] | None:
    """One range, and whether it is negated."""
    ranges = ranges_of(relation, highest)
    return (ranges[0], relation.sign == "!=") if ranges is not None and len(ranges) == 1 else None

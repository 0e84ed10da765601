"""Elements of nft's own sets and maps, read as the conditions that they are.

An element is the words of the key, each with its value: so `"cali1" . 80` under `iifname . th dport`
is tested as the rule `iifname "cali1" th dport 80` would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from calitop.formats.spec import spec_of_text
from calitop.model.matches import InSet, Match
from calitop.model.node import IpSet
from calitop.model.rules import ChainKey, TableKey, VerdictMap
from calitop.model.spec import RuleSpec
from calitop.path.ipsets import Members
from calitop.path.packet import Packet
from calitop.path.three import Truth, some
from calitop.path.world import World

Elements = Sequence[tuple[str, str | None]]
RuleHolds = Callable[[RuleSpec, Packet, World], Truth]

_ADDRESSES = {"ipv4_addr": ("ipv4", "inet"), "ipv6_addr": ("ipv6", "inet6")}
_FIELDS: dict[str, Callable[[Packet], object]] = {
    "ip saddr": lambda packet: packet.src,
    "ip daddr": lambda packet: packet.dst,
    "ip6 saddr": lambda packet: packet.src,
    "ip6 daddr": lambda packet: packet.dst,
    "iifname": lambda packet: packet.iif,
    "oifname": lambda packet: packet.oif,
}
_SEVERAL = frozenset("/-*")
"""What stands in an element for more than one value."""


def near(known: Elements, key: str, packet: Packet) -> Iterator[tuple[str, str | None]]:
    """The elements worth testing: those that name the packet's own value of the first field, or several.

    Args:
        known: Key and value of each element.
        key: The fields of the key in nft's words, joined by dots.
        packet: The packet.
    """
    field = _FIELDS.get(key.partition(" . ")[0])
    value = field(packet) if field is not None else None
    own = None if value is None or str(value).endswith("+") else str(value)
    for name, verdict in known:
        first = name.partition(" . ")[0]
        if own is None or first.strip('"') == own or not _SEVERAL.isdisjoint(first):
            yield name, verdict


def condition(key: str, name: str) -> RuleSpec:
    """What an element asks: `ip daddr . th dport` with `10.0.0.1 . 80`."""
    fields, values = key.split(" . "), name.split(" . ")
    pairs = zip(fields, values, strict=True) if len(fields) == len(values) else [(key, name)]
    return spec_of_text(" ".join(f"{one} {value}" for one, value in pairs), "nft")


def in_set(match: Match, table: TableKey, packet: Packet, world: World, holds: RuleHolds) -> Truth:
    """Whether a packet fits an element of a set of the rule's table; None where that is not known.

    Args:
        match: A lookup in a named set, of which the words are read.
        table: The table of the rule.
        packet: The packet.
        world: The node.
        holds: Tests an element's condition.
    """
    *fields, name = (word for word in match.words if word not in ("!=", "=="))
    found = world.nft_sets.get(table.chain(name.removeprefix("@")))
    if found is None or found.is_map:
        return None
    key = " ".join(fields)
    if isinstance(match, InSet) and match.directions and (addresses := as_ipset(found)) is not None:
        truth = _has_address(addresses, table.chain(found.name), match, packet, world)
    else:
        truth = some(
            holds(condition(key, words), packet, world) for words, _ in near(found.elements, key, packet)
        )
    return None if truth is False and not found.complete else truth


def _has_address(found: IpSet, key: ChainKey, match: InSet, packet: Packet, world: World) -> Truth:
    """The same for a set of addresses, by prefix."""
    members = world.nft_members(key, lambda: Members(found, lambda name: None))
    there = members.match(packet, match.directions)
    return None if there is None else there == "in"


def as_ipset(found: VerdictMap) -> IpSet | None:
    """A set of addresses as an ipset of networks; None for a set of anything else."""
    if found.is_map or found.type not in _ADDRESSES:
        return None
    _, family = _ADDRESSES[found.type]
    words = tuple(name for name, _ in found.elements)
    return IpSet(found.name, "hash:net", words, (("family", family),))


def other_family(match: InSet, packet: Packet) -> bool:
    """Whether a lookup of an address is of the other family, which no packet fits, negated or not."""
    wanted = {"ip": "ipv4", "ip6": "ipv6"}.get(match.words[0]) if match.words else None
    return wanted is not None and wanted != packet.family

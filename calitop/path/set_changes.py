"""Membership in sets that a rule on the packet's way has changed (SET; nft's add, update and delete).

What was captured is older than the packet: a set that a rule on the way has changed for its addresses
has another answer for them from there on.

Source: set_target_v3 in net/netfilter/xt_set.c, hash_net4_kadt in net/netfilter/ipset/ip_set_hash_net.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from calitop.model.matches import InSet
from calitop.model.rules import TableKey
from calitop.model.targets import ChangeSet
from calitop.path.flight import Flight, SetChange
from calitop.path.packet import ICMP, ICMPV6, Packet
from calitop.path.three import Truth, every, negation
from calitop.path.world import World

_MASKS = frozenset(("netmask", "bitmask", "markmask"))


def changed(action: ChangeSet, flight: Flight, world: World, table: TableKey) -> Flight:
    """The way behind a rule that changes a set.

    Args:
        action: What the rule does.
        flight: The way so far.
        world: The node.
        table: The rule's table.
    """
    change = SetChange(world, _owner(table), action.name, action.directions, action.add, flight.packet)
    return replace(flight, set_changes=(*flight.set_changes, change))


def membership(match: InSet, flight: Flight, world: World, table: TableKey | None, captured: Truth) -> Truth:
    """Whether a lookup in a set holds behind what the way has changed.

    Args:
        match: The lookup.
        flight: The way, with its packet as it is asked.
        world: The node.
        table: The rule's table.
        captured: What the captured members answer.
    """
    truth = negation(captured) if match.negated else captured
    for change in flight.set_changes:
        if change.world is world and change.table == _owner(table):
            truth = _behind(change, match, flight.packet, truth)
    return negation(truth) if match.negated else truth


def _owner(table: TableKey | None) -> TableKey | None:
    """Whose sets a table's rules name: its own ones in nft, else the node's ipsets."""
    return table if table is not None and table.backend == "native" else None


def _behind(change: SetChange, match: InSet, packet: Packet, before: Truth) -> Truth:
    if change.name != match.name:
        return None if _are_related(change, match.name) else before
    if match.return_nomatch or match.options or not change.directions:
        return None
    kinds = _kinds(change)
    if len(change.directions) < len(kinds):
        return before  # the kernel refuses to change it
    is_same = _is_same(change, match, packet, kinds)
    is_alone = _is_alone(change)
    if is_same is False and is_alone:
        return before
    is_certain = change.add or is_alone
    return change.add if is_certain and (is_same or before is change.add) else None


def _are_related(change: SetChange, asked: str) -> bool:
    """Whether one of two ipsets may be a list that holds the other."""
    if change.table is not None:
        return False
    found = (change.world.sets.get(name) for name in (change.name, asked))
    return any(one is not None and one.type == "list:set" for one in found)


def _is_alone(change: SetChange) -> bool:
    """Whether an entry is for the packet's own values and nothing else.

    In a set of networks it is as long as the longest there, in one of nft's it may be part of an interval.
    """
    if change.table is not None:
        return change.add
    found = change.world.sets.get(change.name)
    is_wide = found is None or "net" in found.type or found.type == "list:set"
    return not is_wide and found is not None and _MASKS.isdisjoint(dict(found.options))


def _kinds(change: SetChange) -> Sequence[str]:
    """What the set looks at, by dimension; all that one can where the set was not captured."""
    if change.table is not None:
        return ("ip",)
    found = change.world.sets.get(change.name)
    return () if found is None or found.type == "list:set" else found.type.partition(":")[2].split(",")


def _is_same(change: SetChange, match: InSet, packet: Packet, kinds: Sequence[str]) -> Truth:
    """Whether the packet has now what was added or taken out then."""
    sides = zip(change.directions, match.directions, strict=False)
    whole = ("ip", "port", "iface")
    asked = ((side, other, (kinds[at],) if kinds else whole) for at, (side, other) in enumerate(sides))
    return every(
        _equal(_value(change.packet, side, kind), _value(packet, other, kind))
        for side, other, looked_at in asked
        for kind in looked_at
    )


def _equal(one: object, other: object) -> Truth:
    return None if one is None or other is None else one == other


def _value(packet: Packet, side: str, kind: str) -> object:
    """What a packet has for one dimension of a set; None where that is not known."""
    is_src = side == "src"
    if kind in ("ip", "net"):
        return packet.src if is_src else packet.dst
    if kind == "port":
        return _port(packet, packet.sport if is_src else packet.dport)
    if kind == "iface":
        return packet.iif if is_src else packet.oif
    return packet.mark.number if kind == "mark" else packet.mac_source


def _port(packet: Packet, port: int | None) -> object:
    is_icmp = packet.protocol in (ICMP, ICMPV6)
    values = (packet.icmp_type, packet.icmp_code) if is_icmp else (port,)
    return None if packet.protocol is None or None in values else (packet.protocol, values)

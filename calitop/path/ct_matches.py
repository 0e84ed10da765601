"""Matches that ask conntrack: state, status, direction, the connection's own addresses.

A packet without a connection meets only tests of the state; every other one fails for it, negated
or not, as do tests of the connection mark.

Source: conntrack_mt in net/netfilter/xt_conntrack.c, connmark_mt in net/netfilter/xt_connmark.c.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from calitop.model import matches, values
from calitop.model.values import in_any
from calitop.path.packet import ESTABLISHED, NEW, NOWHERE, RELATED, UNSEEN, Ends, Packet
from calitop.path.three import Truth, agreed, every, negation, some

M = TypeVar("M", bound=matches.Match)


def _of_connection(test: Callable[[M, Packet], Truth]) -> Callable[[M, Packet], Truth]:
    """The test with its negation, for packets that have a connection; False for those without."""

    @wraps(test)
    def whole(match: M, packet: Packet) -> Truth:
        found = test(match, packet)
        return every((packet.is_tracked, negation(found) if match.negated else found))

    return whole


def state(match: matches.CtState, packet: Packet) -> Truth:
    """Whether the packet's state is among those of the match."""
    found = agreed(_in_state(match.states, one, packet) for one in packet.ct_state)
    return negation(found) if match.negated else found


def _in_state(wanted: frozenset[str], own: str, packet: Packet) -> Truth:
    if own in wanted:
        return True
    if own in UNSEEN:
        return False
    asked = ((("SNAT", packet.snat)), ("DNAT", packet.dnat))
    return some(truth for name, truth in asked if name in wanted)


@_of_connection
def mark(match: matches.Mark, packet: Packet) -> Truth:
    """A test of the connection mark."""
    return packet.connmark.test(match.value, match.mask)


@_of_connection
def status(match: matches.CtStatus, packet: Packet) -> Truth:
    """Whether the connection has one of the statuses; NONE is none of them and never holds."""
    seen = packet.ct_state - UNSEEN
    return some(agreed(_has(name, one, packet) for one in seen) for name in match.statuses)


def _has(name: str, own: str, packet: Packet) -> Truth:
    """Whether a connection whose packet has this state has the status."""
    if name == "NONE":
        return False
    if name == "SEEN_REPLY":
        return None if own == RELATED else own == ESTABLISHED
    if name == "ASSURED":
        return False if own == NEW else None
    if name == "CONFIRMED":
        return True if own == ESTABLISHED else _is_confirmed(packet)
    if name == "EXPECTED":
        return False if own == NEW else None
    return None


def _is_confirmed(packet: Packet) -> Truth:
    """Whether the first direction of a connection has made its entry: a first packet does in the end."""
    if packet.original == NOWHERE:
        return None
    return packet.replying != NOWHERE


@_of_connection
def direction(match: matches.CtDirection, packet: Packet) -> Truth:
    """Whether the packet goes in this direction of its connection."""
    if packet.ct_state <= {NEW, *UNSEEN}:
        return match.direction == "original"
    return None if packet.direction is None else packet.direction == match.direction


@_of_connection
def protocol(match: matches.CtProtocol, packet: Packet) -> Truth:
    """The connection's protocol; that of an ICMP error's connection is not known."""
    if packet.protocol is None or RELATED in packet.ct_state:
        return None
    return packet.protocol in match.numbers


@_of_connection
def address(match: matches.CtAddress, packet: Packet) -> Truth:
    """An address of one direction of the connection."""
    ends = ends_of(packet, match.direction)
    own = ends.src if match.side == "src" else ends.dst
    if own is None:
        return None
    return any(own in network for network in match.networks if network.version == own.version)


@_of_connection
def ports(match: matches.CtPorts, packet: Packet) -> Truth:
    """A port of one direction of the connection."""
    ends = ends_of(packet, match.direction)
    own = ends.sport if match.side == "src" else ends.dport
    return None if own is None else in_any(own, match.ranges)


def ends_of(packet: Packet, direction: values.Direction) -> Ends:
    """Both ends of a direction of the packet's connection, as far as they follow.

    The packet itself tells them where it is known that nothing was rewritten.
    """
    told = packet.original if direction == "original" else packet.replying
    if told != NOWHERE:
        return told
    if direction == "reply" and packet.ct_state == {NEW} and packet.original != NOWHERE:
        return packet.ends.turned()  # A first packet: its answers will come to where it goes now.
    way = "original" if packet.ct_state <= {NEW, *UNSEEN} else packet.direction
    plain = packet.snat is False and packet.dnat is False and RELATED not in packet.ct_state
    if way is None or not plain:
        return NOWHERE
    return packet.ends if way == direction else packet.ends.turned()

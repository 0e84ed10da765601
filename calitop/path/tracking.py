"""Connection tracking of one node, as far as a packet's way tells what it has seen.

A first packet is NEW. An answer is ESTABLISHED only on nodes that saw the request; elsewhere an echo
reply or a SYN-ACK belongs to nothing and is INVALID.

Source: nf_conntrack_in in net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_{icmp,tcp}.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

from calitop.model.node import FlowTuple
from calitop.model.place import Where
from calitop.path.bits import NO_MARK, UNKNOWN, Bits
from calitop.path.flight import Condition, Connection, End, Flight
from calitop.path.node import Node
from calitop.path.packet import (
    ANY_STATE,
    ESTABLISHED,
    ICMP,
    ICMPV6,
    INVALID,
    NEW,
    NOWHERE,
    RELATED,
    TCP,
    UNSEEN,
    UNTRACKED,
    Ends,
    Packet,
)

_ICMP_REQUESTS = {ICMP: (8, 13, 15, 17), ICMPV6: (128,)}
_ICMP_ERRORS = {ICMP: (3, 4, 5, 11, 12), ICMPV6: (1, 2, 3, 4)}
_NEIGHBOUR_DISCOVERY = range(130, 138)
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10


def unseen(packet: Packet) -> Packet:
    """The packet as rules before conntrack see it."""
    return replace(packet, ct_state=frozenset((INVALID,)))


def forgotten(packet: Packet) -> Packet:
    """The packet as it comes to another node or out of a tunnel: nothing of a connection sticks to it."""
    return replace(
        packet,
        ct_state=ANY_STATE,
        connmark=NO_MARK,
        direction=None,
        dnat=None,
        snat=None,
        bound=frozenset(),
        original=NOWHERE,
        replying=NOWHERE,
    )


def tracked(node: Node, flight: Flight) -> tuple[list[Flight], list[End]]:
    """The ways behind conntrack: one for each state that the packet can have there."""
    packet = flight.packet
    if packet.ct_state == {UNTRACKED}:
        return [flight.carrying(replace(packet, dnat=False, snat=False))], []
    seen = _seen_here(node, packet, flight.connections)
    if seen is not None:
        return [flight.carrying(seen)], []
    listed = next(_listed(node, packet), None)
    if listed is not None:
        told = f"conntrack of {node.name} has this connection already"
        return [replace(flight.carrying(listed), assumed=(*flight.assumed, told))], []
    states = sorted(_first_states(node, packet))
    ways = [_in_state(node, flight, state, at, len(states)) for at, state in enumerate(states)]
    return _if_not_full(node, ways)


def _in_state(node: Node, flight: Flight, state: str, at: int, of: int) -> Flight:
    packet = replace(
        flight.packet,
        ct_state=frozenset((state,)),
        connmark=NO_MARK if state == NEW else UNKNOWN if state == RELATED else NO_MARK,
        dnat=False if state != RELATED else None,
        snat=False if state != RELATED else None,
        direction="original" if state == NEW else None,
        original=flight.packet.ends if state == NEW else NOWHERE,
    )
    changed = flight.carrying(packet)
    if of == 1:
        return changed
    asked = ("state", node.name, flight.packet.ends)
    words = f"conntrack of {node.name} takes it for {state}"
    return changed.assuming(Condition(asked, at, of, words, f"conntrack -L of {node.name}"))


def known(packet: Packet) -> Packet:
    """A first packet whose connection is confirmed, as it comes in again by the loopback device."""
    return replace(packet, replying=packet.ends.turned()) if packet.ct_state == {NEW} else packet


def confirmed(node: Node, flight: Flight) -> Flight:
    """The flight when it leaves the node's hooks: a first packet has made its entry."""
    packet = flight.packet
    if packet.ct_state != {NEW} or packet.replying != NOWHERE:
        return flight
    entry = Connection(node.name, packet.protocol, packet.original, packet.ends.turned(), packet.connmark)
    return replace(flight, connections=(*flight.connections, entry))


# -- what this node has seen


def _seen_here(node: Node, packet: Packet, connections: tuple[Connection, ...]) -> Packet | None:
    """The packet as part of a connection that this way has made on the node."""
    for one in reversed(connections):
        if one.node != node.name or one.protocol != packet.protocol:
            continue
        if one.replying == packet.ends:
            return _part_of(packet, one.original, one.replying, one.mark, answer=True)
        if one.original == packet.ends or one.replying.turned() == packet.ends:
            return _part_of(packet, one.original, one.replying, one.mark, answer=False)
    return None


def _part_of(packet: Packet, original: Ends, replying: Ends, mark: Bits, *, answer: bool) -> Packet:
    """The packet with what its connection tells."""
    behind = replying.turned()
    return replace(
        packet,
        ct_state=frozenset((ESTABLISHED if answer else NEW,)),
        direction="reply" if answer else "original",
        original=original,
        replying=replying,
        connmark=mark,
        dnat=(original.dst, original.dport) != (behind.dst, behind.dport),
        snat=(original.src, original.sport) != (behind.src, behind.sport),
    )


def _listed(node: Node, packet: Packet) -> Iterator[Packet]:
    """The packet as part of a connection that `conntrack -L` shows, where all of its ends are known."""
    if None in (packet.sport, packet.dport):
        return
    for entry in node.state.conntrack:
        if entry.protocol not in _PROTOCOL_NAMES.get(packet.protocol or -1, ()):
            continue
        original, replying = _ends(entry.original), _ends(entry.reply)
        if packet.ends in (original, replying):
            mark = UNKNOWN if entry.mark is None else Bits(entry.mark)
            found = _part_of(packet, original, replying, mark, answer=packet.ends == replying)
            is_answered = "UNREPLIED" not in entry.flags
            yield replace(found, ct_state=frozenset((ESTABLISHED,))) if is_answered else found
            return


def _ends(one: FlowTuple) -> Ends:
    src, dst = (None if text is None else ip_address(text) for text in (one.src, one.dst))
    return Ends(src, dst, one.sport, one.dport)


_PROTOCOL_NAMES = {TCP: ("tcp", "6"), 17: ("udp", "17"), 132: ("sctp", "132")}


# -- what it has not seen


def _first_states(node: Node, packet: Packet) -> frozenset[str]:
    """The states of a packet that belongs to no entry."""
    if packet.protocol in (ICMP, ICMPV6):
        return _icmp_states(packet)
    if packet.protocol == TCP:
        return _tcp_states(node, packet)
    if packet.protocol is None:
        return frozenset((NEW, INVALID))
    return frozenset((NEW,))


def _icmp_states(packet: Packet) -> frozenset[str]:
    kind, protocol = packet.icmp_type, packet.protocol or 0
    if kind is None:
        return frozenset((NEW, INVALID))
    if kind in _ICMP_REQUESTS[protocol]:
        return frozenset((NEW,))
    if protocol == ICMPV6 and kind in _NEIGHBOUR_DISCOVERY:
        return frozenset((UNTRACKED,))
    return frozenset((RELATED, INVALID)) if kind in _ICMP_ERRORS[protocol] else frozenset((INVALID,))


def _tcp_states(node: Node, packet: Packet) -> frozenset[str]:
    flags = packet.tcp_flags
    if flags.test(_FIN, _FIN | _RST) is True or flags.test(0, _SYN | _FIN | _ACK | _RST) is True:
        return frozenset((INVALID,))
    if flags.test(_SYN, _SYN | _ACK | _RST) is True and flags.test(0, _FIN) is True:
        return frozenset((NEW,))
    if flags.test(_SYN | _ACK, _SYN | _ACK) is True or flags.test(_RST, _RST) is True:
        return frozenset((INVALID,))
    loose = node.world.sysctl("net.netfilter.nf_conntrack_tcp_loose")
    if flags.test(_ACK, _SYN | _ACK | _RST) is True and loose is not None:
        return frozenset((NEW,)) if loose else frozenset((INVALID,))
    return frozenset((NEW, INVALID))


def _if_not_full(node: Node, ways: list[Flight]) -> tuple[list[Flight], list[End]]:
    """The ways where the table may be full: a new entry then needs another one to be given up."""
    count, limit = (node.world.sysctl(f"net.netfilter.nf_conntrack_{name}") for name in ("count", "max"))
    if count is None or not limit or count < limit:
        return ways, []
    asked = ("conntrack full", node.name)
    missing = f"conntrack -S of {node.name} before and after a ping"
    on, ended = [], []
    for flight in ways:
        if flight.packet.ct_state <= UNSEEN:
            on.append(flight)
            continue
        full = flight.assuming(Condition(asked, 1, 2, "no entry can be given up for it", missing))
        where = Where(node=node.name, kind="kernel", name="conntrack_full")
        because = f"the conntrack table of {node.name} is full ({count} of {limit})"
        ended.append(End(full, "dropped", where, because))
        on.append(flight.assuming(Condition(asked, 0, 2, "another entry is given up for it", missing)))
    return on, ended

"""One packet at one place of its way, of which not everything need be known.

None means unknown everywhere. A device that the packet does not have at this place (no output
device in PREROUTING, no input device when sent locally) is the empty name, as in the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

from calitop.model.network import IpFamily
from calitop.model.values import Address, Direction
from calitop.path.bits import UNKNOWN, Bits

NO_DEVICE = ""
"""The packet has no such device at this place."""

NEW, ESTABLISHED, RELATED = "NEW", "ESTABLISHED", "RELATED"
INVALID, UNTRACKED = "INVALID", "UNTRACKED"
UNSEEN = frozenset((INVALID, UNTRACKED))
"""States without a conntrack entry. Before conntrack (table raw) rules see INVALID."""
ANY_STATE = frozenset((NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED))

ICMP, IPIP, TCP, UDP, ICMPV6 = 1, 4, 6, 17, 58
WITH_PORTS = frozenset((TCP, UDP, 33, 132, 136))
"""Protocols whose header begins with the ports: tcp, udp, dccp, sctp, udplite."""

_REPLY_TYPES = {(ICMP, 8): 0, (ICMP, 13): 14, (ICMP, 17): 18, (ICMPV6, 128): 129}


@dataclass(frozen=True, slots=True)
class Ends:
    """Addresses and ports of one direction of a connection."""

    src: Address | None = None
    dst: Address | None = None
    sport: int | None = None
    dport: int | None = None

    def turned(self) -> Ends:
        """The same ends seen from the other side."""
        return Ends(self.dst, self.src, self.dport, self.sport)


NOWHERE = Ends()


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet at one place of its way."""

    family: IpFamily
    src: Address | None = None
    dst: Address | None = None
    protocol: int | None = None
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    tcp_flags: Bits = UNKNOWN
    """Bits as in the TCP header (SYN is 2)."""
    iif: str | None = None
    """Input device; `NO_DEVICE` where there is none."""
    oif: str | None = None
    """Output device; `NO_DEVICE` where there is none."""
    mark: Bits = UNKNOWN
    connmark: Bits = UNKNOWN
    ct_state: frozenset[str] = ANY_STATE
    """The states it can have; several mean that it is not known which."""
    direction: Direction | None = None
    dnat: bool | None = None
    """Whether its connection's destination is rewritten."""
    snat: bool | None = None
    bound: frozenset[str] = frozenset()
    """Which of `dnat` and `snat` rules have decided already, also where that left the ends as they were."""
    original: Ends = NOWHERE
    """The connection's first direction, before any rewriting."""
    replying: Ends = NOWHERE
    """The connection's other direction, as the answers arrive."""
    length: int | None = None
    """Bytes, layer 3 header included."""
    ttl: int | None = None
    tos: int | None = None
    fragment: bool | None = False
    """Whether it is a second or later fragment."""
    dont_fragment: bool | None = None
    """Whether it may not be cut where it is too long (DF; always so for IPv6)."""
    mac_source: str | None = None
    """Source of the Ethernet frame it came in, lower case."""
    has_socket: bool | None = None
    """Whether a socket of this host sends it."""
    uid: int | None = None
    gid: int | None = None
    outer: Packet | None = None
    """The tunnel packet around it, while it travels in one."""

    @property
    def is_tracked(self) -> bool | None:
        """Whether conntrack has an entry for it."""
        if self.ct_state <= UNSEEN:
            return False
        return None if self.ct_state & UNSEEN else True

    @property
    def ends(self) -> Ends:
        """Its addresses and ports as they are now."""
        return Ends(self.src, self.dst, self.sport, self.dport)

    def reply(self) -> Packet:
        """The answer as the other end sends it: addresses and ports turned round, nothing else known."""
        kind = None
        if self.protocol is not None and self.icmp_type is not None:
            kind = _REPLY_TYPES.get((self.protocol, self.icmp_type))
        return Packet(
            family=self.family,
            src=self.dst,
            dst=self.src,
            protocol=self.protocol,
            sport=self.dport,
            dport=self.sport,
            icmp_type=kind,
            icmp_code=None if kind is None else 0,
        )

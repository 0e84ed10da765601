"""The conditions of a rule: one record for each kind of match that calitop can evaluate.

A record is only used where calitop knows exactly what the words mean. Everything else is
an `Unknown` that keeps its words. Within one record the alternatives of a tuple are ored.
Nothing here knows how any program spells a match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from calitop.model.values import Address, Direction, NamePattern, Network, Option, Range, Side, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One condition of a rule; the children say which."""

    words: tuple[str, ...] = ()
    """The source's words for it, unquoted, a `-m module` that introduces it included."""
    at: tuple[int, ...] = ()
    """Place of each of these words in `RuleSpec.words`."""
    negated: bool = False
    """The rule matches where the condition does *not* hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Match):
    """A condition that calitop does not evaluate: a module or option it does not know in full."""

    module: str | None = None
    """The match module (`recent`, `bpf`), None for an option of no known module."""
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Always(Match):
    """Holds for every packet the rule's other matches let through (`-m tcp` without options)."""

    module: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(Match):
    """A remark; holds always."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface(Match):
    """The device a packet came in by or goes out by."""

    way: Way
    names: tuple[NamePattern, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Physdev(Match):
    """The bridge port, or with `names` empty a fact about bridging."""

    way: Way | None
    names: tuple[NamePattern, ...] = ()
    fact: Literal["is-in", "is-out", "is-bridged"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceGroup(Match):
    """The group number of the device."""

    way: Way
    value: int
    mask: int = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class IpAddress(Match):
    """Source or destination address lies in one of the networks."""

    side: Side
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRange(Match):
    """Source or destination address lies between two addresses, both included."""

    side: Side
    first: Address
    last: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol(Match):
    """The layer 4 protocol; number 0 in iptables' `-p all` stands for every one."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment(Match):
    """The packet is a second or later fragment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports(Match):
    """Source port, destination port, or with `side` None either of them."""

    side: Side | None
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpFlags(Match):
    """Of the flags in `mask` exactly those in `flags` are set (bits as in the TCP header)."""

    mask: int
    flags: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpOption(Match):
    """The TCP option of that number is present."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Icmp(Match):
    """ICMP type and codes."""

    version: Literal[4, 6]
    type: int | None
    """None: any type."""
    codes: Range | None = None
    """None: any code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Match):
    """(mark & mask) == value."""

    of: Literal["packet", "connection"]
    value: int
    mask: int = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class CtState(Match):
    """Connection state: NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED, SNAT, DNAT."""

    states: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CtStatus(Match):
    """Connection status: NONE, EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED."""

    statuses: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CtDirection(Match):
    """The packet's direction in its connection."""

    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class CtProtocol(Match):
    """Protocol of the connection."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CtAddress(Match):
    """Address in one direction of the connection."""

    direction: Direction
    side: Side
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CtPorts(Match):
    """Port in one direction of the connection."""

    direction: Direction
    side: Side
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CtExpire(Match):
    """Remaining lifetime of the connection in seconds."""

    seconds: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class InSet(Match):
    """Membership in an ipset (or nft named set)."""

    name: str
    directions: tuple[str, ...]
    """`src` and `dst` per dimension of the set; () where nft names the field itself."""
    return_nomatch: bool = False
    options: tuple[Option, ...] = ()
    """Counter options that narrow the match further (`packets-gt`); not evaluated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddrType(Match):
    """Kind of an address by the routing table (LOCAL, UNICAST, BROADCAST …)."""

    src: frozenset[str] | None = None
    src_negated: bool = False
    dst: frozenset[str] | None = None
    dst_negated: bool = False
    limit: Way | None = None
    """Only addresses of the device the packet came in by or goes out by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RpFilter(Match):
    """The way back to the source leads out of the device it came in by (`negated`: does not)."""

    loose: bool = False
    validmark: bool = False
    accept_local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mac(Match):
    """Source address of the Ethernet frame, lower case."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Length(Match):
    """Length of the packet in bytes, layer 3 header included."""

    bytes: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Ttl(Match):
    """TTL or hop limit."""

    values: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Dscp(Match):
    """Differentiated services code point, 0 to 63."""

    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tos(Match):
    """(tos & mask) == value."""

    value: int
    mask: int = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketType(Match):
    """Link layer type: unicast, broadcast, multicast."""

    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Match):
    """Owner of the sending socket; holds for packets of this host only."""

    of: Literal["uid", "gid", "socket"]
    ids: Range | None = None
    """None where a socket must merely exist, or the source gives a name."""
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket(Match):
    """A socket of this host takes the packet."""

    transparent: bool = False
    nowildcard: bool = False
    restore_skmark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Match):
    """A token bucket: holds while tokens are left."""

    per_day: float | None
    """Average rate; None where the words cannot be read."""
    burst: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic(Match):
    """A share of the packets: by chance (`probability`), or every nth from `packet` on."""

    probability: float | None = None
    every: int | None = None
    packet: int = 0

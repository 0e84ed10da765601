"""What one rule says: its matches in order, its target with its options, its comments.

Made from a rule's text by `calitop.formats.spec.spec`, for both languages; later work
evaluates these records, so a record is only used where calitop knows exactly what the
words mean. Everything else is an `Unknown` that keeps its words. All matches of a rule
must hold (logical and); within one record the alternatives of a tuple are ored.

This file knows nothing about how any program spells a match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, NamedTuple, TypeVar

from calitop.model.rules import Verb

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Side = Literal["src", "dst"]
Way = Literal["in", "out"]
Direction = Literal["original", "reply"]


class NamePattern(NamedTuple):
    """A device name, or with `prefix` the beginning of one (`cali+` is `cali`, True)."""

    text: str
    prefix: bool = False

    def fits(self, device: str) -> bool:
        """Whether a device of that name is meant."""
        return device.startswith(self.text) if self.prefix else device == self.text


class Range(NamedTuple):
    """Whole numbers from `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last


class Option(NamedTuple):
    """One option with its values, without its leading dashes: (`limit`, (`1/sec`,), False)."""

    name: str
    values: tuple[str, ...] = ()
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One condition of a rule; the children say which."""

    words: tuple[str, ...] = ()
    """The source's words for it, unquoted, a `-m module` that introduces it included."""
    at: tuple[int, ...] = ()
    """Place of each of these words in `RuleSpec.words`."""
    negated: bool = False
    """The rule matches where the condition does *not* hold."""


M = TypeVar("M", bound=Match)


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


# --- targets


@dataclass(frozen=True, slots=True)
class SetMark:
    """new = (old & ~mask) ^ value."""

    of: Literal["packet", "connection"]
    value: int
    mask: int

    def apply(self, old: int) -> int:
        """The mark after the rule, 32 bit."""
        return ((old & ~self.mask) ^ self.value) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class CopyMark:
    """to = (to & ~to_mask) ^ (from & from_mask), as CONNMARK save and restore do."""

    restore: bool
    """True: connection mark to packet mark; False: packet mark to connection mark."""
    packet_mask: int = 0xFFFFFFFF
    connection_mask: int = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class NatRange:
    """Addresses and ports to choose from; None where the rule leaves them alone."""

    first: Address | None = None
    last: Address | None = None
    ports: Range | None = None


@dataclass(frozen=True, slots=True)
class Nat:
    """Rewrites addresses or ports of a connection."""

    kind: Literal["dnat", "snat", "masquerade", "redirect", "netmap"]
    ranges: tuple[NatRange, ...] = ()
    network: Network | None = None
    """Of netmap only."""
    flags: frozenset[str] = frozenset()
    """random, random-fully, persistent."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Drops and answers."""

    answer: str | None = None
    """`icmp-port-unreachable`, `tcp-reset` …; None for the program's default."""


@dataclass(frozen=True, slots=True)
class Track:
    """Connection tracking of the packet to come."""

    notrack: bool = False
    helper: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Tproxy:
    """Hands the packet to a local socket without changing it."""

    address: Address | None = None
    port: int | None = None
    mark: SetMark | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """Writes to the log or to a netlink group; the packet goes on."""

    prefix: str | None = None
    level: str | None = None
    group: int | None = None
    """None for the kernel log."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Hands the packet to a program."""

    numbers: Range
    bypass: bool = False


@dataclass(frozen=True, slots=True)
class SetField:
    """Rewrites a header field that no routing decision of calitop looks at: dscp, tos, mss, ttl, checksum."""

    field: Literal["dscp", "tos", "mss", "ttl", "checksum"]
    value: int | None = None
    """None where it follows from the packet (`--clamp-mss-to-pmtu`, `--checksum-fill`)."""
    mask: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Adds the packet's addresses to a set or takes them out."""

    name: str
    directions: tuple[str, ...]
    add: bool


Action = SetMark | CopyMark | Nat | Reject | Track | Tproxy | Log | Queue | SetField | ChangeSet


@dataclass(frozen=True, slots=True)
class Target:
    """What a rule does with a packet that fits."""

    name: str
    """Chain or target (`ACCEPT`, `MARK`, `cali-FORWARD`); for nft the word of the statement in capitals."""
    verb: Verb = "jump"
    options: tuple[Option, ...] = ()
    """In the order of the source."""
    action: Action | None = None
    """What it does to the packet, where calitop knows; None for a chain, a verdict or an unknown target."""
    words: tuple[str, ...] = ()
    at: tuple[int, ...] = ()
    """Place of each word in `RuleSpec.words`."""


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule, understood as far as calitop can."""

    words: tuple[str, ...]
    """Every word of the text, unquoted; `head`, the matches and the targets share them out."""
    head: tuple[str, ...] = ()
    """Command and chain (`-A`, `INPUT`)."""
    matches: tuple[Match, ...] = ()
    """In the order of the source."""
    targets: tuple[Target, ...] = ()
    """At most one for iptables; nft rules may do several things in order."""
    problems: tuple[str, ...] = ()
    """What could not be read in it, for people."""

    @property
    def chain(self) -> str | None:
        """The chain that the text itself names; None for nft."""
        return self.head[1] if len(self.head) > 1 else None

    @property
    def target(self) -> Target | None:
        """The last thing the rule does: verdict, jump or action; None for a rule that only counts."""
        return self.targets[-1] if self.targets else None

    @property
    def verb(self) -> Verb | None:
        """`goto` or `jump`; None without target."""
        return self.targets[-1].verb if self.targets else None

    @property
    def comments(self) -> tuple[str, ...]:
        """All comments in order."""
        return tuple(match.text for match in self.matches if isinstance(match, Comment))

    @property
    def exact(self) -> bool:
        """Whether every match can be evaluated, given the packet and the node's state."""
        return not any(isinstance(match, Unknown) for match in self.matches)

    def find(self, kind: type[M]) -> Iterator[M]:
        """The matches of one kind, in order."""
        return (match for match in self.matches if isinstance(match, kind))


def in_any(number: int, ranges: Iterable[Range]) -> bool:
    """Whether a number lies in one of the ranges."""
    return any(number in one for one in ranges)

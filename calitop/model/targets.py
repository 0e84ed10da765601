"""What a rule does with a packet that fits: the target, and its effect where calitop knows it.

Nothing here knows how any program spells a target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from calitop.model.rules import Verb
from calitop.model.values import Address, Network, Option, Range


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
    change: int = 0
    """What is added to the field where no value is put in (`--ttl-dec 1`: -1)."""


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

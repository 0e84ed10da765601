"""What the kernel's picture of a legacy table says: one blob of entries, each with its counters.

A blob holds the entries of all chains one after another. A built-in chain runs from its
hook's entry to its underflow, which is its policy. A user chain begins with an ERROR
entry that carries its name and ends with a RETURN of its own. The last entry of all is an
ERROR entry too.

Knows bytes and offsets, no sockets. Source: struct ipt_entry, ipt_getinfo
(include/uapi/linux/netfilter_ipv4/ip_tables.h), struct ip6t_entry (netfilter_ipv6/ip6_tables.h),
struct xt_entry_target, xt_error_target (netfilter/x_tables.h), as a 64-bit program sees them.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from calitop.model.rules import BUILTIN_CHAINS

Buffer = bytes | bytearray | memoryview

_ERROR = b"ERROR\0"
_STANDARD = b"\0"
_TARGET_NAME, _TARGET_DATA = 2, 32
_ERROR_NAME_LENGTH = 30
_OFFSETS = struct.Struct("=HH")
_VERDICT = struct.Struct("=i")
_POLICIES = {-1: "DROP", -2: "ACCEPT"}
"""Verdicts of a standard target: -NF_DROP - 1, -NF_ACCEPT - 1."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where an entry's fields stand, in bytes from its start."""

    offsets: int
    """`target_offset` and `next_offset`, two of 16 bits."""
    counters: int
    """`counters`: packets and bytes, 64 bits each."""


IPV4 = Layout(offsets=88, counters=96)
IPV6 = Layout(offsets=140, counters=152)


class Shape(NamedTuple):
    """What IPT_SO_GET_INFO says of a table; equal shapes may still hold different rules."""

    valid_hooks: int
    """Bit N is set where hook N (enum nf_inet_hooks) has a chain."""
    hook_entry: tuple[int, ...]
    """Offset of each hook's first entry, bytes."""
    underflow: tuple[int, ...]
    """Offset of each hook's policy, bytes."""
    entries: int
    size: int
    """Bytes."""


class Place(NamedTuple):
    """Where a chain's rules stand among the entries of a blob."""

    first: int
    """Number of the first rule's entry, from 0; the policy or RETURN follows the last rule."""
    rules: int
    policy: str | None
    """ACCEPT or DROP of a built-in chain; None for a user chain."""


@dataclass(frozen=True, slots=True)
class Index:
    """Where everything stands in a blob."""

    chains: Mapping[str, Place]
    """By name, in the blob's order."""
    counters: array[int]
    """Offset of each entry's counters, bytes."""


class StrangeBlob(ValueError):
    """A blob that is not built as the kernel's tables are."""


def index(blob: Buffer, shape: Shape, layout: Layout) -> Index:
    """Walk through a blob once.

    Args:
        blob: The entries of a table, `shape.size` bytes.
        shape: Of the same table.
        layout: Of the same family.

    Raises:
        StrangeBlob: The entries do not add up to the chains of the shape.
    """
    walk = _Walk(shape)
    counters = array("Q")
    place = 0
    try:
        while place < shape.size:
            target_offset, next_offset = _OFFSETS.unpack_from(blob, place + layout.offsets)
            if next_offset <= target_offset:
                raise StrangeBlob(f"an entry at byte {place} without a length")
            target = place + target_offset
            walk.entry(place, blob[target : target + _TARGET_DATA + _ERROR_NAME_LENGTH])
            counters.append(place + layout.counters)
            place += next_offset
    except struct.error as error:
        raise StrangeBlob(f"an entry at byte {place} that is cut") from error
    if place != shape.size:
        raise StrangeBlob(f"entries of {place} bytes in a table of {shape.size}")
    return Index(walk.chains(), counters)


class _Walk:
    """The chains of a blob, found entry by entry."""

    def __init__(self, shape: Shape) -> None:
        hooks = [(at, name) for at, name in enumerate(BUILTIN_CHAINS) if shape.valid_hooks >> at & 1]
        self._begins = {shape.hook_entry[at]: name for at, name in hooks}
        self._ends = {shape.underflow[at]: name for at, name in hooks}
        self._hooks = {name for _at, name in hooks}
        self._size = shape.entries
        self._chains: dict[str, Place] = {}
        self._open: str | None = None
        self._first = self._number = 0
        self._last = b""

    def entry(self, place: int, target: Buffer) -> None:
        """The next entry, at that byte; `target` begins with its xt_entry_target."""
        start = bytes(target)
        if place in self._begins:
            self._begin(self._begins[place], self._number)
        if start[_TARGET_NAME:].startswith(_ERROR):
            self._end_of_user_chain()
            name = start[_TARGET_DATA:].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
            self._begin(name, self._number + 1)
        elif self._open is None:
            raise StrangeBlob(f"an entry at byte {place} in no chain")
        if place in self._ends:
            self._end_of_hook(self._ends[place], start)
        self._last = start
        self._number += 1

    def chains(self) -> dict[str, Place]:
        """All chains, after the last entry; that one only ends the table."""
        if self._number != self._size or self._first != self._number or self._open is None:
            raise StrangeBlob(f"{self._number} entries in a table of {self._size}, or no end")
        if missing := self._hooks - self._chains.keys():
            raise StrangeBlob(f"no end of {', '.join(sorted(missing))}")
        return self._chains

    def _begin(self, name: str, first: int) -> None:
        if self._open in self._hooks:
            raise StrangeBlob(f"no policy of {self._open}")
        self._open, self._first = name, first

    def _end_of_user_chain(self) -> None:
        if self._open is None:
            return
        if self._number <= self._first or not self._last[_TARGET_NAME:].startswith(_STANDARD):
            raise StrangeBlob(f"chain {self._open} does not return")
        self._add(Place(self._first, self._number - self._first - 1, None))

    def _end_of_hook(self, name: str, target: bytes) -> None:
        policy = _POLICIES.get(_VERDICT.unpack_from(target, _TARGET_DATA)[0])
        if self._open != name or not target[_TARGET_NAME:].startswith(_STANDARD) or policy is None:
            raise StrangeBlob(f"chain {name} ends without a policy")
        self._add(Place(self._first, self._number - self._first, policy))
        self._open = None

    def _add(self, place: Place) -> None:
        if self._open is None or self._open in self._chains:
            raise StrangeBlob(f"two chains {self._open}")
        self._chains[self._open] = place

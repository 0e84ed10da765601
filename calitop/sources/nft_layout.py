"""Where the counters stand in the kernel's listing of a chain, found once and used at each reading.

While a chain's rules are the same, its listing has every counter at the same place, so one
precompiled `struct.Struct` takes them all. Its size guards against rules that are not.

Source: include/uapi/linux/netfilter/nf_tables.h (NFTA_RULE_*, NFTA_EXPR_*, NFTA_COUNTER_*);
nft_counter.c writes bytes, then packets, both big-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from calitop.model.rules import Counter
from calitop.sources.nfnetlink import BODY, places_of

Flat = tuple[int, ...]
"""Bytes and packets of each rule that counts, in turn."""

_RULE_HANDLE, _RULE_EXPRESSIONS = 3, 4
_NAME_OF_COUNTER = b"\x0c\x00\x01\x00counter\x00"
"""NFTA_EXPR_NAME with its head, as the first attribute of an expression."""
_COUNTER_BYTES, _COUNTER_PACKETS = 1, 2
_ZERO = Counter(0, 0)
_HEAD, _LENGTH = Struct("=HH"), Struct("=I")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The shape of one chain's listing."""

    size: int
    """Bytes of the whole listing."""
    handles: tuple[int, ...]
    """One per rule, in order."""
    counting: tuple[int, ...] | None
    """Indices of the rules with a counter; None when all have one."""
    struct: Struct

    def take(self, data: memoryview) -> Flat | None:
        """The counters in a listing; None when it cannot be of the same rules."""
        return self.struct.unpack_from(data) if len(data) == self.size else None

    def counters(self, flat: Flat) -> tuple[Counter | None, ...]:
        """One counter per rule; None for a rule that counts nothing."""
        pairs = zip(flat[1::2], flat[::2], strict=True)
        found = [Counter(packets, octets) if packets or octets else _ZERO for packets, octets in pairs]
        if self.counting is None:
            return tuple(found)
        values: list[Counter | None] = [None] * len(self.handles)
        for index, counter in zip(self.counting, found, strict=True):
            values[index] = counter
        return tuple(values)

    def packets(self) -> dict[int, int]:
        """Where in the flat counters the packets of each rule that counts stand, by the rule's index."""
        counting = range(len(self.handles)) if self.counting is None else self.counting
        return {rule: 2 * place + 1 for place, rule in enumerate(counting)}


def layout_of(data: memoryview) -> Layout:
    """The shape of a chain's listing, from a walk through all of it.

    This is the hot loop of getting to know a node: no generator, one copy.
    """
    copy, head = bytes(data), _HEAD.unpack_from
    handles: list[int] = []
    counting: list[int] = []
    pieces = [">"]
    read_up_to = place = 0
    while place < len(copy):
        end = place + _LENGTH.unpack_from(copy, place)[0]
        at = place + BODY
        while at < end:
            length, kind = head(copy, at)
            if kind == _RULE_HANDLE:
                handles.append(int.from_bytes(copy[at + 4 : at + length], "big"))
            elif kind & 0x3FFF == _RULE_EXPRESSIONS and (counter := _counter(copy, at + 4, at + length)):
                octets, packets = counter
                pieces.append(f"{octets - read_up_to}xQ{packets - octets - 8}xQ")
                read_up_to = packets + 8
                counting.append(len(handles) - 1)
            at += length + 3 & ~3
        place = end + 3 & ~3
    all_count = len(counting) == len(handles)
    return Layout(len(copy), tuple(handles), None if all_count else tuple(counting), _struct("".join(pieces)))


def _counter(data: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Where bytes and packets of a rule's first counter stand; None when it has none."""
    while at < end:
        length = _HEAD.unpack_from(data, at)[0]
        if data.startswith(_NAME_OF_COUNTER, at + 4):
            return counter_places(memoryview(data), at + 4 + len(_NAME_OF_COUNTER), at + length)
        at += length + 3 & ~3
    return None


def counter_places(data: memoryview, start: int, end: int) -> tuple[int, int]:
    """Where bytes and packets stand in the first attribute, which holds a counter's values."""
    for _kind, values, values_end in places_of(data, start, end):
        found = {number: place for number, place, _end in places_of(data, values, values_end)}
        return found[_COUNTER_BYTES], found[_COUNTER_PACKETS]
    raise ValueError("a counter without values")


_struct = lru_cache(maxsize=4096)(Struct)
"""Chains of the same make share one: most of a node's chains are of a few makes."""

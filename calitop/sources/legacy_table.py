"""The counters of one legacy table, and the proof that its rules are still the same.

Kept is the blob as it was read last. A new one is compared with it piece by piece; where a
piece differs, the counters that moved are put into the kept one, and what differs then is a
changed rule. So nothing has to be unpacked of what did not count, and a rule that was
replaced by one of the same size is seen.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct

from calitop.counters.sample import ChainReading
from calitop.model.rules import Chain, ChainKey, Counter, TableKey
from calitop.sources.legacy_blob import Buffer, Index, Layout, Place, Shape, index

PIECE_BYTES = 16 * 1024
"""What is compared at once: few pieces are cheap when nothing moved, small ones when something did."""
_COUNTER_BYTES = 16
_ZERO = Counter(0, 0)


@dataclass(slots=True)
class _Piece:
    """Some entries that follow each other."""

    start: int
    """Offset in the blob, bytes."""
    end: int
    first: int
    """Number of its first entry."""
    offsets: Sequence[int]
    """Of each entry's counters, from the piece's start."""
    counters: Struct
    """Packets and bytes of each entry."""
    kept: bytearray

    def update(self, fresh: memoryview) -> list[tuple[int, Counter]] | None:
        """Take over the counters that moved.

        Returns:
            Entry numbers with their new counters; None when anything else differs.
        """
        before, after = self.counters.unpack(self.kept), self.counters.unpack(fresh)
        moved = []
        # A counter that moved has other packets; bytes alone cannot move.
        for at in [at for at, packets in enumerate(after[::2]) if packets != before[2 * at]]:
            offset = self.offsets[at]
            self.kept[offset : offset + _COUNTER_BYTES] = fresh[offset : offset + _COUNTER_BYTES]
            moved.append((self.first + at, Counter(after[2 * at], after[2 * at + 1])))
        return moved if self.kept == fresh else None


@dataclass(slots=True)
class _Chain:
    """A chain's place and newest counters."""

    key: ChainKey
    place: Place
    rules: list[Counter]
    policy: Counter | None

    def exchange(self, entry: int, counter: Counter) -> Counter:
        """Take a new counter of one of the chain's entries; that of a RETURN or a header tells nothing.

        Returns:
            The counter before.
        """
        number, before = entry - self.place.first, counter
        if 0 <= number < len(self.rules):
            before, self.rules[number] = self.rules[number], counter
        elif number == len(self.rules) and self.policy is not None:
            before, self.policy = self.policy, counter
        return before

    def reading(self, at: float) -> ChainReading:
        """Its counters as read at that time."""
        return ChainReading(tuple(self.rules), self.policy, at)


class LegacyTable:
    """One table as it was read last.

    Args:
        key: Which table.
        blob: Its entries.
        shape: Of the same reading.
        layout: Of the family.

    Raises:
        StrangeBlob: The blob cannot be understood.
    """

    def __init__(self, key: TableKey, blob: Buffer, shape: Shape, layout: Layout) -> None:
        found = index(blob, shape, layout)
        self.key, self.shape = key, shape
        self._pieces = list(_pieces(memoryview(blob), found, layout))
        self._chains = list(_chains(key, self._pieces, found))
        self._firsts = array("Q", [chain.place.first for chain in self._chains])
        self.fallen: dict[int, int] = {}
        """Entries that have counted less than they had before, and how many packets that was."""
        self._moved: dict[int, None] = {}
        """Chains that counted when the table was read last; they are told again, to show that they rest."""

    def holds(self, chains: Mapping[str, Chain]) -> bool:
        """Whether it can be the table that was printed: as many rules in each chain, the same policies."""
        return len(chains) == len(self._chains) and all(
            chain.key.chain in chains and _fits(chain.place, chains[chain.key.chain])
            for chain in self._chains
        )

    def update(self, blob: memoryview, at: float) -> dict[ChainKey, ChainReading] | None:
        """What a new reading of the table brings.

        Args:
            blob: Its entries, `shape.size` bytes.
            at: Monotonic clock, seconds, when the kernel was asked.

        Returns:
            The chains in which anything counted now or the time before; None when the table
            holds other rules, and this object is of no use any more.
        """
        moved_before, self._moved = self._moved, {}
        for piece in self._pieces:
            fresh = blob[piece.start : piece.end]
            if piece.kept == fresh:
                continue
            moved = piece.update(fresh)
            if moved is None:
                return None
            for entry, counter in moved:
                self._moved[self._count(entry, counter)] = None
        told = self._moved | moved_before
        return {self._chains[place].key: self._chains[place].reading(at) for place in told}

    def readings(self, at: float) -> dict[ChainKey, ChainReading]:
        """Every chain's counters, as read at that time."""
        return {chain.key: chain.reading(at) for chain in self._chains}

    def _count(self, entry: int, counter: Counter) -> int:
        place = max(0, bisect_right(self._firsts, entry) - 1)
        before = self._chains[place].exchange(entry, counter)
        if self.fallen and counter.packets >= self.fallen.get(entry, 0):
            self.fallen.pop(entry, None)
        elif counter.packets < before.packets:
            self.fallen.setdefault(entry, before.packets)
        return place


def _fits(place: Place, printed: Chain) -> bool:
    return place.rules == len(printed.rules) and place.policy == printed.policy


def _pieces(blob: memoryview, found: Index, layout: Layout) -> Iterator[_Piece]:
    """The blob cut between entries."""
    starts = [offset - layout.counters for offset in found.counters]
    first = 0
    for number, start in enumerate([*starts[1:], len(blob)], 1):
        if start - starts[first] >= PIECE_BYTES or number == len(starts):
            offsets = [at - starts[first] for at in found.counters[first:number]]
            yield _piece(blob, starts[first], start, first, offsets)
            first = number


def _piece(blob: memoryview, start: int, end: int, first: int, offsets: Sequence[int]) -> _Piece:
    ends = [0, *(offset + _COUNTER_BYTES for offset in offsets)]
    gaps = [offset - before for before, offset in zip(ends, offsets, strict=False)]
    counters = Struct("=" + "".join(f"{gap}xQQ" for gap in gaps) + f"{end - start - ends[-1]}x")
    return _Piece(start, end, first, array("I", offsets), counters, bytearray(blob[start:end]))


def _chains(key: TableKey, pieces: Sequence[_Piece], found: Index) -> Iterator[_Chain]:
    values = [value for piece in pieces for value in _counters(piece)]
    for name, place in found.chains.items():
        end = place.first + place.rules
        policy = values[end] if place.policy is not None else None
        yield _Chain(key.chain(name), place, values[place.first : end], policy)


def _counters(piece: _Piece) -> Iterator[Counter]:
    flat = piece.counters.unpack(piece.kept)
    for packets, octets in zip(flat[::2], flat[1::2], strict=True):
        yield Counter(packets, octets) if packets or octets else _ZERO

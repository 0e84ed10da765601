"""What each rule, policy, link and statistic has counted since the baseline.

`Counts` is a frozen picture: the poll thread hands it over and goes on with the next one.
Positions within a chain are rule indices; the policy stands behind the last rule.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from calitop.counters.sample import ChainReading
from calitop.model.network import LinkCounters
from calitop.model.rules import ChainKey, Counter, TableKey

Why = Literal["rewritten", "zeroed", "gone"]
Place = tuple[ChainKey, "int | None"]
"""A rule by chain and index; index None means the chain's policy."""

HOTTEST = 3
"""Heat of what counted in the newest poll; it loses one a poll."""


class Delta(NamedTuple):
    """Packets and bytes since the baseline; None where unknown, a lower bound where not exact."""

    packets: int | None
    bytes: int | None
    exact: bool


class Reset(NamedTuple):
    """A rule or policy that counted from zero again, or is no more, since the baseline."""

    key: ChainKey
    number: int | None
    """Rule number when it happened; None for a policy or where equal texts hide it."""
    text: str
    """The rule's text; "" for a policy."""
    why: Why


class Count(NamedTuple):
    """One rule's or policy's counter in every view of it."""

    now: Counter | None
    delta: Delta
    packets_per_s: float | None
    """Between its two newest readings, by the time measured; None before there are two."""
    heat: int
    """3 counted in the newest poll, 2 and 1 the polls before, 0 cold."""
    age_s: float
    """Seconds between its reading and the newest one; infinite when it was never read."""


UNKNOWN_DELTA = Delta(None, None, False)
_UNREAD = Count(None, UNKNOWN_DELTA, None, 0, math.inf)
_NOTHING: Mapping[int, Counter] = {}


@dataclass(slots=True, eq=False)
class ChainCounts:
    """One chain's counters; the policy's stands behind the last rule's.

    Never changed once made (not `frozen`: making one takes three times as long, and a busy
    poll makes thousands).
    """

    values: tuple[Counter | None, ...]
    base: tuple[Counter | None, ...]
    """Value from which each counts; zero for a rule that is younger than the baseline."""
    carried: Mapping[int, Counter] = field(default_factory=lambda: _NOTHING)
    """Counted since the baseline, before the counter went back to zero."""
    loose: Container[int] = frozenset()
    """Positions whose delta is a lower bound."""
    unknown: frozenset[int] = frozenset()
    """Positions whose delta cannot be told."""
    rates: Mapping[int, float | None] = field(default_factory=dict)
    """Packets per second of what moved between the two newest readings."""
    since: float = 0.0
    """Monotonic clock, seconds, of the chain's first reading."""
    hits: Mapping[int, int] = field(default_factory=dict)
    """Number of the poll in which a position last counted; only the newest few."""
    _moved: list[int] | None = field(default=None, init=False, repr=False)
    """Found on first request, and kept from poll to poll while nothing counts here."""

    def delta(self, position: int) -> Delta:
        """What that position has counted since the baseline."""
        now, base = self.values[position], self.base[position]
        if now is None or base is None or position in self.unknown:
            return UNKNOWN_DELTA
        carried = self.carried.get(position, _ZERO)
        return Delta(
            now.packets - base.packets + carried.packets,
            now.bytes - base.bytes + carried.bytes,
            position not in self.loose,
        )

    def rate(self, position: int, read_at: float) -> float | None:
        """Packets per second of that position; None when unknown."""
        if read_at <= self.since or self.values[position] is None:
            return None
        return self.rates.get(position, 0.0)

    def moved(self) -> list[int]:
        """Positions that surely counted since the baseline."""
        if self._moved is None:
            self._moved = self._find_moved()
        return self._moved

    def _find_moved(self) -> list[int]:
        if self.values == self.base and not self.carried:
            return []
        pairs = zip(self.values, self.base, strict=True)
        differ = [i for i, (now, base) in enumerate(pairs) if now is not base and now != base]
        return [i for i in sorted({*differ, *self.carried}) if any(self.delta(i)[:2])]


_ZERO = Counter(0, 0)


@dataclass(frozen=True, eq=False)
class Counts:
    """Everything that was counted since the baseline, as of one reading."""

    chains: Mapping[ChainKey, ChainCounts] = field(default_factory=dict)
    readings: Mapping[ChainKey, ChainReading] = field(default_factory=dict)
    """Each chain's newest reading."""
    counting: Collection[ChainKey] = ()
    """Chains that may have counted since the baseline; no other has."""
    settled: Mapping[TableKey, float] = field(default_factory=dict)
    """Until when each table's chains are known not to have counted beyond their newest reading."""
    at: float = 0.0
    """Monotonic clock, seconds, of the newest reading of all."""
    poll: int = 0
    """Number of that reading, for the heat."""
    serial: int = 0
    """Rises whenever something in `changed` did."""
    resets: tuple[Reset, ...] = ()
    resets_left_out: int = 0
    """Older resets since the baseline that are not kept."""
    changed: frozenset[Place] = frozenset()
    """What looks different from the previous Counts: value, rate or heat."""
    stats: Mapping[str, int] = field(default_factory=dict)
    """Kernel statistics since the baseline."""
    links: Mapping[str, LinkCounters] = field(default_factory=dict)
    """Links' counters since the baseline."""
    links_now: Mapping[str, LinkCounters] = field(default_factory=dict)
    """Links' newest counters."""
    link_rates: Mapping[str, LinkRate] = field(default_factory=dict)

    def rule(self, key: ChainKey, index: int) -> Count:
        """The counter of the chain's rule at that index, from 0."""
        chain = self.chains.get(key)
        if chain is None or not 0 <= index < len(chain.values) - 1:
            return _UNREAD
        return self._count(key, chain, index)

    def policy(self, key: ChainKey) -> Count:
        """The counter of the chain's policy."""
        chain = self.chains.get(key)
        return _UNREAD if chain is None else self._count(key, chain, len(chain.values) - 1)

    def chain_moved(self, key: ChainKey) -> int:
        """How many of the chain's rules have counted since the baseline."""
        chain = self.chains.get(key)
        if chain is None:
            return 0
        last = len(chain.values) - 1
        return sum(position < last for position in chain.moved())

    def moved(self) -> Iterator[tuple[ChainKey, int | None, Delta]]:
        """Every rule and policy (index None) that surely counted since the baseline."""
        for key in self.counting:
            chain = self.chains[key]
            last = len(chain.values) - 1
            for position in chain.moved():
                yield key, None if position == last else position, chain.delta(position)

    def _count(self, key: ChainKey, chain: ChainCounts, position: int) -> Count:
        hit, read_at = chain.hits.get(position), self.read_at(key)
        return Count(
            now=chain.values[position],
            delta=chain.delta(position),
            packets_per_s=chain.rate(position, read_at),
            heat=0 if hit is None else max(0, HOTTEST - (self.poll - hit)),
            age_s=max(0.0, self.at - read_at),
        )

    def read_at(self, key: ChainKey) -> float:
        """Monotonic clock, seconds, at which the chain's values are known to have held."""
        return max(self.readings[key].at, self.settled.get(TableKey(*key[:3]), 0.0))


@dataclass(frozen=True, slots=True)
class LinkRate:
    """Packets and bytes per second of a link, by the time measured; None where unknown."""

    rx_packets: float | None = None
    tx_packets: float | None = None
    rx_bytes: float | None = None
    tx_bytes: float | None = None

"""One chain from one structure to the next: what its rules counted goes with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from calitop.counters.advance import ZERO, fallen
from calitop.counters.counts import ChainCounts, Reset
from calitop.counters.identity import AMBIGUOUS, Alignment, alignment
from calitop.model.rules import Chain, ChainKey, Counter


class Carried(NamedTuple):
    """A chain's counts in the terms of its new rules, before their newest values are added."""

    counts: ChainCounts
    resets: list[Reset]


def same_rules(old: Chain, new: Chain) -> bool:
    """Whether both chains hold the same rules at the same places."""
    return old is new or (
        len(old.rules) == len(new.rules)
        and old.builtin == new.builtin
        and all(
            a is b or (a.text == b.text and (a.handle == b.handle or None in (a.handle, b.handle)))
            for a, b in zip(old.rules, new.rules, strict=True)
        )
    )


def values_of(chain: Chain) -> tuple[Counter | None, ...]:
    """The counters that the chain itself holds, the policy's last."""
    return (*[rule.counter for rule in chain.rules], chain.counter)


def first_counts(chain: Chain, at: float, late: bool) -> ChainCounts:
    """The counts of a chain that is there at the baseline.

    Args:
        chain: The chain with its counters.
        at: Monotonic clock, seconds, when it was read.
        late: What holds no counter yet counts from its first reading; else it stays unknown.
    """
    values = values_of(chain)
    unread = frozenset() if late else frozenset(i for i, value in enumerate(values) if value is None)
    return ChainCounts(values, values, unknown=unread, since=at)


def unknown_counts(chain: Chain, at: float) -> ChainCounts:
    """The counts of a chain of which nothing is known at the baseline."""
    values = values_of(chain)
    return ChainCounts(values, values, unknown=frozenset(range(len(values))), since=at)


def new_counts(key: ChainKey, chain: Chain, at: float) -> Carried:
    """The counts of a chain that is younger than the baseline: all it counted, at least."""
    size = len(chain.rules) + 1
    resets = [Reset(key, rule.number, rule.text, "rewritten") for rule in chain.rules]
    return Carried(ChainCounts((None,) * size, (ZERO,) * size, loose=range(size), since=at), resets)


def gone(key: ChainKey, chain: Chain) -> list[Reset]:
    """The resets of a chain that is no more."""
    return [Reset(key, rule.number, rule.text, "gone") for rule in chain.rules]


def carry(key: ChainKey, old: Chain, new: Chain, counts: ChainCounts) -> Carried:
    """The counts of a chain whose rules changed, rule by rule.

    A rule that was there keeps what it counted. One that was not counts from zero, at least
    (unknown where the old text is known to be cut: it may have been there). One that stands
    elsewhere was made again or not: a lower bound. What cannot be told apart is unknown.
    """
    same = alignment(old, new)
    now = values_of(new)
    builder = _Builder(counts)
    for j, place in enumerate(same.old_of):
        if place == AMBIGUOUS:
            builder.add_unknown()
        elif place is not None:
            builder.add_same(place)
        elif j in same.moved:
            builder.add_moved(same.moved[j], now[j])
        elif old.complete is True:
            builder.add_new()
        else:
            builder.add_unknown()
    builder.add_same(len(old.rules))
    return Carried(builder.build(), [*_made_again(key, old, new, same), *_gone_rules(key, old, new, same)])


def _made_again(key: ChainKey, old: Chain, new: Chain, same: Alignment) -> Iterator[Reset]:
    for rule, place in zip(new.rules, same.old_of, strict=True):
        if place is None and old.complete is True:
            yield Reset(key, rule.number, rule.text, "rewritten")


def _gone_rules(key: ChainKey, old: Chain, new: Chain, same: Alignment) -> Iterator[Reset]:
    if new.complete is not True:
        return
    for i in same.gone:
        yield Reset(key, old.rules[i].number, old.rules[i].text, "gone")
    for text, times in same.fewer.items():
        yield from [Reset(key, None, text, "gone")] * times


class _Builder:
    """Counts of a new chain, position by position."""

    def __init__(self, old: ChainCounts) -> None:
        self._old = old
        self._values: list[Counter | None] = []
        self._base: list[Counter | None] = []
        self._carried: dict[int, Counter] = {}
        self._hits: dict[int, int] = {}
        self._loose: set[int] = set()
        self._unknown: set[int] = set()

    def add_same(self, place: int) -> None:
        """The old position lives on here."""
        old, here = self._old, len(self._values)
        if place in old.carried:
            self._carried[here] = old.carried[place]
        if place in old.hits:
            self._hits[here] = old.hits[place]
        if place in old.loose:
            self._loose.add(here)
        if place in old.unknown:
            self._unknown.add(here)
        self._append(old.values[place], old.base[place])

    def add_moved(self, place: int, now: Counter | None) -> None:
        """The old position lives on here, or a new rule with its text does."""
        old, here = self._old, len(self._values)
        self._loose.add(here)
        if place in old.unknown or now is None:
            self._unknown.add(here)
        if fallen(old.values[place], now):
            self._append(ZERO, ZERO)
        else:
            self._append(old.values[place], old.base[place])

    def add_new(self) -> None:
        """A rule that was not there before: it counts from zero, if it counts at all."""
        self._loose.add(len(self._values))
        self._append(None, ZERO)

    def add_unknown(self) -> None:
        """A rule of which nothing before this structure is known."""
        self._unknown.add(len(self._values))
        self._append(None, None)

    def _append(self, value: Counter | None, base: Counter | None) -> None:
        self._values.append(value)
        self._base.append(base)

    def build(self) -> ChainCounts:
        """The counts so far."""
        return ChainCounts(
            values=tuple(self._values),
            base=tuple(self._base),
            carried=self._carried,
            loose=frozenset(self._loose),
            unknown=frozenset(self._unknown),
            since=self._old.since,
            hits=self._hits,
        )

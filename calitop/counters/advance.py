"""One chain from one reading to the next, its rules being the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from calitop.counters.counts import HOTTEST, ChainCounts
from calitop.model.rules import Counter

ZERO = Counter(0, 0)

Values = tuple["Counter | None", ...]


class Step(NamedTuple):
    """What a reading made of a chain."""

    chain: ChainCounts
    was: Values
    """The values before."""
    touched: list[int]
    """Positions whose value changed."""
    cooled: list[int]
    """Positions whose rate fell to zero."""
    fell: list[int]
    """Positions that count from zero again."""


def advance(chain: ChainCounts, values: Values, elapsed_s: float, poll: int) -> Step:
    """The chain after a reading of the same rules.

    A counter that fell was zeroed, and what was counted between the last reading and then is
    lost. Its neighbours may have been zeroed with it and have overtaken their old values
    since, so all deltas of the chain become lower bounds.
    """
    was = chain.values
    touched = [i for i, (a, b) in enumerate(zip(was, values, strict=True)) if a is not b and a != b]
    fell = [i for i in touched if fallen(was[i], values[i])]
    after = ChainCounts(
        values,
        _adopted(chain, values, touched),
        chain.carried,
        chain.loose,
        chain.unknown,
        {i: _rate(was[i], values[i], elapsed_s) for i in touched},
        chain.since,
        _hits(chain, values, touched, poll),
    )
    if fell:
        after = restarted(after, was, fell)
    cooled = [i for i in chain.rates if i not in after.rates]
    return Step(after, was, touched, cooled, fell)


def fallen(was: Counter | None, now: Counter | None) -> bool:
    """Whether a counter must have been zeroed in between."""
    return was is not None and now is not None and (now.packets < was.packets or now.bytes < was.bytes)


def restarted(chain: ChainCounts, was: Sequence[Counter | None], fell: Iterable[int]) -> ChainCounts:
    """The chain with those positions counting from zero, what they had counted carried along."""
    base, carried = list(chain.base), dict(chain.carried)
    for i in fell:
        last, start = was[i], base[i]
        if last is None or start is None:
            continue
        before = carried.get(i, ZERO)
        carried[i] = Counter(
            before.packets + last.packets - start.packets, before.bytes + last.bytes - start.bytes
        )
        base[i] = ZERO
    return replace(chain, base=tuple(base), carried=carried, loose=range(len(base)))


def _adopted(chain: ChainCounts, values: Values, touched: Iterable[int]) -> Values:
    """The bases; a position that was never read before counts from this reading on."""
    first = [i for i in touched if chain.base[i] is None and i not in chain.unknown]
    if not first:
        return chain.base
    base = list(chain.base)
    for i in first:
        base[i] = values[i]
    return tuple(base)


def _rate(was: Counter | None, now: Counter | None, elapsed_s: float) -> float | None:
    if was is None or now is None or elapsed_s <= 0 or fallen(was, now):
        return None
    return (now.packets - was.packets) / elapsed_s


def _hits(chain: ChainCounts, values: Values, touched: Iterable[int], poll: int) -> dict[int, int]:
    hits = {i: last for i, last in chain.hits.items() if poll - last < HOTTEST}
    for i in touched:
        was, now = chain.values[i] or chain.base[i], values[i]
        if was is not None and now is not None and now.packets > (0 if fallen(was, now) else was.packets):
            hits[i] = poll
    return hits

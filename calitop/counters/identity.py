"""Which rule of the new chain is which rule of the old one.

The kernel never moves a rule: what stands elsewhere was deleted and made again. So a rule is
the same where every longest common subsequence of the two chains says so. Equal texts make
several of them equally long; what they do not agree on is said to be unknown, never guessed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from calitop.model.rules import Chain

AMBIGUOUS = -1
"""In an alignment: equal texts stood in the old chain, and which of them this is cannot be told."""

_DEEPEST = 24
"""Levels of gaps within gaps; what is deeper counts as ambiguous, so the cost stays linear."""


class Alignment(NamedTuple):
    """What is known of the identity of a new chain's rules."""

    old_of: list[int | None]
    """For each new rule the index of the old one, None (was not there) or `AMBIGUOUS`."""
    moved: dict[int, int]
    """New -> old index of rules with a text of their own that stand elsewhere. One of two that
    changed places was made again, but not which: these are None in `old_of`."""
    gone: list[int]
    """Old rules that are no more."""
    fewer: dict[str, int]
    """Of ambiguous texts that became fewer, how many are gone."""


class _Gap(NamedTuple):
    """A stretch of both chains between rules that are surely the same."""

    old: range
    new: range
    level: int


def align(old: Chain, new: Chain) -> list[int | None]:
    """For each new rule the index of the old one; None where it was not there, or `AMBIGUOUS`."""
    return alignment(old, new).old_of


def alignment(old: Chain, new: Chain) -> Alignment:
    """What is the same in two versions of a chain: by nft handle where known, else by text.

    A handle lives as long as its rule, so a handle with the same text is the same rule wherever
    it stands. By text, rules above which others were inserted or deleted keep their identity.
    """
    if _have_handles(old) and _have_handles(new):
        places = {(rule.handle, rule.text): index for index, rule in enumerate(old.rules)}
        old_of = [places.get((rule.handle, rule.text)) for rule in new.rules]
        taken = set(old_of)
        return Alignment(old_of, {}, [i for i in range(len(old.rules)) if i not in taken], {})
    before = [rule.text for rule in old.rules]
    after = [rule.text for rule in new.rules]
    return _told_apart(before, after, dict(_sure_pairs(before, after)))


def _have_handles(chain: Chain) -> bool:
    return bool(chain.rules) and all(rule.handle is not None for rule in chain.rules)


def _told_apart(before: Sequence[str], after: Sequence[str], sure: dict[int, int]) -> Alignment:
    """Sort what is not surely the same into moved, ambiguous, new and gone."""
    taken = set(sure.values())
    left = _places(before, (i for i in range(len(before)) if i not in taken))
    found = _places(after, (j for j in range(len(after)) if j not in sure))
    old_of: list[int | None] = [sure.get(j) for j in range(len(after))]
    moved: dict[int, int] = {}
    fewer: dict[str, int] = {}
    for text, places in found.items():
        candidates = left.pop(text, [])
        if len(candidates) == len(places) == 1:
            moved[places[0]] = candidates[0]
        elif candidates:
            for j in places:
                old_of[j] = AMBIGUOUS
            if len(candidates) > len(places):
                fewer[text] = len(candidates) - len(places)
    return Alignment(old_of, moved, sorted(i for places in left.values() for i in places), fewer)


def _sure_pairs(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(new, old) of the rules that are surely the same; each gap between them is looked at alone."""
    gaps = [_Gap(range(len(before)), range(len(after)), 0)]
    while gaps:
        gap = gaps.pop()
        anchors = _anchors(before, after, gap)
        yield from ((j, i) for i, j in anchors)
        if anchors and gap.level < _DEEPEST:
            gaps.extend(_between(gap, anchors))


def _anchors(before: Sequence[str], after: Sequence[str], gap: _Gap) -> list[tuple[int, int]]:
    """(old, new) of the texts that keep number and order within the gap.

    A text that crosses another one is dropped with all its occurrences: which of them was
    deleted and made again is open.
    """
    left, found = _places(before, gap.old), _places(after, gap.new)
    pairs = sorted(
        pair
        for text, places in left.items()
        if len(places) == len(found.get(text, ()))
        for pair in zip(places, found[text], strict=True)
    )
    certain = _in_every_longest_rise([j for _, j in pairs])
    crossing = {before[i] for (i, _), kept in zip(pairs, certain, strict=True) if not kept}
    return [pair for pair in pairs if before[pair[0]] not in crossing]


def _between(gap: _Gap, anchors: Sequence[tuple[int, int]]) -> Iterator[_Gap]:
    """The smaller gaps before, between and after the anchors where both chains have rules."""
    i, j = gap.old.start, gap.new.start
    for old_end, new_end in [*anchors, (gap.old.stop, gap.new.stop)]:
        if i < old_end and j < new_end:
            yield _Gap(range(i, old_end), range(j, new_end), gap.level + 1)
        i, j = old_end + 1, new_end + 1


def _places(texts: Sequence[str], where: Iterable[int]) -> dict[str, list[int]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for index in where:
        places[texts[index]].append(index)
    return dict(places)


def _in_every_longest_rise(numbers: Sequence[int]) -> list[bool]:
    """For each of some distinct numbers, whether every longest rising subsequence holds it."""
    up_to = _longest_rise_ending_at(numbers)
    onwards = _longest_rise_ending_at([-number for number in reversed(numbers)])[::-1]
    longest = max(up_to, default=0)
    in_some = [here + rest - 1 == longest for here, rest in zip(up_to, onwards, strict=True)]
    rivals = Tally(here for here, kept in zip(up_to, in_some, strict=True) if kept)
    return [kept and rivals[here] == 1 for here, kept in zip(up_to, in_some, strict=True)]


def _longest_rise_ending_at(numbers: Sequence[int]) -> list[int]:
    tails: list[int] = []
    lengths = []
    for number in numbers:
        place = bisect_left(tails, number)
        tails[place : place + 1] = [number]
        lengths.append(place + 1)
    return lengths

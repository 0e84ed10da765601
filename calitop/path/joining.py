"""Ways that have come to the same packet again are one way, and its conditions become fewer.

Two ways that differ in the answer to one question alone, and give all its answers between them, do
not depend on it. That keeps the number of ways small however many questions a ruleset asks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import reduce

from calitop.path.bits import Bits
from calitop.path.conditions import MARKS, implied
from calitop.path.flight import Condition, Flight, Trail
from calitop.path.steps import Step

MOST_FLIGHTS = 32
"""Ways that are followed side by side; more are joined by what their marks have in common."""

Conditions = tuple[Condition, ...]


def joined(flights: Sequence[Flight]) -> list[Flight]:
    """The flights with those joined that need not be told apart."""
    if len(flights) < 2:
        return list(flights)
    found = [one for group in _by(flights, _exact) for one in _simplified(group)]
    if len(found) > 1:
        found = [one for group in _by(found, _but_marks) for one in _narrowings_undone(group)]
    return found if len(found) <= MOST_FLIGHTS else _widened(found)


def simplified(alternatives: Iterable[Conditions]) -> list[Conditions]:
    """The same disjunction of conditions with as few as possible."""
    found = _Alternatives(alternatives).merged()
    least = [bits for bits in found if not any(other != bits and other & bits == other for other in found)]
    return [found[bits] for bits in least]


class _Alternatives:
    """Alternatives as sets of bits, one for each answer to a question: thousands are compared at once.

    Each waits under what it assumes beside one question, until all answers to that question wait there.
    """

    def __init__(self, alternatives: Iterable[Conditions]) -> None:
        self._bits: dict[tuple[Hashable, int], int] = {}
        first: dict[int, Conditions] = {}
        for one in alternatives:
            first.setdefault(self._bits_of(one), one)
        self._queue = list(first.values())
        self._left: dict[int, Conditions] = {}
        self._waiting: dict[tuple[Hashable, int], dict[int, int]] = {}

    def merged(self) -> dict[int, Conditions]:
        """Those that are left, the merged ones last."""
        for one in self._queue:
            bits = self._bits_of(one)
            if bits not in self._left:
                self._left[bits] = one
                rest = self._completed(one, bits)
                if rest is not None:
                    self._queue.append(rest)
        return self._left

    def _bits_of(self, conditions: Conditions) -> int:
        bits = 0
        for one in conditions:
            bits |= self._bits.setdefault((one.key, one.answer), 1 << len(self._bits))
        return bits

    def _completed(self, one: Conditions, bits: int) -> Conditions | None:
        """What is assumed beside a question that has every answer now; those answers are gone then."""
        for condition in one:
            rest = bits & ~self._bits[condition.key, condition.answer]
            answers = self._waiting.setdefault((condition.key, rest), {})
            answers[condition.answer] = bits
            if len(answers) == condition.of:
                for part in list(answers.values()):
                    self._forget(part)
                asked = condition.key, condition.answer
                return tuple(other for other in one if (other.key, other.answer) != asked)
        return None

    def _forget(self, bits: int) -> None:
        for condition in self._left.pop(bits):
            rest = bits & ~self._bits[condition.key, condition.answer]
            answers = self._waiting.get((condition.key, rest), {})
            if answers.get(condition.answer) == bits:
                del answers[condition.answer]


def _answers(conditions: Iterable[Condition]) -> frozenset[tuple[Hashable, int]]:
    return frozenset((one.key, one.answer) for one in conditions)


# -- flights


def _by(flights: Iterable[Flight], key: Callable[[Flight], Hashable]) -> Iterable[list[Flight]]:
    groups: dict[Hashable, list[Flight]] = {}
    for flight in flights:
        groups.setdefault(key(flight), []).append(flight)
    return groups.values()


def _exact(flight: Flight) -> Hashable:
    return flight.packet, flight.connections, flight.epoch, flight.inside, flight.set_changes


def _but_marks(flight: Flight) -> Hashable:
    return (
        replace(flight.packet, mark=Bits(), connmark=Bits()),
        flight.connections,
        flight.epoch,
        flight.inside,
        flight.set_changes,
    )


def _simplified(group: list[Flight]) -> list[Flight]:
    """Flights with the same packet."""
    if len(group) == 1:
        return group
    left = simplified(one.conditions for one in group)
    trails: dict[Conditions, Flight] = {one.conditions: one for one in group}
    common = reduce(_shared_trail, (one.trail for one in group))
    assumed = tuple(dict.fromkeys(words for one in group for words in one.assumed))
    merged = replace(group[0], trail=common, assumed=assumed)
    return [trails.get(conditions, replace(merged, conditions=conditions)) for conditions in left]


def common_trail(first: Trail | None, second: Trail | None) -> Trail | None:
    """The steps that both have made before they parted."""
    seen = set()
    while first is not None:
        seen.add(id(first))
        first = first.before
    while second is not None and id(second) not in seen:
        second = second.before
    return second


def _shared_trail(first: Trail | None, second: Trail | None) -> Trail | None:
    """The steps that both have made, before they parted and since."""
    shared = common_trail(first, second)
    made = {step.stop for step in _since(shared, second)}
    for step in reversed(list(_since(shared, first))):
        if step.stop in made:
            shared = Trail(step, shared)
    return shared


def _since(before: Trail | None, trail: Trail | None) -> Iterator[Step]:
    """The steps of a trail behind another one, newest first."""
    while trail is not None and trail is not before:
        yield trail.step
        trail = trail.before


def _narrowings_undone(group: list[Flight]) -> list[Flight]:
    """Flights whose packets differ in marks alone, joined where a question about these bits parted them."""
    while len(group) > 1:
        pair = _complements(group)
        if pair is None:
            break
        first, second = pair
        rest = [one for one in group if one is not first and one is not second]
        group = [*rest, _as_before(first, second)]
    return group


def _complements(group: Sequence[Flight]) -> tuple[Flight, Flight] | None:
    seen: dict[Hashable, Flight] = {}
    for flight in reversed(group):
        if not flight.conditions:
            continue
        *rest, last = flight.conditions
        answers = _answers(rest)
        other = seen.get((last.key, 1 - last.answer, answers))
        if other is not None and _differ_only_in(last, flight, other):
            return flight, other
        seen[last.key, last.answer, answers] = flight
    return None


def _differ_only_in(asked: Condition, first: Flight, second: Flight) -> bool:
    """Whether the marks differ only in bits that the question was about, and that are still as they were."""
    name, mask = asked.key[:2]
    if name not in MARKS or not isinstance(mask, int):
        return False
    other = "connmark" if name == "mark" else "mark"
    if getattr(first.packet, other) != getattr(second.packet, other):
        return False
    one, two = (getattr(flight.packet, str(name)) for flight in (first, second))
    differing = ((one.value ^ two.value) & one.known & two.known) | (one.known ^ two.known)
    return not differing & ~mask and all(_as_answered(one, str(name), differing) for one in (first, second))


def _as_answered(flight: Flight, name: str, bits: int) -> bool:
    """Whether the known ones of these bits are what the answers told, and no rule has changed them."""
    own: Bits = getattr(flight.packet, name)
    told = implied(flight, name)
    known = bits & own.known
    return told is not None and not known & ~told.known and not (own.value ^ told.value) & known


def _as_before(first: Flight, second: Flight) -> Flight:
    return replace(_both(first, second), conditions=first.conditions[:-1])


def _both(first: Flight, second: Flight) -> Flight:
    """What holds on both ways."""
    packet = replace(
        first.packet,
        mark=first.packet.mark.common(second.packet.mark),
        connmark=first.packet.connmark.common(second.packet.connmark),
    )
    answers = {(one.key, one.answer) for one in second.conditions}
    return replace(
        first,
        packet=packet,
        trail=_shared_trail(first.trail, second.trail),
        conditions=tuple(one for one in first.conditions if (one.key, one.answer) in answers),
        assumed=tuple(dict.fromkeys((*first.assumed, *second.assumed))),
    )


def _widened(flights: Sequence[Flight]) -> list[Flight]:
    """One flight for all that differ in marks and conditions alone."""
    groups = list(_by(flights, _but_marks))
    return [one for group in groups for one in (group if len(group) == 1 else [_lump(group)])]


def _lump(group: Sequence[Flight]) -> Flight:
    """One flight whose unknown bits may be anything, so that earlier answers tell nothing of them."""
    whole = reduce(_both, group)
    return replace(whole, epoch=whole.epoch + 1)

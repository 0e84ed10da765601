"""What is assumed where a rule's condition is open, and what follows from the assumption.

The same question about the same packet has one answer on one way, however often it is asked. What
depends on time or chance (limit, statistic, a module that calitop does not know) is asked anew each time.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import cast

from calitop.model import matches
from calitop.model.matches import Match
from calitop.model.rules import TableKey
from calitop.model.spec import RuleSpec
from calitop.path.bits import FULL, UNKNOWN, Bits
from calitop.path.flight import Condition, Flight
from calitop.path.mark_logic import narrowed
from calitop.path.matches import conditions
from calitop.path.packet import Packet
from calitop.path.set_changes import membership
from calitop.path.three import Truth
from calitop.path.world import World

NO, YES = 0, 1
ALL = "all"
"""Kind of the assumption that not all of several conditions hold."""
MARKS = ("mark", "connmark")

_BY_CHANCE = (matches.Unknown, matches.Limit, matches.Statistic)


@dataclass(frozen=True, slots=True)
class Question:
    """An open condition of a rule, without its negation."""

    key: tuple[Hashable, ...]
    yes: str
    no: str
    match: Match
    missing: str | None = None

    @property
    def holds(self) -> int:
        """The answer with which the rule's condition holds."""
        return NO if self.match.negated else YES

    def condition(self, answer: int) -> Condition:
        """One of its two answers as an assumption."""
        return Condition(self.key, answer, 2, self.yes if answer == YES else self.no, self.missing)


@dataclass(frozen=True, slots=True)
class Tested:
    """Whether a rule takes a flight, or what that depends on."""

    truth: Truth
    open: tuple[Question, ...] = ()
    """Where `truth` is None: the conditions that are open."""


def test(
    rule: RuleSpec, flight: Flight, world: World, place: Hashable, table: TableKey | None = None
) -> Tested:
    """Whether a rule takes a flight, given what was assumed on its way.

    Args:
        rule: What the rule says.
        flight: The packet and its assumptions.
        world: The node.
        place: What tells this visit of the rule from every other one.
        table: The rule's table.
    """
    found: list[Question] = []
    for at, (match, truth) in enumerate(conditions(rule, flight.packet, world, table)):
        if flight.set_changes and isinstance(match, matches.InSet):
            truth = membership(match, flight, world, table, truth)
        if truth is False:
            return Tested(False)
        if truth is None:
            asked = question(match, flight, world, (place, at))
            answer = flight.answer(asked.key)
            if answer is None:
                found.append(asked)
            elif answer != asked.holds:
                return Tested(False)
    return Tested(None, tuple(found)) if found else Tested(True)


def parted(flight: Flight, tested: Tested) -> tuple[list[Flight], list[Flight]]:
    """The ways on which a rule takes the flight, and those on which it does not."""
    if tested.truth is not None:
        return ([flight], []) if tested.truth else ([], [flight])
    taken = matched(flight, tested.open)
    return ([] if taken is None else [taken]), missed(flight, tested.open)


def matched(flight: Flight, questions: tuple[Question, ...]) -> Flight | None:
    """The flight on the assumption that all open conditions hold; None where they cannot."""
    found: Flight | None = flight
    for one in questions:
        found = _answered(found, one, one.holds) if found is not None else None
    return found


def missed(flight: Flight, questions: tuple[Question, ...]) -> list[Flight]:
    """The flight on the assumption that one of the open conditions does not hold; none where all must.

    Of several about marks it is told which one, for they are asked again and imply each other; of others
    only that it is one of them.
    """
    if all(one.key[0] in MARKS for one in questions):
        return list(_first_that_fails(flight, questions))
    whole = tuple((one.key, one.holds) for one in questions)
    if len(whole) == 1:
        failed = _answered(flight, questions[0], 1 - questions[0].holds)
    elif flight.answer((ALL, whole)) == NO:
        failed = flight
    else:
        words = " and ".join(one.yes if one.holds else one.no for one in questions)
        missing = next((one.missing for one in questions if one.missing), None)
        asked = Condition((ALL, whole), NO, 2, f"not all of: {words}", missing)
        failed = _possible(flight.assuming(asked))
    return [] if failed is None else [failed]


def _first_that_fails(flight: Flight, questions: tuple[Question, ...]) -> Iterator[Flight]:
    held: Flight | None = flight
    for one in questions:
        failed = _answered(held, one, 1 - one.holds) if held is not None else None
        if failed is not None:
            yield failed
        held = _answered(held, one, one.holds) if held is not None else None


def _answered(flight: Flight, asked: Question, answer: int) -> Flight | None:
    packet = _narrowed(flight.packet, asked.match, answer == YES)
    return _possible(replace(flight.assuming(asked.condition(answer)), packet=packet))


def _possible(flight: Flight) -> Flight | None:
    """The flight with what its answers imply together; None where they contradict each other."""
    given: dict[Hashable, int] = {one.key: one.answer for one in flight.conditions}
    for one in flight.conditions:
        if one.key[0] == ALL and all(given.get(key) == answer for key, answer in _parts(one)):
            return None
    for name in MARKS:
        bits = implied(flight, name)
        if bits is None:
            return None
        own: Bits = getattr(flight.packet, name)
        new = bits.known & ~own.known
        if new:
            both = Bits(own.value | (bits.value & new), own.known | new)
            flight = flight.carrying(_with_mark(flight.packet, name, both))
    return flight


def implied(flight: Flight, name: str) -> Bits | None:
    """What the answers about a mark tell of those bits that were unknown when they were given."""
    told, excluded = UNKNOWN, []
    for one in flight.conditions:
        if one.key[0] == name and one.key[3] == flight.epoch:
            mask, value = cast(tuple[int, int], one.key[1:3])
            if one.answer == YES and told.test(value & told.known, mask & told.known) is False:
                return None
            if one.answer == YES:
                told = Bits(told.value | value, told.known | mask)
            else:
                excluded.append((mask, value))
    return narrowed(told, excluded) if excluded else told


def _parts(one: Condition) -> tuple[tuple[Hashable, int], ...]:
    return cast("tuple[tuple[Hashable, int], ...]", one.key[1])


# -- what is asked


def question(match: Match, flight: Flight, world: World, place: Hashable) -> Question:
    """What an open condition asks of a packet, in words."""
    packet = flight.packet
    if isinstance(match, matches.Mark):
        return _of_mark(match, flight)
    words = _words(match)
    if isinstance(match, _BY_CHANCE):
        return _by_chance(match, words, place)
    about = (packet.ends, packet.protocol, packet.iif, packet.oif, packet.icmp_type)
    if isinstance(match, matches.InSet):
        told = _addresses(match, packet)
        missing = f"ipset save {match.name}"
        asked = ("set", match.name, match.directions, about, len(flight.set_changes))
        return Question(
            asked, f"{told} in set {match.name}", f"{told} not in set {match.name}", match, missing
        )
    return Question((type(match).__name__, words, about), f"{words} holds", f"{words} does not hold", match)


def _by_chance(match: Match, words: str, place: Hashable) -> Question:
    yes, no = f"{words} holds", f"{words} does not hold"
    if isinstance(match, matches.Statistic) and match.probability:
        one_of = round(1 / match.probability)
        yes, no = f"by chance (1 of {one_of})", f"by chance not (1 of {one_of})"
    return Question(("chance", place), yes, no, match)


def _addresses(match: matches.InSet, packet: Packet) -> str:
    own = {"src": packet.src, "dst": packet.dst}
    named = [str(own.get(side) or side) for side in match.directions] or ["its address"]
    verb = "is" if len(named) == 1 else "are"
    return f"{','.join(named)} {verb}"


def _words(match: Match) -> str:
    """The rule's words for a condition, without its negation."""
    return " ".join(word for word in match.words if word not in ("!", "!="))


def _of_mark(match: matches.Mark, flight: Flight) -> Question:
    """A test of bits of which some are unknown: the known ones fit, else it would be decided."""
    is_packet = match.of == "packet"
    own = flight.packet.mark if is_packet else flight.packet.connmark
    mask = own.unknown_in(match.mask)
    value = match.value & mask
    name = "mark" if is_packet else "connmark"
    test = f"{name} & {mask:#x}" if mask != FULL else name
    key = (name, mask, value, flight.epoch)
    told = f"{value:#x}" if value else "0"
    return Question(key, f"{test} == {told}", f"{test} != {told}", match)


# -- what follows from an answer


def _narrowed(packet: Packet, match: Match, holds: bool) -> Packet:
    """The packet with what the answer tells of it."""
    if isinstance(match, matches.Mark) and holds:
        name = "mark" if match.of == "packet" else "connmark"
        own: Bits = getattr(packet, name)
        mask = own.unknown_in(match.mask)
        return _with_mark(packet, name, Bits(own.value | (match.value & mask), own.known | mask))
    if isinstance(match, matches.CtState):
        states = packet.ct_state & match.states if holds else packet.ct_state - match.states
        return replace(packet, ct_state=states) if states else packet
    return packet


def _with_mark(packet: Packet, name: str, bits: Bits) -> Packet:
    return replace(packet, mark=bits) if name == "mark" else replace(packet, connmark=bits)

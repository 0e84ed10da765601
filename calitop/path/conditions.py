"""What is assumed where a rule's condition is open, and what follows from the assumption.

The same question about the same packet has one answer on one way, however often it is asked. What
depends on time or chance (limit, statistic, a module that calitop does not know) is asked anew each time.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from calitop.model import matches
from calitop.model.matches import Match
from calitop.model.rules import TableKey
from calitop.model.spec import RuleSpec
from calitop.path.bits import FULL, Bits
from calitop.path.flight import Condition, Flight
from calitop.path.matches import conditions
from calitop.path.packet import Packet
from calitop.path.three import Truth
from calitop.path.world import World

NO, YES = 0, 1

_BY_CHANCE = (matches.Unknown, matches.Limit, matches.Statistic)


@dataclass(frozen=True, slots=True)
class Question:
    """An open condition of a rule, without its negation."""

    key: tuple[Hashable, ...]
    yes: str
    no: str
    match: Match
    missing: str | None = None

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
        if truth is False:
            return Tested(False)
        if truth is None:
            asked = question(match, flight, world, (place, at))
            answer = flight.answer(asked.key)
            if answer is None:
                found.append(asked)
            elif (answer == YES) == match.negated:
                return Tested(False)
    return Tested(None, tuple(found)) if found else Tested(True)


def matched(flight: Flight, questions: tuple[Question, ...]) -> Flight:
    """The flight on the assumption that all open conditions hold."""
    for one in questions:
        flight = _answered(flight, one, NO if one.match.negated else YES)
    return flight


def missed(flight: Flight, questions: tuple[Question, ...], place: Hashable) -> Flight:
    """The flight on the assumption that one of the open conditions does not hold."""
    if len(questions) == 1:
        return _answered(flight, questions[0], YES if questions[0].match.negated else NO)
    words = " and ".join(one.no if one.match.negated else one.yes for one in questions)
    missing = next((one.missing for one in questions if one.missing), None)
    return flight.assuming(Condition(("all", place), NO, 2, f"not all of: {words}", missing))


def _answered(flight: Flight, asked: Question, answer: int) -> Flight:
    packet = _narrowed(flight.packet, asked.match, answer == YES)
    return replace(flight.assuming(asked.condition(answer)), packet=packet)


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
        asked = ("set", match.name, match.directions, about)
        return Question(
            asked, f"{told} in set {match.name}", f"{told} not in set {match.name}", match, missing
        )
    return Question((type(match).__name__, words, about), f"{words} holds", f"{words} does not hold", match)


def _by_chance(match: Match, words: str, place: Hashable) -> Question:
    yes, no = f"{words} holds", f"{words} does not hold"
    if isinstance(match, matches.Statistic) and match.probability:
        one_of = round(1 / match.probability)
        yes, no = f"chance takes this of {one_of}", f"chance passes by this of {one_of}"
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
    if isinstance(match, matches.Mark):
        if match.of == "packet":
            return replace(packet, mark=_bits(packet.mark, match, holds))
        return replace(packet, connmark=_bits(packet.connmark, match, holds))
    if isinstance(match, matches.CtState):
        states = packet.ct_state & match.states if holds else packet.ct_state - match.states
        return replace(packet, ct_state=states) if states else packet
    return packet


def _bits(own: Bits, match: matches.Mark, holds: bool) -> Bits:
    mask = own.unknown_in(match.mask)
    value = match.value & mask
    if holds:
        return Bits(own.value | value, own.known | mask)
    if mask & (mask - 1) == 0:
        return Bits(own.value | (mask & ~value), own.known | mask)
    return own

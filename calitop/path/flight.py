"""One possible way of a packet while it is followed: the packet, what was assumed, what happened.

A flight is never changed; forking and joining make new ones. Assumptions are kept in a form in
which two flights that differ in one of them alone can be joined again.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from calitop.model.place import Where
from calitop.model.rules import TableKey
from calitop.path.bits import Bits
from calitop.path.packet import Ends, Packet
from calitop.path.steps import PathVerdict, Step
from calitop.path.world import World


@dataclass(frozen=True, slots=True)
class Condition:
    """Something assumed on a way because nothing that was read decides it."""

    key: tuple[Hashable, ...]
    """What is asked, its kind first; two conditions with the same key are answers to the same question."""
    answer: int
    """Which answer was assumed, from 0."""
    of: int
    """How many answers there are."""
    words: str
    """This answer in words and bits: `mark & 0xfff00000 != 0`."""
    missing: str | None = None
    """What to collect to know."""


@dataclass(frozen=True, slots=True)
class Trail:
    """Steps, newest first, shared by all flights that made them."""

    step: Step
    before: Trail | None


@dataclass(frozen=True, slots=True)
class Connection:
    """A conntrack entry that this packet made on one node."""

    node: str
    protocol: int | None
    original: Ends
    """The first direction, before any rewriting."""
    replying: Ends
    """The answers as they arrive at this node."""
    mark: Bits


@dataclass(frozen=True, slots=True)
class SetChange:
    """A set that a rule has changed for this packet on one node."""

    world: World
    table: TableKey | None
    """The table that the set is of; None for an ipset."""
    name: str
    directions: tuple[str, ...]
    """Empty where the rule names other fields than addresses."""
    add: bool
    packet: Packet
    """As it was then."""


@dataclass(frozen=True, slots=True)
class Flight:
    """One possible way so far."""

    packet: Packet
    trail: Trail | None = None
    conditions: tuple[Condition, ...] = ()
    """In the order in which they were assumed."""
    connections: tuple[Connection, ...] = ()
    epoch: int = 0
    """Raised when unknown bits of the mark change, so that earlier answers about them hold no more."""
    inside: tuple[Packet, ...] = ()
    """The packets that this one carries, while it is a tunnel's; the innermost first."""
    set_changes: tuple[SetChange, ...] = ()
    assumed: tuple[str, ...] = ()
    """What was taken for given, in words."""

    def assuming(self, condition: Condition) -> Flight:
        """The same way with one more assumption."""
        return replace(self, conditions=(*self.conditions, condition))

    def answer(self, key: Hashable) -> int | None:
        """The answer assumed for a question on this way, if any."""
        return next((one.answer for one in self.conditions if one.key == key), None)

    def took(self, step: Step) -> Flight:
        """The same way one step on."""
        return replace(self, trail=Trail(step, self.trail))

    def carrying(self, packet: Packet) -> Flight:
        """The same way with another packet."""
        return replace(self, packet=packet)

    def steps(self) -> tuple[Step, ...]:
        """Everything that happened, oldest first."""
        found = []
        trail = self.trail
        while trail is not None:
            found.append(trail.step)
            trail = trail.before
        return tuple(reversed(found))


@dataclass(frozen=True, slots=True)
class End:
    """Where one possible way ends."""

    flight: Flight
    verdict: PathVerdict
    where: Where | None
    because: str
    """One sentence."""
    missing: tuple[str, ...] = ()
    """What to collect to know more, where the end is undecided."""

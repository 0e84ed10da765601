"""What a live node must answer: its structure, and its counters.

There are two kinds of live source behind this one protocol: this kernel, and the
usual programs run through a prefix (`--via`). A source is used by one thread only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from calitop.counters.sample import Sample
from calitop.model.node import IpSet, NodeState
from calitop.model.rules import TableKey


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the asker needs fresh; the source may read more."""

    visible: frozenset[TableKey] | None = None
    """Tables on screen, to be read first; None for no preference."""
    full: bool = False
    """A new baseline or a verdict: every chain must be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """A node's state with the number of this version of its rules."""

    generation: int
    state: NodeState
    at: float
    """Monotonic clock, seconds, when the rules were read."""


class Source(Protocol):
    """A live node."""

    name: str
    """What the status line shows: node name, or the prefix."""

    def structure(self) -> Structure:
        """The node as it is now: rules, routes, links, sets, settings.

        The generation rises whenever rules, chains or tables differ from the last answer;
        routes and links may change without it.

        Raises:
            NeedPrivilege: Nothing at all may be read. Partly missing is a problem in the
                state's files, not an error.
            SourceUnavailable: The way to the node is gone.
        """
        ...

    def counters(self, wanted: Wanted) -> Sample | None:
        """One reading of the counters.

        Returns:
            A sample of the generation last given by `structure`, or None when the rules,
            or links, routes, sets or settings, have changed since: ask for `structure`
            again. What was read to find that out is not read twice.

        Raises:
            NeedPrivilege, SourceUnavailable: as for `structure`.
        """
        ...

    def close(self) -> None:
        """Give back sockets and helper processes; may be called twice."""
        ...


@runtime_checkable
class TellsSets(Protocol):
    """A source that reads the members of one set when somebody looks at it."""

    def set_members(self, name: str) -> IpSet:
        """The set with its members as they are now.

        Raises:
            NeedPrivilege, SourceUnavailable: The set, or the way to the node, cannot be read.
        """
        ...

"""A fault of one node, and the state beside it that is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from calitop.check.catalogue import check
from calitop.check.records import Finding
from calitop.counters.compare import compare
from calitop.model.node import NodeState
from tests.check import states

State = Callable[[], NodeState]


@dataclass(frozen=True)
class Case:
    """A fault, and the state beside it that is well."""

    id: str
    sick: State
    words: str
    """What the title must say."""
    healthy: State = states.lab
    earlier: State | None = None
    """An earlier moment of both, for what only counters show."""

    def found(self, state: NodeState) -> list[Finding]:
        """The findings of this check alone."""
        counts = compare(self.earlier(), state) if self.earlier is not None else None
        return [each for each in check([state], [counts]).findings if each.id == self.id]

"""Where the operator has been, as a browser keeps it; knows no widget."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

KEPT = 200
"""Places; older ones are forgotten."""


@dataclass(frozen=True)
class Place:
    """One row of one pane."""

    pane: str
    row_id: Hashable
    """Identity of the row; None in an empty pane."""


@dataclass
class History:
    """Places behind and ahead of the present one."""

    behind: list[Place] = field(default_factory=list)
    ahead: list[Place] = field(default_factory=list)

    def leave(self, place: Place) -> None:
        """Remember a place before a jump; what was ahead is forgotten."""
        if not self.behind or self.behind[-1] != place:
            self.behind.append(place)
        del self.behind[:-KEPT]
        self.ahead.clear()

    def back(self, here: Place) -> Place | None:
        """The place before, or None at the beginning."""
        return _step(self.behind, self.ahead, here)

    def forward(self, here: Place) -> Place | None:
        """The place that `back` came from, or None."""
        return _step(self.ahead, self.behind, here)

    def clear(self) -> None:
        """Forget all: another node is shown."""
        self.behind.clear()
        self.ahead.clear()


def _step(source: list[Place], other: list[Place], here: Place) -> Place | None:
    if not source:
        return None
    other.append(here)
    return source.pop()

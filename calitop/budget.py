"""How often a node is read: what it may cost, or what the operator asked for.

Nobody should notice that calitop is open. So, unless an interval is asked for, reading and
counting get a small share of one core: the interval is that of an ordinary reading, and what
is rare and dear (rules that changed, printed whole) is paid from what quiet minutes left over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

SHARE = 0.02
"""Of one core, at most, over `WINDOW_S`."""
WINDOW_S = 60.0
BUSIEST = 0.2
"""Share of the time that reading may take by the clock: the far end of a prefix does not tell its cost."""
_ORDINARY = 5
"""So many readings tell what an ordinary one costs."""

SHORTEST_S, LONGEST_S = 0.05, 3600.0
"""What may be asked for."""
INTERVALS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""The steps of `faster` and `slower`."""


class Pace(NamedTuple):
    """Time from one reading's start to the next one's, and why it is longer than usual."""

    interval_s: float
    because: str = ""
    """In words, as `reading costs 62 ms`; empty when nothing is stretched."""


class Budget:
    """Keeps account of readings and tells when the next is due.

    One thread spends; any may ask for an interval.

    Args:
        usual_s: The interval while reading is cheap.
        fixed_s: The interval that was asked for and is kept whatever it costs; None for none.
    """

    def __init__(self, usual_s: float, fixed_s: float | None = None) -> None:
        self._usual_s = usual_s
        self.fixed_s = fixed_s
        """The interval that is kept; None while the budget rules."""
        self._costs: deque[float] = deque(maxlen=_ORDINARY)
        self._times: deque[float] = deque(maxlen=_ORDINARY)
        self._took_s = 0.0
        self._saved_s = SHARE * WINDOW_S
        self._at: float | None = None

    def spend(self, cost_s: float, took_s: float, at: float) -> None:
        """Note a reading.

        The first one is free: it is what the operator is waiting for.

        Args:
            cost_s: Processor time since the reading before, seconds.
            took_s: Time that this reading took, seconds.
            at: Its end, seconds of any clock that never goes back.
        """
        if self._at is not None:
            self._costs.append(cost_s)
            self._times.append(took_s)
            earned_s = SHARE * (at - self._at)
            self._saved_s = min(SHARE * WINDOW_S, self._saved_s + earned_s) - cost_s
        self._took_s, self._at = took_s, at

    def pace(self) -> Pace:
        """When the next reading is due."""
        if self.fixed_s is not None:
            return Pace(max(self.fixed_s, self._took_s))
        cost_s, took_s = _ordinary(self._costs), _ordinary(self._times)
        return max(
            Pace(self._usual_s),
            Pace(cost_s / SHARE, f"reading costs {duration(cost_s)}"),
            Pace(-self._saved_s / SHARE, f"reading cost {duration(max(self._costs, default=0.0))}"),
            Pace(took_s / BUSIEST, f"reading takes {duration(took_s)}"),
            key=lambda pace: pace.interval_s,
        )

    def step(self, towards: int) -> float:
        """Fix the interval one step shorter (-1) or longer (+1) than it is; answers it, in seconds."""
        now_s = self.pace().interval_s if self.fixed_s is None else self.fixed_s
        if towards < 0:
            shorter = [step for step in INTERVALS_S if step < now_s]
            self.fixed_s = shorter[-1] if shorter else now_s
        else:
            longer = [step for step in INTERVALS_S if step > now_s]
            self.fixed_s = longer[0] if longer else now_s
        return self.fixed_s


def _ordinary(values: Iterable[float]) -> float:
    """The middle one, so that a rare and dear reading tells nothing of the others."""
    ordered = sorted(values) or [0.0]
    return ordered[(len(ordered) - 1) // 2]


def duration(seconds: float) -> str:
    """What something took, in the unit that suits: `0.72 ms`, `62 ms`, `6.2 s`."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2g} ms"

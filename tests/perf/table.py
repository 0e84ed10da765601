"""The lines of the benchmark's table, and the medians in them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

ROUNDS = 5
PACED, PAUSE_S = 4, 0.2


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure against its yardsticks."""

    what: str
    value: float
    unit: str
    against: Mapping[str, float] = field(default_factory=dict)
    """Yardsticks of the same run by name, in the same unit."""

    def text(self) -> str:
        """The row as it is printed."""
        ratios = " · ".join(f"{_ratio(self.value, one)} {name}" for name, one in self.against.items() if one)
        digits = 1 if self.value >= 10 else 3
        return f"{self.what:<44}{self.value:10.{digits}f} {self.unit:<3} {ratios}".rstrip()


def _ratio(value: float, yardstick: float) -> str:
    """As a person says it: 2.50x, or 1/1040 of what is larger."""
    if value >= yardstick:
        return f"{value / yardstick:.2f}x"
    times = yardstick / value
    return f"1/{times:.{0 if times >= 100 else 2}f}"


def median_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median wall time of a call, ms."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def interleaved_ms(
    works: Mapping[str, Callable[[], object]],
    once: frozenset[str] = frozenset(),
    paced: frozenset[str] = frozenset(),
) -> dict[str, float]:
    """Median wall times of several calls, ms, that took turns: what else ran on the machine met all alike.

    Args:
        works: The calls by name.
        once: Names of calls too slow for more than the first turn.
        paced: Names of calls that a poller makes: several a turn, each after a pause.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(ROUNDS):
        for name, work in works.items():
            if turn == 0 or name not in once:
                times[name] += _paced_ms(work) if name in paced else [median_ms(work, rounds=1)]
    return {name: statistics.median(spent) for name, spent in times.items()}


def _paced_ms(work: Callable[[], object]) -> Iterator[float]:
    for _ in range(PACED):
        time.sleep(PAUSE_S)
        yield median_ms(work, rounds=1)

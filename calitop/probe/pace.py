"""How fast packets are sent, how long answers are waited for, and who wants to know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import ClassVar

from calitop.probe.records import INTERVAL_S, MOST, Cancelled, OnProgress, ProbeCancelled, Progress


class Pace:
    """The clock of one probe; the one place that limits what is sent.

    Args:
        total: Packets to be sent.
        on_progress: Told of every answer.
        cancelled: Asked several times a second.
        patience_s: How long the last packet's answer is waited for.
    """

    BEAT_S: ClassVar[float] = 0.1

    def __init__(self, total: int, on_progress: OnProgress, cancelled: Cancelled, patience_s: float) -> None:
        self._total, self._on_progress, self._cancelled = total, on_progress, cancelled
        self.patience_s = patience_s

    def turns(self, count: int) -> Iterator[float]:
        """For each packet the time (monotonic clock) at which the next one is due."""
        begun = time.monotonic()
        for turn in range(min(count, MOST)):
            self.check()
            due = begun + turn * INTERVAL_S
            time.sleep(max(0.0, due - time.monotonic()))
            last = turn == count - 1
            yield due if last else due + INTERVAL_S

    def last_call(self) -> float:
        """Until when the last answers are waited for."""
        return time.monotonic() + self.patience_s

    def answered(self, done: int) -> None:
        """Tell of an answer."""
        self._on_progress(Progress("answered", f"{done}/{self._total} answered", done, self._total))

    def check(self) -> None:
        """Stop here when the operator wants it.

        Raises:
            ProbeCancelled: So it is.
        """
        if self._cancelled():
            raise ProbeCancelled("the probe was stopped")

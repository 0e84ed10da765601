"""The time, given from outside so that pictures and tests can hold it still."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tui.shown import Shown
from widgets import numbers
from widgets.status_line import Status


@dataclass(frozen=True)
class Clock:
    """Two clocks: one for spans, one for the wall."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = datetime.now


def status_now(shown: Shown, paused: bool, clock: Clock) -> Status:
    """What the status line says at this moment."""
    counts = shown.view.counts
    resets = 0 if counts is None else len(counts.resets) + counts.resets_left_out
    status = replace(shown.status, paused=paused, resets=resets)
    here = clock.monotonic()
    if shown.read_at is not None:
        status = replace(status, age_s=max(0.0, here - shown.read_at))
    if shown.baseline_at is not None:
        span = max(0.0, here - shown.baseline_at)
        began = clock.now() - timedelta(seconds=span)
        status = replace(status, baseline=f"{began:%H:%M:%S} ({numbers.age(span)})")
    return status

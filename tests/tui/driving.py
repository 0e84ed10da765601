"""Drives the explorer in tests: clocks that stand still, a live node that tests move by hand."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from textual.pilot import Pilot

from calitop.counters.sample import Sample, sample_of
from calitop.errors import CalitopError
from calitop.model.node import NodeState
from calitop.sources.source import Structure, Wanted
from tui.app import CalitopApp
from tui.shown import Shown
from tui.wall import Clock

STILL = Clock(lambda: 1000.0, lambda: datetime(2026, 11, 23, 14, 2, 11))


class FakeSource:
    """A live node whose state tests exchange."""

    name = "work2"

    def __init__(self, state: NodeState) -> None:
        self.state = state
        self.failure: CalitopError | None = None
        self.closed = 0
        self._generation = self._told = 1
        self._at = 1000.0
        self._lock = threading.Lock()

    def become(self, state: NodeState, *, new_rules: bool = False) -> None:
        """The node changes; the next poll will see it."""
        with self._lock:
            self.state = state
            self._generation += new_rules

    def structure(self) -> Structure:
        """The state as it is now."""
        if self.failure is not None:
            raise self.failure
        with self._lock:
            self._told = self._generation
            return Structure(self._generation, self.state, self._at)

    def refresh(self) -> Structure:
        """The same, told as of now."""
        with self._lock:
            return Structure(self._generation, self.state, self._at)

    def counters(self, wanted: Wanted) -> Sample | None:
        """Counters of the state, one second after the last ones."""
        if self.failure is not None:
            raise self.failure
        with self._lock:
            self._at += 1.0
            if self._told != self._generation:
                return None
            return sample_of(self.state, self._generation, self._at)

    def close(self) -> None:
        """Count how often."""
        self.closed += 1


@asynccontextmanager
async def driven(app: CalitopApp, size: tuple[int, int] = (120, 36)) -> AsyncIterator[Pilot[Any]]:
    """The app with its first picture."""
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.explorer.shown is not None)
        await pilot.pause()
        yield pilot


async def until(pilot: Pilot[Any], holds: Callable[[], bool], tries: int = 500) -> None:
    """Let the app run until something holds."""
    for _ in range(tries):
        await pilot.pause(0.01)
        if holds():
            return
    raise AssertionError("it did not happen")


async def press(pilot: Pilot[Any], keys: Sequence[str] | str) -> None:
    """Press keys one after another and wait for what they start."""
    for key in keys.split() if isinstance(keys, str) else keys:
        await pilot.press(key)
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def screen_text(app: CalitopApp) -> str:
    """What stands on the screen."""
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in lines)


def told(app: CalitopApp) -> str:
    """The short notes on the screen, joined."""
    return "\n".join(note.message for note in app._notifications)


def shown_by(app: CalitopApp) -> Shown:
    """What the explorer shows."""
    assert app.explorer.shown is not None
    return app.explorer.shown


def focused_pane(app: CalitopApp) -> str:
    """Name of the pane that has the keys."""
    return app.explorer.panes.name_of(app.explorer.focused_rows())

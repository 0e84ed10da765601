"""The catalogue as it is read of this kernel again and again.

Links, addresses, routes and policy rules are read when events say that they changed, and
routes without a program, as long as there is nothing in them that only `ip` can put into words.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from calitop.formats.fragment import Fragment
from calitop.sources import capture
from calitop.sources.answers import Asked
from calitop.sources.capture import Capture, Captured, Part
from calitop.sources.events import NetworkEvents
from calitop.sources.iproute_names import read_names
from calitop.sources.local import LocalRunner
from calitop.sources.route_dump import NotUnderstoodError, RouteDump

SHARE = 100
"""Each listing is read for at most one part in so many of the time, however often it changes."""
_RICHNESS = 8


class KernelRunner(LocalRunner):
    """Reads in the namespace of the thread that first calls `run`; that thread only may use it."""

    def __init__(self) -> None:
        super().__init__()
        self._events: NetworkEvents | None = None
        self._stale: set[Capture] = set()
        self._listed: dict[Capture, Captured] = {}
        names = read_names()
        self._dumps = {
            capture.ROUTE: RouteDump("ipv4", names),
            capture.ROUTE_IPV6: RouteDump("ipv6", names),
        }

    def run(self, captures: Sequence[Capture]) -> list[Captured]:
        """See `LocalRunner.run`; what did not change is the very answer given before."""
        if self._events is None:
            self._events = NetworkEvents()
        self._stale |= self._events.take()
        return super().run(captures)

    def close(self) -> None:
        """Stop listening; may be called twice."""
        if self._events is not None:
            self._events.close()

    def _one(self, wanted: Capture, before: Mapping[Capture, Captured]) -> Captured:
        if wanted.part is not Part.LINKS:
            return super()._one(wanted, before)
        if self._is_due(wanted):
            self._stale.discard(wanted)
            self._listed[wanted] = self._routes(wanted) or super()._one(wanted, before)
        return self._listed[wanted]

    def _is_due(self, wanted: Capture) -> bool:
        last = self._listed.get(wanted)
        if last is None or not last.ok:
            return True
        return wanted in self._stale and time.monotonic() >= last.read_at + SHARE * last.took_s

    def _routes(self, wanted: Capture) -> Captured | None:
        """The routes by rtnetlink; None where `ip` must be asked."""
        source = self._dumps.get(wanted)
        if source is None:
            return None
        asked = Asked()
        with suppress(NotUnderstoodError, OSError):
            routes = source.read()
            last = self._listed.get(wanted)
            told = last.fragment if last is not None else None
            if told is None or told.routes is not routes:
                told = Fragment(routes=routes, richness=_RICHNESS)
            answer = replace(asked.answer(wanted, 0, ""), fragment=told)
            return replace(answer, command=f"rtnetlink: {source.family} routes")
        return None

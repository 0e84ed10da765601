"""The catalogue as it is read of this kernel again and again.

Links, addresses, routes and policy rules are read when events say that they changed, and
routes without a program, as long as there is nothing in them that only `ip` can put into words.
What is read without a program is not made into a text either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from calitop.formats import proc_dev, proc_netstat, proc_snmp, proc_snmp6, sysctl
from calitop.formats.catalogue import Format
from calitop.formats.fragment import Fragment
from calitop.sources import capture
from calitop.sources.answers import Asked
from calitop.sources.capture import Capture, Captured, Part
from calitop.sources.dev_counters import DevCounters
from calitop.sources.events import NetworkEvents
from calitop.sources.iproute_names import read_names
from calitop.sources.local import LocalRunner, proc_text
from calitop.sources.route_dump import NotUnderstoodError, RouteDump
from calitop.sources.settings import Settings

_STATISTICS: dict[Capture, Format] = {
    capture.NETSTAT: proc_netstat,
    capture.SNMP: proc_snmp,
    capture.SNMP_IPV6: proc_snmp6,
}
"""Files that no poll has to recognise again."""
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
        self._dev = DevCounters()
        self._settings = Settings()
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

    def _one(self, wanted: Capture) -> Captured:
        if wanted is capture.SYSCTL:
            return _told(wanted, sysctl.KIND, lambda: Fragment(sysctls=self._settings.read()))
        if wanted is capture.DEV:
            return _told(wanted, proc_dev.KIND, self._dev.read)
        if wanted in _STATISTICS:
            form = _STATISTICS[wanted]
            return _told(wanted, form.KIND, lambda: form.parse(proc_text(wanted.command[1])))
        if wanted.part is not Part.LINKS:
            return super()._one(wanted)
        if self._is_due(wanted):
            self._stale.discard(wanted)
            self._listed[wanted] = self._routes(wanted) or super()._one(wanted)
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
        with suppress(NotUnderstoodError):
            answer = _told(wanted, "rtnetlink", lambda: Fragment(routes=source.read(), richness=_RICHNESS))
            return replace(answer, command=f"RTM_GETROUTE {source.family}") if answer.ok else None
        return None


def _told(wanted: Capture, kind: str, read: Callable[[], Fragment]) -> Captured:
    """An answer without text, or why there is none."""
    asked = Asked()
    try:
        fragment = read()
    except OSError as error:
        return asked.answer(wanted, 1, "", f"cannot read {kind}: {error.strerror}")
    return replace(asked.answer(wanted, 0, ""), fragment=fragment, kind=kind)

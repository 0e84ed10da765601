"""What changed in links, addresses, routes and policy rules, by the kernel's own events.

An event says which listing must be read again; what it says in detail is not used, so nothing
can be misread: Linux drops the IPv4 routes of a device that goes down, or of an address that is
taken away, without an event for each. Lost events (the socket's buffer ran over) count as
changes of everything.

Source: include/uapi/linux/rtnetlink.h.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from calitop.sources import capture
from calitop.sources.capture import Capture

_ROUTE, _RULE = (24, 25), (32, 33)
"""RTM_NEWROUTE and RTM_DELROUTE, RTM_NEWRULE and RTM_DELRULE."""
_ROUTES = {2: frozenset((capture.ROUTE,)), 10: frozenset((capture.ROUTE, capture.ROUTE_IPV6))}
"""By family; `ip route show table all` prints those of both."""
_RULES = {2: frozenset((capture.RULE,)), 10: frozenset((capture.RULE_IPV6,))}
_EVERYTHING = frozenset(capture.LINKS)
_WITH_LINKS = _EVERYTHING - {capture.RULE, capture.RULE_IPV6}
_NEXT_HOPS = 1 << 31
"""Group of next hop objects, RTNLGRP_NEXTHOP; pyroute2 has no name for it."""
_OVERRUN_PAUSE_S = 0.2


class NetworkEvents:
    """Listens from the namespace of the thread that makes it, in a thread of its own.

    Without events (pyroute2 is not installed, no socket) everything counts as changed always.
    """

    def __init__(self) -> None:
        self._changed: set[Capture] = set(_EVERYTHING)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._listening = threading.Event()
        self._socket: Any = None
        self._thread = threading.Thread(target=self._listen, name="calitop-events", daemon=True)
        self._thread.start()
        self._listening.wait(5)

    def take(self) -> frozenset[Capture]:
        """Which of `capture.LINKS` may have changed since the last call; to be asked before reading."""
        if not self._thread.is_alive():
            return _EVERYTHING
        with self._lock:
            found, self._changed = frozenset(self._changed), set()
        return found

    def close(self) -> None:
        """Stop listening; may be called twice."""
        self._stop.set()
        with suppress(OSError, RuntimeError):
            if self._socket is not None:
                self._socket.close()
        if self._thread.is_alive():
            self._thread.join(1)

    def _listen(self) -> None:
        try:
            with suppress(ImportError, OSError):
                while not self._stop.is_set():
                    self._listen_once()
        finally:
            self._listening.set()

    def _listen_once(self) -> None:
        """Receive until the socket fails, as it does when its buffer ran over."""
        with _route_socket() as self._socket:
            self._note(_EVERYTHING)
            self._listening.set()
            with suppress(OSError):
                while not self._stop.is_set():
                    for event in self._socket.get():
                        self._note(told_by(event))
        self._stop.wait(_OVERRUN_PAUSE_S)

    def _note(self, changed: frozenset[Capture]) -> None:
        with self._lock:
            self._changed |= changed


def told_by(event: Mapping[str, Any]) -> frozenset[Capture]:
    """The listings that an event of pyroute2 makes old; all of them where it does not say of what it is."""
    header = event.get("header") or {}
    kind, family = header.get("type"), event.get("family")
    if kind is None:
        return _EVERYTHING
    if kind in _ROUTE:
        return _ROUTES.get(family or 0, frozenset())
    if kind in _RULE:
        return _RULES.get(family or 0, frozenset())
    return _WITH_LINKS


def _route_socket() -> Any:
    """A pyroute2 socket bound to the groups of links, addresses, routes and rules."""
    from pyroute2 import IPRoute
    from pyroute2.netlink import rtnl

    groups = (
        rtnl.RTMGRP_LINK
        | rtnl.RTMGRP_IPV4_IFADDR
        | rtnl.RTMGRP_IPV6_IFADDR
        | rtnl.RTMGRP_IPV4_ROUTE
        | rtnl.RTMGRP_IPV6_ROUTE
        | rtnl.RTMGRP_IPV4_RULE
        | rtnl.RTMGRP_IPV6_RULE
        | _NEXT_HOPS
    )
    made = IPRoute()
    made.bind(groups)
    return made

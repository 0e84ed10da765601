"""Whether links, addresses, routes or policy rules changed, by the kernel's own events.

One event is enough to know that the listing must be read again; what it says in detail
is not used, so nothing can be missed or misread. When events are lost (the socket's
buffer ran over) that counts as a change too.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

_ENOBUFS_PAUSE_S = 0.2


class LinkEvents:
    """Listens from the calling thread's network namespace, in a thread of its own.

    Without events (pyroute2 is not installed, no socket) everything counts as changed
    always, so that each poll reads anew.
    """

    def __init__(self) -> None:
        self._changed = threading.Event()
        self._changed.set()
        self._stop = threading.Event()
        self._listening = threading.Event()
        self._socket: Any = None
        self._thread = threading.Thread(target=self._listen, name="calitop-events", daemon=True)

    def start(self) -> None:
        """Begin to listen; returns when events are received, or are known not to come."""
        self._thread.start()
        self._listening.wait(5)

    def take(self) -> bool:
        """Whether anything changed since the last call; to be asked before reading."""
        changed = self._changed.is_set() or not self._thread.is_alive()
        self._changed.clear()
        return changed

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
            self._changed.set()
            self._listening.set()
            with suppress(OSError):
                while not self._stop.is_set():
                    for _event in self._socket.get():
                        self._changed.set()
        self._stop.wait(_ENOBUFS_PAUSE_S)


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
    )
    made = IPRoute()
    made.bind(groups)
    return made

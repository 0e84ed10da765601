"""What changed in links, addresses, routes and policy rules, by the kernel's own events.

An event says which listing must be read again; what it says in detail is not used, so nothing
can be misread: Linux drops the IPv4 routes of a device that goes down, or of an address that is
taken away, without an event for each. Lost events (the socket's buffer ran over) count as
changes of everything.

Source: include/uapi/linux/rtnetlink.h.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress

from calitop.sources import capture
from calitop.sources.capture import Capture
from calitop.sources.netlink import HEADER

_GROUPS = (1, 5, 7, 8, 9, 11, 12, 19, 32)
"""RTNLGRP_… of links, addresses, routes, policy rules and next hops, both families."""
_ROUTE, _RULE = (24, 25), (32, 33)
"""RTM_NEWROUTE and RTM_DELROUTE, RTM_NEWRULE and RTM_DELRULE."""
_ROUTES = {2: {capture.ROUTE}, 10: {capture.ROUTE, capture.ROUTE_IPV6}}
"""By family; `ip route show table all` prints those of both."""
_RULES = {2: {capture.RULE}, 10: {capture.RULE_IPV6}}
_EVERYTHING = frozenset(capture.LINKS)
_WITH_LINKS = _EVERYTHING - {capture.RULE, capture.RULE_IPV6}
_SO_RCVBUFFORCE = 33
_BUFFER = 1 << 20
_LONGEST = 1 << 16


class NetworkEvents:
    """Listens in the namespace of the thread that makes it.

    Where no socket can be had everything counts as changed always.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        with suppress(OSError):
            self._socket = _listening()

    def take(self) -> frozenset[Capture]:
        """Which of `capture.LINKS` may have changed since the last call; to be asked before reading."""
        changed: set[Capture] = set()
        for found in self._arrived():
            changed |= found
        return frozenset(changed)

    def close(self) -> None:
        """Stop listening; may be called twice."""
        if self._socket is not None:
            self._socket.close()

    def _arrived(self) -> Iterator[frozenset[Capture]]:
        """What each event that is waiting tells."""
        if self._socket is None:
            yield _EVERYTHING
            return
        while True:
            try:
                yield _told_by(self._socket.recv(_LONGEST))
            except BlockingIOError:
                return
            except OSError as error:
                yield _EVERYTHING
                if error.errno != errno.ENOBUFS:
                    return


def _listening() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    try:
        made.setblocking(False)
        with suppress(OSError):  # A larger buffer is the administrator's; less only means to read more.
            made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        made.bind((0, sum(1 << (group - 1) for group in _GROUPS)))
    except OSError:
        made.close()
        raise
    return made


def _told_by(event: bytes) -> frozenset[Capture]:
    if len(event) <= HEADER.size:
        return _EVERYTHING
    kind, family = HEADER.unpack_from(event)[1], event[HEADER.size]
    if kind in _ROUTE:
        return frozenset(_ROUTES.get(family, ()))
    if kind in _RULE:
        return frozenset(_RULES.get(family, ()))
    return _WITH_LINKS

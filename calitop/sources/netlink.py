"""rtnetlink at its smallest: one question, and its answers.

For what is asked again and again where a library costs many times the kernel's own work
(docs/decisions/0004-own-netlink.md). A socket answers for the namespace of the thread that
opened it. Source: include/uapi/linux/netlink.h.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""
_ATTRIBUTE = struct.Struct("=HH").unpack_from
_TYPE = 0x3FFF
"""Without the bits for nested and for network byte order."""
_REQUEST, _DUMP, _INTERRUPTED = 0x1, 0x300, 0x10
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _STRICT_CHECK = 270, 12
_RECEIVE = 1 << 16
"""The kernel fills up to 32 KiB at a time; a smaller buffer costs more rounds."""
_TIMEOUT_S = 5
_ATTEMPTS = 3


def ask(kind: int, body: bytes) -> bytes | None:
    """The body of the answer to a question for one thing of rtnetlink; None when there is none.

    Raises:
        OSError: The kernel refuses, or does not answer in time.
    """
    with _asked(kind, _REQUEST, body) as asked:
        return next((body for _flags, body in _answers(asked.recv(_RECEIVE)) if body is not None), None)


def dump(kind: int, body: bytes) -> list[bytes]:
    """The bodies of everything of one kind of rtnetlink.

    A dump that a change interrupted is made anew. Where changes never cease the last attempt
    is given: whoever follows the events learns of the change that spoilt it.

    Args:
        kind: Message type (`RTM_GETROUTE` …).
        body: What follows the header.

    Raises:
        PermissionError: This user may not ask.
        OSError: The kernel refuses for another reason, or does not answer in time.
    """
    bodies: list[bytes] = []
    for _attempt in range(_ATTEMPTS):
        bodies, whole = _dump_once(kind, body)
        if whole:
            break
    return bodies


def attributes(data: bytes, place: int = 0) -> dict[int, bytes]:
    """The attributes of a message or of a nested attribute by type, from a place in it to its end."""
    found = {}
    end = len(data) - 3
    while place < end:
        length, kind = _ATTRIBUTE(data, place)
        found[kind & _TYPE] = data[place + 4 : place + length]
        place += (length + 3) & ~3 or 4
    return found


def _dump_once(kind: int, body: bytes) -> tuple[list[bytes], bool]:
    """Everything that came, and whether nothing changed meanwhile."""
    bodies: list[bytes] = []
    whole = True
    with _asked(kind, _REQUEST | _DUMP, body) as asked:
        while True:
            for flags, answer in _answers(asked.recv(_RECEIVE)):
                whole = whole and not flags & _INTERRUPTED
                if answer is None:
                    return bodies, whole
                bodies.append(answer)


@contextmanager
def _asked(kind: int, flags: int, body: bytes) -> Iterator[socket.socket]:
    """A socket that the question was sent through."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asked:
        asked.settimeout(_TIMEOUT_S)
        with suppress(OSError):  # Linux before 4.20 has no strict check and needs none.
            asked.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)
        asked.sendto(HEADER.pack(HEADER.size + len(body), kind, flags, 1, 0) + body, (0, 0))
        yield asked


def _answers(data: bytes) -> Iterator[tuple[int, bytes | None]]:
    """The flags and bodies in what one read gave; None for the end."""
    place, end = 0, len(data)
    while place + HEADER.size <= end:
        length, kind, flags, _sequence, _port = HEADER.unpack_from(data, place)
        if kind == _DONE:
            yield flags, None
            return
        body = data[place + HEADER.size : place + length]
        if kind == _ERROR:
            number = -int.from_bytes(body[:4], sys.byteorder, signed=True)
            raise OSError(number, os.strerror(number))
        yield flags, body
        place += max(HEADER.size, (length + 3) & ~3)

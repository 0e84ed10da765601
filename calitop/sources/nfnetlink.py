"""Questions to nf_tables over a plain netlink socket, and what it tells by itself.

Only messages that ask are ever sent. Opening a socket loads nfnetlink and asking loads
nf_tables where they are absent, so whoever opens one has looked first (`look.py`).
Why this is our own: docs/decisions/0005-follow-the-hits.md.

Source: include/uapi/linux/netlink.h, netfilter/nfnetlink.h, netfilter/nf_tables.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from calitop.model.rules import Family

FAMILY_NUMBERS: dict[Family, int] = {"inet": 1, "ipv4": 2, "arp": 3, "netdev": 5, "bridge": 7, "ipv6": 10}
"""NFPROTO_* (include/uapi/linux/netfilter.h)."""
FAMILIES: dict[int, Family] = {number: family for family, number in FAMILY_NUMBERS.items()}

GET_TABLE, GET_CHAIN, GET_RULE, GET_GENERATION = 1, 4, 7, 16
NEW_GENERATION = 15
TABLE_ATTRIBUTE = 1
"""The table's name, in messages about tables, chains, rules, sets and elements alike."""
_GENERATION_ATTRIBUTE = 1

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 10 << 8
_NLM_F_REQUEST, _NLM_F_DUMP, _NLM_F_DUMP_INTR = 0x1, 0x300, 0x10
_NLMSG_NOOP, _NLMSG_ERROR, _NLMSG_DONE = 1, 2, 3
_GROUP_OF_CHANGES = 7
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
BODY = 20
"""Length of the netlink header and nfgenmsg: where the attributes begin."""
_CHUNK = 65536
"""The kernel fills 32 KiB at a time; smaller buffers make dumps slower, larger ones gain nothing."""
_PATIENCE = struct.pack("@ll", 5, 0)
"""struct timeval: seconds that a read waits. An answer that is under way comes at once."""


class Message(NamedTuple):
    """One message of nf_tables."""

    kind: int
    """NFT_MSG_*."""
    family: int
    """NFPROTO_*."""
    data: memoryview
    start: int
    """Where in `data` its attributes begin."""
    end: int


class Dump(NamedTuple):
    """What the kernel listed."""

    data: memoryview
    """Messages back to back, the closing one left out; valid until the next question."""
    whole: bool
    """False when a change came in between: rules may be missing or stand twice."""


def attribute(kind: int, text: str) -> bytes:
    """A text as a netlink attribute."""
    data = text.encode("utf-8", "surrogateescape") + b"\0"
    return _ATTRIBUTE.pack(4 + len(data), kind) + data + bytes(-len(data) % 4)


def question(kind: int, family: int, attributes: bytes = b"", *, dump: bool = False) -> bytes:
    """A message that asks for one thing, or for a list of all that fit."""
    flags = _NLM_F_REQUEST | (_NLM_F_DUMP if dump else 0)
    head = _HEADER.pack(BODY + len(attributes), _SUBSYSTEM | kind, flags, 1, 0)
    return head + struct.pack("=BBH", family, 0, 0) + attributes


def places_of(data: memoryview, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Each attribute between two places: its number, and where its value begins and ends."""
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        yield kind & 0x3FFF, start + 4, start + length
        start += max(4, (length + 3) & ~3)


def attributes_of(message: Message) -> Iterator[tuple[int, memoryview]]:
    """Each attribute's number and value."""
    for kind, start, end in places_of(message.data, message.start, message.end):
        yield kind, message.data[start:end]


def text_of(value: memoryview) -> str:
    """A text attribute's value; bytes that are not UTF-8 survive as surrogates."""
    return str(value, "utf-8", "surrogateescape").rstrip("\0")


def messages(data: memoryview) -> Iterator[Message]:
    """The messages of nf_tables in what was received.

    Raises:
        OSError: One of them says that the kernel refuses.
    """
    place, end = 0, len(data)
    while place + _HEADER.size <= end:
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data, place)
        if kind == _NLMSG_ERROR:
            _raise_refusal(data[place + _HEADER.size :])
        elif kind >> 8 == _SUBSYSTEM >> 8:
            yield Message(kind & 0xFF, data[place + _HEADER.size], data, place + BODY, place + length)
        place += max(_HEADER.size, (length + 3) & ~3)


def _raise_refusal(body: memoryview) -> None:
    number = -_ERROR.unpack_from(body)[0]
    if number:
        raise OSError(number, os.strerror(number))


class Nfnetlink:
    """A socket that asks, in the network namespace of the thread that makes it.

    Raises:
        OSError: No such socket here.
    """

    def __init__(self) -> None:
        self._socket = _open()
        self._buffer = bytearray(2 * _CHUNK)

    def close(self) -> None:
        """Give the socket back; may be called twice."""
        self._socket.close()

    def generation(self) -> int:
        """Number of the rules' version in this namespace; every transaction of anybody raises it.

        Raises:
            OSError: The kernel refuses.
        """
        self._socket.send(_ASK_GENERATION)
        return next(filter(None, map(_generation_of, messages(memoryview(self._socket.recv(_CHUNK))))), 0)

    def ask(self, questions: Sequence[bytes]) -> list[bytes | None]:
        """The answer to each question for one thing; None where there is no such thing.

        Raises:
            OSError: The kernel refuses for another reason.
        """
        answers: list[bytes | None] = []
        for start in range(0, len(questions), _AT_ONCE):
            some = questions[start : start + _AT_ONCE]
            self._socket.send(b"".join(some))
            answers += [self._answer() for _question in some]
        return answers

    def _answer(self) -> bytes | None:
        data = self._socket.recv(_CHUNK)
        if _HEADER.unpack_from(data)[1] == _NLMSG_ERROR:
            with suppress(FileNotFoundError):
                _raise_refusal(memoryview(data)[_HEADER.size :])
            return None
        return data

    def dump(self, asked: bytes) -> Dump:
        """All that the kernel lists for a question made with `dump=True`.

        Raises:
            OSError: The kernel refuses.
        """
        receive, head = self._socket.recv_into, _HEADER.unpack_from
        self._socket.send(asked)
        place, whole = 0, True
        while True:
            if len(self._buffer) - place < _CHUNK:
                self._buffer = self._buffer + bytes(len(self._buffer))
            size = receive(memoryview(self._buffer)[place:], _CHUNK)
            _length, kind, flags, _sequence, _port = head(self._buffer, place)
            whole = whole and not flags & _NLM_F_DUMP_INTR
            if kind == _NLMSG_ERROR:
                _raise_refusal(memoryview(self._buffer)[place + _HEADER.size :])
            if kind == _NLMSG_DONE:
                return Dump(memoryview(self._buffer)[:place], whole)
            place += size
            last = place - _CLOSING
            if size > _CLOSING and head(self._buffer, last)[:2] == (_CLOSING, _NLMSG_DONE):
                return Dump(memoryview(self._buffer)[:last], whole)


_CLOSING = 20
"""Length of the message that ends a list; a kernel may put it behind the last item."""
_AT_ONCE = 16
"""Questions that one send carries: their answers must fit the socket's buffer."""
_ASK_GENERATION = question(GET_GENERATION, 0)


class NfEvents:
    """What nf_tables tells of changes, received in the namespace of the thread that makes it.

    Raises:
        OSError: This user may not listen, or there is no such socket here.
    """

    def __init__(self) -> None:
        self._socket = _open(1 << _GROUP_OF_CHANGES - 1)
        # Large transactions come as one burst; without privilege for more the usual size stays.
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _EVENTS_BUFFER)

    def close(self) -> None:
        """Give the socket back; may be called twice."""
        self._socket.close()

    def take(self, *, wait: bool = False) -> list[Message] | None:
        """The messages that have come since; with `wait` at least one, or none after 5 seconds.

        Returns:
            None when some were lost: there came more than the socket holds.
        """
        found: list[Message] = []
        while True:
            try:
                data = self._socket.recv(_CHUNK, 0 if wait and not found else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            except OSError:
                return None
            found += messages(memoryview(data))


_SO_RCVBUFFORCE = 33
_EVENTS_BUFFER = 8 << 20


def generation_told(message: Message) -> int | None:
    """The generation that a message announces; None for any other message."""
    return _generation_of(message) if message.kind == NEW_GENERATION else None


def _generation_of(message: Message) -> int | None:
    for kind, value in attributes_of(message):
        if kind == _GENERATION_ATTRIBUTE:
            return int.from_bytes(value, "big")
    return None


def _open(groups: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    try:
        made.bind((0, groups))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
    except OSError:
        made.close()
        raise
    return made

"""TCP connections and UDP datagrams as probes, and who answers them.

Runs in a thread that is in the sender's network namespace.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

from calitop.model.values import Address
from calitop.probe.pace import Pace
from calitop.probe.records import Sending

SYN_PATIENCE_S = 0.9
"""Less than the first retransmission (1 s, RFC 6298), so that each attempt is one SYN."""
DATAGRAM = b"calitop probe\n"
_CLOSE_AT_ONCE = struct.pack("ii", 1, 0)
"""struct linger: a reset in place of a farewell, so that nothing stays behind in TIME_WAIT."""
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
"""struct sock_extended_err (include/uapi/linux/errqueue.h); the offender's sockaddr follows."""
_FROM_ICMP = (2, 3)


@dataclass
class _Tally:
    """What has been sent and answered.

    Attributes:
        sent_at: When each was sent (monotonic clock).
        rtt_ms: Of those answered, by place.
    """

    pace: Pace
    sent_at: list[float] = field(default_factory=list)
    rtt_ms: dict[int, float] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    told: dict[str, None] = field(default_factory=dict)

    def begin(self) -> int:
        """Note a packet; answers its place."""
        self.sent_at.append(time.monotonic())
        return len(self.sent_at) - 1

    def answer(self, place: int) -> None:
        """The packet at that place was answered."""
        self.rtt_ms[place] = (time.monotonic() - self.sent_at[place]) * 1000
        self.pace.answered(len(self.rtt_ms))

    def done(self) -> Sending:
        """The account."""
        answered = tuple(self.rtt_ms.get(at) for at in range(len(self.sent_at)))
        return Sending(len(self.sent_at), answered, len(self.refused), tuple(self.told))


def connect_tcp(source: Address, target: Address, port: int, count: int, pace: Pace) -> Sending:
    """Opens TCP connections and closes each at once.

    Raises:
        OSError: The source address is not here.
        ProbeCancelled: On request.
    """
    with _Connections(source, target, port, pace) as connections:
        return connections.run(count)


class _Connections:
    """Attempts that run side by side."""

    def __init__(self, source: Address, target: Address, port: int, pace: Pace) -> None:
        self._source, self._peer = source, (str(target), port)
        self._family = socket.AF_INET if target.version == 4 else socket.AF_INET6
        self._pace, self._tally = pace, _Tally(pace)
        self._open: dict[socket.socket, int] = {}
        self._ready = selectors.DefaultSelector()

    def __enter__(self) -> _Connections:
        return self

    def __exit__(self, *_: object) -> None:
        for attempt in list(self._open):
            self._end(attempt)
        self._ready.close()

    def run(self, count: int) -> Sending:
        for turn in self._pace.turns(count):
            self._begin()
            self._wait(turn)
        self._wait(self._pace.last_call())
        return self._tally.done()

    def _begin(self) -> None:
        attempt = socket.socket(self._family, socket.SOCK_STREAM)
        attempt.setblocking(False)
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
        try:
            attempt.bind((str(self._source), 0))
        except OSError:
            attempt.close()
            raise
        place = self._tally.begin()
        self._open[attempt] = place
        self._ready.register(attempt, selectors.EVENT_WRITE)
        number = attempt.connect_ex(self._peer)
        if number not in (0, errno.EINPROGRESS):
            self._settle(attempt, number)

    def _wait(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0 and self._open:
            self._pace.check()
            self._give_up_late_ones()
            for key, _ in self._ready.select(min(left, self._pace.BEAT_S)):
                attempt = key.fileobj
                if isinstance(attempt, socket.socket):
                    self._settle(attempt, attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _give_up_late_ones(self) -> None:
        now = time.monotonic()
        for attempt, place in list(self._open.items()):
            if now - self._tally.sent_at[place] >= SYN_PATIENCE_S:
                self._end(attempt)

    def _settle(self, attempt: socket.socket, number: int) -> None:
        place = self._open[attempt]
        if number == 0:
            self._tally.answer(place)
        elif number == errno.ECONNREFUSED:
            self._tally.refused.add(place)
            self._tally.told["connection refused: by the target itself, or by a REJECT rule"] = None
        else:
            self._tally.told[f"no connection: {os.strerror(number)}"] = None
        self._end(attempt)

    def _end(self, attempt: socket.socket) -> None:
        self._open.pop(attempt, None)
        with suppress(KeyError):
            self._ready.unregister(attempt)
        attempt.close()


def send_datagrams(source: Address, target: Address, port: int, count: int, pace: Pace) -> Sending:
    """Sends UDP datagrams from one port and takes whatever comes back from there as answers.

    Raises:
        OSError: The source address is not here.
        ProbeCancelled: On request.
    """
    four = target.version == 4
    with socket.socket(socket.AF_INET if four else socket.AF_INET6, socket.SOCK_DGRAM) as wire:
        level, option = (socket.IPPROTO_IP, _IP_RECVERR) if four else (socket.IPPROTO_IPV6, _IPV6_RECVERR)
        wire.setsockopt(level, option, 1)
        wire.bind((str(source), 0))
        wire.connect((str(target), port))
        return _Datagrams(wire, target, count, pace).run()


class _Datagrams:
    def __init__(self, wire: socket.socket, target: Address, count: int, pace: Pace) -> None:
        self._wire, self._target, self._count = wire, target, count
        self._pace, self._tally = pace, _Tally(pace)

    def run(self) -> Sending:
        for turn in self._pace.turns(self._count):
            self._send()
            self._listen(turn)
        self._listen(self._pace.last_call())
        return self._tally.done()

    def _send(self) -> None:
        self._take_errors()
        try:
            self._wire.send(DATAGRAM)
        except OSError as error:
            self._tally.told[f"not sent: {error.strerror}"] = None
            if error.errno != errno.EPERM:
                return  # EPERM: a rule of OUTPUT took it, so it did set out
        self._tally.begin()

    def _listen(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0 and self._waiting():
            self._pace.check()
            self._wire.settimeout(min(left, self._pace.BEAT_S))
            try:
                self._wire.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                self._take_errors()
                continue
            place = self._oldest_open()
            if place is not None:
                self._tally.answer(place)

    def _waiting(self) -> bool:
        return len(self._tally.rtt_ms) + len(self._tally.refused) < self._count

    def _oldest_open(self) -> int | None:
        known = self._tally.rtt_ms.keys() | self._tally.refused
        return next((at for at in range(len(self._tally.sent_at)) if at not in known), None)

    def _take_errors(self) -> None:
        """ICMP errors about our datagrams, with the address that sent them."""
        while True:
            try:
                _, ancillary, _, _ = self._wire.recvmsg(512, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            except OSError:
                return
            for _level, _kind, data in ancillary:
                self._note(data)

    def _note(self, data: bytes) -> None:
        if len(data) < _EXTENDED_ERROR.size:
            return
        number, origin = _EXTENDED_ERROR.unpack_from(data)[:2]
        if origin not in _FROM_ICMP:
            return
        offender = _sender(data[_EXTENDED_ERROR.size :])
        self._tally.told[f"{offender or 'somebody'} said: {os.strerror(number).lower()}"] = None
        place = self._oldest_open()
        if number == errno.ECONNREFUSED and offender == self._target and place is not None:
            self._tally.refused.add(place)


def _sender(address: bytes) -> Address | None:
    """The address in a sockaddr_in or sockaddr_in6."""
    if len(address) < 8:
        return None
    family = struct.unpack_from("=H", address)[0]
    raw = address[4:8] if family == socket.AF_INET else address[8:24]
    return ip_address(raw) if len(raw) in (4, 16) else None

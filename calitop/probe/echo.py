"""ICMP and ICMPv6 echo requests, and who answers them.

Runs in a thread that is in the sender's network namespace.
Source: RFC 792, RFC 4443; raw(7).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from dataclasses import dataclass, field
from ipaddress import ip_address

from calitop.model.values import Address
from calitop.probe.pace import Pace
from calitop.probe.records import DATA_BYTES, Sending

_REQUEST, _REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_HEADER = struct.Struct("!BBHHH")
_INNER = {4: 20, 6: 40}
"""Length of the IP header in front of what an error quotes; IPv4 tells its own."""
_ERRORS = {
    (4, 3): "destination unreachable",
    (4, 11): "time exceeded",
    (4, 12): "bad header",
    (6, 1): "destination unreachable",
    (6, 2): "packet too big",
    (6, 3): "time exceeded",
    (6, 4): "bad header",
}
_UNREACHABLE = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "packet too big for the way (MTU)",
    9: "network prohibited",
    10: "host prohibited",
    13: "administratively prohibited",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """An ICMP message that speaks of one of our requests."""

    sequence: int
    error: str | None
    """None for a reply."""


def send_echoes(source: Address, target: Address, count: int, pace: Pace) -> Sending:
    """Sends echo requests and waits for the replies.

    Raises:
        OSError: No such socket may be opened, or the source address is not here.
        ProbeCancelled: On request.
    """
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    protocol = socket.IPPROTO_ICMP if target.version == 4 else socket.IPPROTO_ICMPV6
    with socket.socket(family, socket.SOCK_RAW, protocol) as wire:
        wire.bind((str(source), 0))
        return _Echoes(wire, target, count, pace).run()


@dataclass
class _Echoes:
    wire: socket.socket
    target: Address
    count: int
    pace: Pace
    number: int = field(default_factory=lambda: int.from_bytes(os.urandom(2), "big"))
    """The identifier by which replies are ours."""
    sent_at: list[float] = field(default_factory=list)
    rtt_ms: dict[int, float] = field(default_factory=dict)
    told: dict[str, None] = field(default_factory=dict)

    def run(self) -> Sending:
        for turn in self.pace.turns(self.count):
            self._send()
            self._listen(turn)
        self._listen(self.pace.last_call())
        answered = tuple(self.rtt_ms.get(at) for at in range(len(self.sent_at)))
        return Sending(len(self.sent_at), answered, told=tuple(self.told))

    def _send(self) -> None:
        at = time.monotonic()
        packet = request(self.target.version, self.number, len(self.sent_at))
        try:
            self.wire.sendto(packet, (str(self.target), 0))
        except OSError as error:
            self.told[f"not sent: {error.strerror}"] = None
            if error.errno != errno.EPERM:
                return  # EPERM: a rule of OUTPUT took it, so it did set out
        self.sent_at.append(at)

    def _listen(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0 and len(self.rtt_ms) < self.count:
            self.pace.check()
            self.wire.settimeout(min(left, self.pace.BEAT_S))
            try:
                data, sender = self.wire.recvfrom(1 << 16)
            except TimeoutError:
                continue
            self._take(data, str(sender[0]))

    def _take(self, data: bytes, sender: str) -> None:
        at = time.monotonic()
        heard = hear(self.target.version, data, self.number)
        if heard is None or heard.sequence >= len(self.sent_at):
            return
        if heard.error is not None:
            self.told[f"{sender} said: {heard.error}"] = None
        elif ip_address(sender.split("%")[0]) == self.target and heard.sequence not in self.rtt_ms:
            self.rtt_ms[heard.sequence] = (at - self.sent_at[heard.sequence]) * 1000
            self.pace.answered(len(self.rtt_ms))


def request(version: int, number: int, sequence: int) -> bytes:
    """One echo request; of IPv6 the kernel fills in the checksum."""
    data = bytes(index & 0xFF for index in range(DATA_BYTES))
    head = _HEADER.pack(_REQUEST[version], 0, 0, number, sequence)
    sum_ = 0 if version == 6 else checksum(head + data)
    return _HEADER.pack(_REQUEST[version], 0, sum_, number, sequence) + data


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) & ~1, 2))
    total += (data[-1] << 8) if len(data) & 1 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def hear(version: int, data: bytes, number: int) -> Heard | None:
    """What a packet from a raw socket says of our requests; None when it is about others.

    Args:
        version: 4 (with the IP header in front) or 6 (without).
        data: As received.
        number: Our identifier.
    """
    body = data[(data[0] & 0xF) * 4 :] if version == 4 and data else data
    if len(body) < _HEADER.size:
        return None
    kind, code, _, identifier, sequence = _HEADER.unpack_from(body)
    if kind == _REPLY[version]:
        return Heard(sequence, None) if identifier == number else None
    words = _ERRORS.get((version, kind))
    if words is None:
        return None
    if (version, kind) == (4, 3):
        words = _UNREACHABLE.get(code, words)
    return _quoted(version, body[_HEADER.size :], number, words)


def _quoted(version: int, quote: bytes, number: int, words: str) -> Heard | None:
    """What an error quotes of the packet that it is about."""
    length = (quote[0] & 0xF) * 4 if version == 4 and quote else _INNER[version]
    inner = quote[length:]
    if len(inner) < _HEADER.size:
        return None
    kind, _, _, identifier, sequence = _HEADER.unpack_from(inner)
    ours = kind == _REQUEST[version] and identifier == number
    return Heard(sequence, words) if ours else None

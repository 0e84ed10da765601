"""Sockets at all ends of the router under test: what is sent into it, and what comes out."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from calitop.formats import proc_netstat, proc_snmp
from calitop.path.packet import ICMP, TCP, UDP
from calitop.sources.local import proc_text
from calitop.sources.namespace import ReaderThread
from tests.differential.kernel_trace import KernelTrace, Numbers, Seen, ask
from tests.differential.packets import Arrived, Sent, arrived

_ETH_P_IP, _PACKET_IGNORE_OUTGOING = 0x0800, 23
_SO_MARK, _SO_RCVBUFFORCE, _IP_PKTINFO = 36, 33, 8
_FLUSH_CONNTRACK = 1 << 8 | 2


_OF_EVERY_PACKET = ("Ip.InReceives", "IpExt.InOctets", "IpExt.OutOctets", "IpExt.InNoECTPkts")


@dataclass(frozen=True)
class Observed:
    """What the kernel did with one packet."""

    rules: list[Seen]
    out: list[Arrived]
    """Copies of it that left the router or reached a socket there."""
    errors: list[tuple[int, int]]
    """ICMP errors about it that came out: type and code."""
    refused: str | None
    """Why it could not even be sent, by the name of the error (`EPERM`)."""
    stats: dict[str, int]
    """Statistics of the kernel that moved."""

    @property
    def moved(self) -> str:
        """The statistics in words, those of every packet left out."""
        told = [f"{name} +{by}" for name, by in self.stats.items() if name not in _OF_EVERY_PACKET]
        return ", ".join(told) or "no statistic moved"


class Wires:
    """All sockets, opened inside the two namespaces.

    Args:
        router: Name of the namespace under test.
        far: Name of the one where all its cables end.
        cables: Devices of the router, and the far end of each.
        macs: Ethernet addresses of the devices of both namespaces.
    """

    def __init__(self, router: str, far: str, cables: dict[str, str], macs: dict[str, str]) -> None:
        self._inside, self._outside = ReaderThread(router), ReaderThread(far)
        self._frames = {
            dev: bytes.fromhex((macs[dev] + macs[end]).replace(":", "") + "0800")
            for dev, end in cables.items()
        }
        self._far = self._outside.call(lambda: {dev: _tap(end) for dev, end in cables.items()})
        self._local = self._inside.call(lambda: [_raw(protocol) for protocol in (ICMP, TCP, UDP)])
        self._sender = self._inside.call(lambda: _raw(socket.IPPROTO_RAW))
        self._nfnetlink = self._inside.call(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12))
        self.trace = self._inside.call(KernelTrace)
        self._stats = self.stats()

    def close(self) -> None:
        """Close everything."""
        for one in (*self._far.values(), *self._local, self._sender, self._nfnetlink):
            one.close()
        self.trace.close()
        self._inside.close()
        self._outside.close()

    def forget(self) -> None:
        """Empty the connection table."""
        ask(self._nfnetlink, _FLUSH_CONNTRACK, 0)

    def stats(self) -> dict[str, int]:
        """The router's statistics now."""
        snmp, netstat = self._inside.call(
            lambda: (proc_text("/proc/net/snmp"), proc_text("/proc/net/netstat"))
        )
        return {**(proc_snmp.parse(snmp).stats or {}), **(proc_netstat.parse(netstat).stats or {})}

    def exchange(self, sent: Sent, numbers: Numbers) -> Observed:
        """Send a packet; the kernel is done with it when the call that sends returns."""
        refused = self._send(sent)
        came = list(self._received())
        rules = self.trace.take(sent.ident, numbers)
        before, self._stats = self._stats, self.stats()
        moved = {name: now - before.get(name, 0) for name, now in self._stats.items()}
        return Observed(
            rules,
            [one for one in came if one.ident == sent.ident and one.quoted != sent.ident],
            [one.said for one in came if one.quoted == sent.ident and one.said],
            refused,
            {name: by for name, by in moved.items() if by},
        )

    def _send(self, sent: Sent) -> str | None:
        if sent.dev is not None:
            self._far[sent.dev].send(self._frames[sent.dev] + sent.data())
            return None
        self._sender.setsockopt(socket.SOL_SOCKET, _SO_MARK, sent.mark)
        self._sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, sent.tos)
        try:
            self._sender.sendmsg([sent.data()], [_source(sent.src)], 0, (sent.dst, 0))
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return None

    def _received(self) -> Iterator[Arrived]:
        for dev, tap in self._far.items():
            yield from (found for data in _waiting(tap) if (found := arrived(data[14:], dev)))
        for one in self._local:
            yield from (found for data in _waiting(one) if (found := arrived(data, None)))


def _source(address: str) -> tuple[int, int, bytes]:
    """The control message by which a sender chooses its source; 0.0.0.0 leaves it to the kernel."""
    return socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=I4s4x", 0, socket.inet_aton(address))


def _waiting(one: socket.socket) -> Iterator[bytes]:
    with suppress(BlockingIOError):
        while True:
            yield one.recv(4096)


def _tap(dev: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
    made.setsockopt(263, _PACKET_IGNORE_OUTGOING, 1)
    made.bind((dev, _ETH_P_IP))
    return _quiet(made)


def _raw(protocol: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    return _quiet(made)


def _quiet(made: socket.socket) -> socket.socket:
    made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
    made.setblocking(False)
    return made

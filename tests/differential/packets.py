"""Packets of the differential test: made byte by byte, known to the walker, read back from the wire."""

from __future__ import annotations

import random
import socket
import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from calitop.path.bits import Bits
from calitop.path.packet import ICMP, NO_DEVICE, TCP, UDP, Packet
from tests.kernel.send_packet import checksum, payload
from tests.kernel.test_match_truth import PORTS

_HEADERS = {ICMP: 8, UDP: 8, TCP: 20}
_DONT_FRAGMENT = 0x4000
_ANSWERS = {8: 0, 13: 14}
SYN, SYN_ACK, ACK = 2, 18, 16


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One packet and where it starts."""

    dev: str | None
    """Device of the router by which it comes in; None where the router sends it."""
    src: str
    """`0.0.0.0` leaves the choice to the kernel."""
    dst: str
    protocol: int
    ident: int = 1
    """Identification in the IP header: what tells it from all others."""
    sport: int = 0
    dport: int = 0
    type: int = 0
    code: int = 0
    echo: int = 7
    """Identifier of an ICMP query."""
    flags: int = 0
    ttl: int = 64
    tos: int = 0
    size: int = 0
    mark: int = 0

    def data(self) -> bytes:
        """The IP packet."""
        one = vars(self)
        body = payload(one)
        head = struct.pack(
            "!BBHHHBBH4s4s",
            0x45,
            self.tos,
            20 + len(body),
            self.ident,
            _DONT_FRAGMENT,
            self.ttl,
            self.protocol,
            0,
            socket.inet_aton(self.src),
            socket.inet_aton(self.dst),
        )
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body

    def packet(self, mac: str | None) -> Packet:
        """What the walker is told of it."""
        has_ports = self.protocol != ICMP
        return Packet(
            family="ipv4",
            src=None if self.src == "0.0.0.0" and self.dev is None else IPv4Address(self.src),
            dst=IPv4Address(self.dst),
            protocol=self.protocol,
            sport=self.sport if has_ports else None,
            dport=self.dport if has_ports else None,
            icmp_type=None if has_ports else self.type,
            icmp_code=None if has_ports else self.code,
            tcp_flags=Bits(self.flags if self.protocol == TCP else 0),
            ttl=self.ttl,
            tos=self.tos,
            length=20 + _HEADERS[self.protocol] + self.size,
            iif=self.dev or NO_DEVICE,
            oif=NO_DEVICE,
            dont_fragment=True,
            mark=Bits(self.mark),
            connmark=Bits(0),
            mac_source=mac,
            has_socket=self.dev is None,
            uid=0 if self.dev is None else None,
            gid=0 if self.dev is None else None,
        )

    def answer_to(self, seen: Arrived, ident: int) -> Sent | None:
        """The other end's answer to this packet as it arrived there, None for what is not answered."""
        if self.protocol == ICMP and self.type not in _ANSWERS:
            return None
        return replace(
            self,
            dev=seen.dev,
            src=seen.dst,
            dst=seen.src,
            sport=seen.dport,
            dport=seen.sport,
            type=_ANSWERS.get(self.type, 0),
            echo=seen.echo,
            flags=SYN_ACK,
            ttl=64,
            mark=0,
            ident=ident,
        )

    def __str__(self) -> str:
        way = f"in by {self.dev}" if self.dev else f"sent here, mark {self.mark:#x}"
        kind = {ICMP: f"icmp {self.type}/{self.code}", UDP: "udp", TCP: f"tcp flags {self.flags:#x}"}
        return (
            f"{kind[self.protocol]} {self.src}:{self.sport} > {self.dst}:{self.dport} {way}, ttl {self.ttl}, "
            f"tos {self.tos:#x}, {self.size} bytes"
        )


@dataclass(frozen=True)
class Arrived:
    """A packet as it came out somewhere."""

    dev: str | None
    """Device of the router by which it went out; None where a socket of the router got it."""
    src: str
    dst: str
    protocol: int
    ident: int
    sport: int
    dport: int
    echo: int
    ttl: int
    tos: int
    quoted: int | None = None
    """Identification of the packet that an ICMP error is about."""
    said: tuple[int, int] | None = None
    """Type and code of an ICMP packet."""

    def __str__(self) -> str:
        where = f"out by {self.dev}" if self.dev else "to a socket of the router"
        return f"{self.src}:{self.sport} > {self.dst}:{self.dport} ttl {self.ttl} tos {self.tos:#x} {where}"


def arrived(data: bytes, dev: str | None) -> Arrived | None:
    """Read an IPv4 packet; None for anything else."""
    if len(data) < 28 or data[0] != 0x45:
        return None
    ident, ttl, protocol = struct.unpack_from("!4xH2xBB", data)
    sport, dport = struct.unpack_from("!HH", data, 20) if protocol in (TCP, UDP) else (0, 0)
    is_error = protocol == ICMP and data[20] in (3, 5, 11, 12) and len(data) >= 48
    return Arrived(
        dev,
        socket.inet_ntoa(data[12:16]),
        socket.inet_ntoa(data[16:20]),
        protocol,
        ident,
        sport,
        dport,
        struct.unpack_from("!H", data, 24)[0] if protocol == ICMP else 0,
        ttl,
        data[1],
        struct.unpack_from("!H", data, 32)[0] if is_error else None,
        (data[20], data[21]) if protocol == ICMP else None,
    )


def random_fields(rng: random.Random) -> dict[str, int]:
    """Everything of a packet but its ends."""
    pick = rng.choice
    return {
        "protocol": pick((ICMP, TCP, UDP)),
        "sport": pick((*PORTS, rng.randrange(1024, 65536))),
        "dport": pick(PORTS),
        "type": pick((8, 8, 8, 8, 0, 3)),
        "code": pick((0, 0, 0, 1)),
        "flags": pick((SYN, SYN, SYN, SYN, ACK, SYN_ACK, 1, 4, 41)),
        "ttl": pick((1, 5, 64, 64, 200)),
        "tos": pick((0, 0, 0x10, 0x28)),
        "size": pick((0, 0, 40, 700)),
    }

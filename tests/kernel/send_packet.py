"""Sends one IPv4 packet, made byte by byte as JSON in its first argument says; run inside a namespace."""

from __future__ import annotations

import json
import socket
import struct
import sys
from typing import Any

SO_MARK = 36


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    value: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


def payload(one: dict[str, Any]) -> bytes:
    """The packet behind its IP header."""
    body = b"x" * int(one["size"])
    if one["protocol"] == 1:
        check = checksum(echo(one, 0) + body)
        return echo(one, check) + body
    if one["protocol"] == 17:
        return struct.pack("!HHHH", one["sport"], one["dport"], 8 + len(body), 0) + body
    ends = socket.inet_aton(one["src"]) + socket.inet_aton(one["dst"])
    pseudo = ends + struct.pack("!HH", 6, 20 + len(body))
    return tcp(one, checksum(pseudo + tcp(one, 0) + body)) + body


def echo(one: dict[str, Any], check: int) -> bytes:
    """An ICMP header with identifier and sequence number."""
    return struct.pack("!BBHHH", one["type"], one["code"], check, one.get("echo", 7), 1)


def tcp(one: dict[str, Any], check: int) -> bytes:
    """A TCP header without options."""
    return struct.pack("!HHIIBBHHH", one["sport"], one["dport"], 1, 0, 80, one["flags"], 1000, check, 0)


def main() -> None:
    """Send it with the mark that it asks for."""
    one = json.loads(sys.argv[1])
    data = payload(one)
    ends = socket.inet_aton(one["src"]), socket.inet_aton(one["dst"])
    start = struct.pack("!BBHHH", 0x45, one["tos"], 20 + len(data), 1, 0)
    head = start + struct.pack("!BBH4s4s", one["ttl"], one["protocol"], 0, *ends)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        out.setsockopt(socket.SOL_SOCKET, SO_MARK, struct.pack("I", one["mark"]))
        out.sendto(head + data, (one["dst"], 0))


if __name__ == "__main__":
    main()

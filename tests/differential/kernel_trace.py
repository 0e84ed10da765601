"""The kernel's own account of a packet: every rule that took it, in order, in both backends.

One table of nft sets the trace bit on every packet, which iptables-nft and iptables-legacy both
honour. nf_tables tells by NFNLGRP_NFTRACE, ip_tables by NFLOG group 0 once nfnetlink_log is bound.

Source: nf_tables_trace.c and ipt_do_table in net/ipv4/netfilter/ip_tables.c.
"""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from calitop.model.rules import Backend
from calitop.sources.nfnetlink import FAMILIES, places_of

TABLE = "calitop_trace"
SWITCH = f"""
table inet {TABLE} {{
  chain pre {{ type filter hook prerouting priority -399; meta nftrace set 1; }}
  chain out {{ type filter hook output priority -399; meta nftrace set 1; }}
}}
"""
"""In front of table raw, behind the reassembly of fragments (-400)."""

_NETLINK_NETFILTER, _ADD_MEMBERSHIP, _SOL_NETLINK, _RCVBUFFORCE = 12, 1, 270, 33
_GROUP_OF_TRACES = 9
_TRACE, _LOGGED, _LOG_CONFIG = 10 << 8 | 17, 4 << 8, 4 << 8 | 1
_POLICY, _RETURN = 1, 2
_CONTINUE = 0xFFFFFFFF
_IPTABLES = ("raw", "mangle", "nat", "filter", "security")
_TOLD = re.compile(r"TRACE: (\S+?):(\S+):(rule|return|policy):(\d+) ")


@dataclass(frozen=True)
class Seen:
    """One rule that took a packet, or a base chain's policy."""

    backend: Backend
    table: str
    chain: str
    number: int | None
    """From 1; None for the policy."""
    mark: int | None = None
    """The packet's mark as it came to the rule, where the kernel tells."""

    @property
    def place(self) -> tuple[str, str, str, int | None]:
        """Which rule, without what the packet had there."""
        return self.backend, self.table, self.chain, self.number

    def __str__(self) -> str:
        return f"{self.table} {self.chain} {'policy' if self.number is None else self.number}"


@dataclass(frozen=True)
class Numbers:
    """Where rules stand in their chains.

    Attributes:
        handles: Number from 1 by family, table, chain and handle of nf_tables.
        legacy: How many rules each chain of iptables-legacy has, by table and chain.
    """

    handles: dict[tuple[str, str, str, int], int]
    legacy: dict[tuple[str, str], int]


def handles(listed: str) -> dict[tuple[str, str, str, int], int]:
    """The numbers of all rules in what `nft -j list ruleset` prints."""
    found: dict[tuple[str, str, str, int], int] = {}
    seen: dict[tuple[str, str, str], int] = {}
    for rule in (entry["rule"] for entry in json.loads(listed)["nftables"] if "rule" in entry):
        chain = ({"ip": "ipv4"}.get(rule["family"], rule["family"]), rule["table"], rule["chain"])
        seen[chain] = seen.get(chain, 0) + 1
        key = (*chain, rule["handle"])
        found[key] = seen[chain]
    return found


class KernelTrace:
    """Listens to both backends in the namespace of the thread that makes it."""

    def __init__(self) -> None:
        self._nft, self._log = _netlink(), _netlink()
        self._nft.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP_OF_TRACES)
        for family, attribute in ((2, _attribute(1, b"\3")), (0, _attribute(1, b"\1"))):
            _configure(self._log, family, attribute)
        _configure(self._log, 0, _attribute(2, struct.pack(">IBx", 64, 2)))
        _configure(self._log, 0, _attribute(5, struct.pack(">I", 1)))
        self._ids: dict[bytes, int] = {}

    def close(self) -> None:
        """Stop listening."""
        self._nft.close()
        self._log.close()

    def take(self, ident: int, numbers: Numbers) -> list[Seen]:
        """What has been told of the packet with that IP identification since the last call.

        The rules of each backend are in order; between the backends the order is not told.
        """
        return [*self._by_nft(ident, numbers), *self._by_legacy(ident, numbers)]

    def _by_nft(self, ident: int, numbers: Numbers) -> Iterator[Seen]:
        for kind, data, start, end in _messages(self._nft):
            if kind != _TRACE:
                continue
            told = {number: bytes(data[a:b]) for number, a, b in places_of(data, start, end)}
            if 8 in told and len(told[8]) >= 6:
                self._ids[told[6]] = int.from_bytes(told[8][4:6], "big")
            table = _text(told[1])
            if table != TABLE and self._ids.get(told[6]) == ident:
                seen = _seen(FAMILIES[data[start - 4]], table, told, numbers)
                if seen is not None:
                    yield seen

    def _by_legacy(self, ident: int, numbers: Numbers) -> Iterator[Seen]:
        for kind, data, start, end in _messages(self._log):
            if kind != _LOGGED:
                continue
            told = {number: bytes(data[a:b]) for number, a, b in places_of(data, start, end)}
            place = _TOLD.match(_text(told.get(10, b"")) + " ")
            if place is None or int.from_bytes(told[9][4:6], "big") != ident:
                continue
            table, chain, word, number = place.groups()
            mark = int.from_bytes(told.get(2, b""), "big")
            if int(number) <= numbers.legacy.get((table, chain), 0):
                yield Seen("legacy", table, chain, int(number), mark)
            elif word == "policy":
                yield Seen("legacy", table, chain, None, mark)


def _seen(family: str, table: str, told: dict[int, bytes], numbers: Numbers) -> Seen | None:
    """What one message tells; None for the end of a chain that is no base chain."""
    backend: Backend = "nft" if family == "ipv4" and table in _IPTABLES else "native"
    chain, kind = _text(told[2]), int.from_bytes(told[4], "big")
    if kind == _POLICY:
        return Seen(backend, table, chain, None, int.from_bytes(told.get(14, b""), "big"))
    if 3 not in told:
        return None
    number = numbers.handles[family, table, chain, int.from_bytes(told[3], "big")]
    return Seen(backend, table, chain, number)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()


def _netlink() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    made.bind((0, 0))
    made.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 8 << 20)
    return made


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _configure(log: socket.socket, family: int, attribute: bytes) -> None:
    ask(log, _LOG_CONFIG, family, attribute)


def ask(netlink: socket.socket, kind: int, family: int, attributes: bytes = b"") -> None:
    """Send a request of nfnetlink and wait for its acknowledgement.

    Raises:
        OSError: The kernel refuses.
    """
    body = struct.pack(">BBH", family, 0, 0) + attributes
    netlink.send(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body)
    error = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    if error:
        raise OSError(-error, "nfnetlink refuses")


def _messages(netlink: socket.socket) -> Iterator[tuple[int, memoryview, int, int]]:
    """Everything that waits: kind, data, and where its attributes begin and end."""
    with suppress(BlockingIOError):
        while True:
            data = memoryview(netlink.recv(65536, socket.MSG_DONTWAIT))
            place = 0
            while place + 20 <= len(data):
                length, kind = struct.unpack_from("=IH", data, place)
                yield kind, data, place + 20, place + length
                place += (length + 3) & ~3

"""Which nft tables exist: one read-only netlink dump, NFT_MSG_GETTABLE.

Opening this socket loads nfnetlink and asking loads nf_tables where they are absent, so
`look.py` makes sure first. Source: include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

NETLINK_NETFILTER = 12
NFT_MSG_GETTABLE = 10 << 8 | 1
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NFTA_TABLE_NAME = 1
_HEADER = struct.Struct("=IHHII")

FAMILIES = {1: "inet", 2: "ipv4", 3: "arp", 5: "netdev", 7: "bridge", 10: "ipv6"}
"""Family names by NFPROTO_* number (include/uapi/linux/netfilter.h)."""
_IPTABLES = frozenset({"raw", "mangle", "nat", "filter", "security"})


@dataclass(frozen=True, slots=True)
class NftTable:
    """One table of nf_tables."""

    family: str
    name: str

    @property
    def by_iptables(self) -> bool:
        """Named as iptables-nft names its tables, so iptables-nft-save is the one to ask."""
        return self.family in ("ipv4", "ipv6") and self.name in _IPTABLES

    @property
    def nft_family(self) -> str:
        """The family in nft's own words."""
        return {"ipv4": "ip", "ipv6": "ip6"}.get(self.family, self.family)


def nft_tables() -> tuple[NftTable, ...]:
    """Every nft table of the calling thread's namespace.

    Raises:
        PermissionError: Without CAP_NET_ADMIN in the namespace.
        OSError: The kernel refuses for another reason.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as asked:
        asked.settimeout(5)
        request = _HEADER.pack(20, NFT_MSG_GETTABLE, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0)
        asked.sendto(request + bytes(4), (0, 0))
        return tuple(_tables(asked))


def _tables(asked: socket.socket) -> Iterator[NftTable]:
    while True:
        for kind, body in _messages(asked.recv(65536)):
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR:
                number = -struct.unpack_from("=i", body)[0]
                raise OSError(number, os.strerror(number))
            yield NftTable(FAMILIES.get(body[0], str(body[0])), _name(body[4:]))


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _HEADER.size <= len(data):
        length, kind, _flags, _seq, _pid = _HEADER.unpack_from(data, place)
        yield kind, data[place + _HEADER.size : place + length]
        place += max(_HEADER.size, (length + 3) & ~3)


def _name(attributes: bytes) -> str:
    place = 0
    while place + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, place)
        if kind & 0x3FFF == _NFTA_TABLE_NAME:
            return attributes[place + 4 : place + length].rstrip(b"\0").decode("utf-8", "replace")
        place += max(4, (length + 3) & ~3)
    return ""

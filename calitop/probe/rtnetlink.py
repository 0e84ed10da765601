"""Two questions to rtnetlink, both read-only: the number of a namespace, and its addresses.

Both answer for the namespace of the calling thread.
Source: include/uapi/linux/rtnetlink.h, net_namespace.h, if_addr.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address

from calitop.model.values import Address

_RTM_GETADDR, _RTM_GETNSID = 22, 90
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NETNSA_NSID, _NETNSA_FD = 1, 3
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_HEADER = struct.Struct("=IHHII")
_NSID_HEADER = 4
"""struct rtgenmsg, padded."""
_ADDRESS_HEADER = struct.Struct("=BBBBI")


def namespace_id(descriptor: int) -> int | None:
    """The number by which this namespace's links know another one (`link-netnsid`).

    Args:
        descriptor: Open file of the other namespace.

    Returns:
        None when it has no number here, or the file is no namespace.
    """
    asked = bytes(_NSID_HEADER) + struct.pack("=HHi", 8, _NETNSA_FD, descriptor)
    try:
        answers = list(_ask(_RTM_GETNSID, _NLM_F_REQUEST, asked))
    except OSError:
        return None
    for body in answers:
        for kind, value in _attributes(body[_NSID_HEADER:]):
            if kind == _NETNSA_NSID:
                number: int = struct.unpack("=i", value)[0]
                return number if number >= 0 else None
    return None


def addresses() -> list[tuple[int, Address]]:
    """Every address of the namespace with the ifindex of its device.

    Raises:
        OSError: The kernel refuses.
    """
    found = []
    for body in _ask(_RTM_GETADDR, _NLM_F_REQUEST | _NLM_F_DUMP, _ADDRESS_HEADER.pack(0, 0, 0, 0, 0)):
        index = _ADDRESS_HEADER.unpack_from(body)[4]
        told = dict(_attributes(body[_ADDRESS_HEADER.size :]))
        value = told.get(_IFA_LOCAL, told.get(_IFA_ADDRESS))
        if value is not None and len(value) in (4, 16):
            found.append((index, ip_address(value)))
    return found


def _ask(kind: int, flags: int, body: bytes) -> Iterator[bytes]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asked:
        asked.settimeout(5)
        asked.sendto(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body, (0, 0))
        while True:
            for answered, answer in _messages(asked.recv(1 << 16)):
                if answered == _NLMSG_DONE:
                    return
                if answered == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", answer)[0]
                    raise OSError(number, os.strerror(number))
                yield answer
            if not flags & _NLM_F_DUMP:
                return


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _HEADER.size <= len(data):
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data, place)
        yield kind, data[place + _HEADER.size : place + length]
        place += max(_HEADER.size, (length + 3) & ~3)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, place)
        yield kind & 0x3FFF, data[place + 4 : place + length]
        place += max(4, (length + 3) & ~3)

"""Asks the kernel for legacy tables: getsockopt on a datagram socket, no lock, no program.

`socket.getsockopt` refuses buffers of more than 1,024 bytes, so libc is called. Naming a
table that does not exist makes the kernel create it: ask only for those that
/proc/thread-self/net/ip_tables_names lists.

Source: IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES, struct ipt_getinfo, ipt_get_entries
(include/uapi/linux/netfilter_ipv4/ip_tables.h), IP6T_SO_* (netfilter_ipv6/ip6_tables.h).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct

from calitop.sources.legacy_blob import Shape

_GET_INFO, _GET_ENTRIES = 64, 65
_INFO = struct.Struct("=32sI5I5III")
_HEAD = struct.Struct("=32sI4x")
"""Name and size; the entries follow, aligned to 8 bytes."""


def can_ask() -> bool:
    """Whether this is a 64-bit program: others see other structures."""
    return struct.calcsize("P") == 8


class LegacySocket:
    """The legacy tables of one family, in the namespace of the thread that makes it.

    Args:
        family: `socket.AF_INET` or `socket.AF_INET6`.

    Raises:
        OSError: There is no such socket here.
    """

    def __init__(self, family: socket.AddressFamily) -> None:
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._level = socket.IPPROTO_IPV6 if family == socket.AF_INET6 else socket.IPPROTO_IP
        # CDLL gives the interpreter away during the call, so the screen goes on.
        self._getsockopt = ctypes.CDLL(None, use_errno=True).getsockopt
        self._getsockopt.argtypes = [ctypes.c_int] * 3 + [ctypes.c_void_p] * 2
        self._buffer = bytearray()

    def shape(self, table: str) -> Shape:
        """What the kernel says of a table that exists.

        Raises:
            OSError: It cannot be asked (EPERM without CAP_NET_ADMIN).
        """
        answer = bytearray(_INFO.size)
        _INFO.pack_into(answer, 0, table.encode(), *(0,) * 13)
        self._ask(_GET_INFO, answer, len(answer))
        _name, valid_hooks, *rest = _INFO.unpack(answer)
        return Shape(valid_hooks, tuple(rest[:5]), tuple(rest[5:10]), rest[10], rest[11])

    def entries(self, table: str, size: int) -> memoryview:
        """The entries of a table that exists; good until the next call.

        Args:
            table: Its name.
            size: Bytes that it is known to have.

        Raises:
            OSError: It cannot be asked; EAGAIN when it has another size by now.
        """
        needed = _HEAD.size + size
        if len(self._buffer) < needed:
            self._buffer = bytearray(needed)
        # Of a name the kernel writes no more than its letters; what stood behind must not differ.
        ctypes.memset(_address(self._buffer), 0, needed)
        _HEAD.pack_into(self._buffer, 0, table.encode(), size)
        self._ask(_GET_ENTRIES, self._buffer, needed)
        return memoryview(self._buffer)[_HEAD.size : needed]

    def close(self) -> None:
        """Give the socket back; may be called twice."""
        self._socket.close()

    def _ask(self, option: int, answer: bytearray, size: int) -> None:
        length = ctypes.c_uint32(size)
        place = _address(answer)
        if self._getsockopt(self._socket.fileno(), self._level, option, place, ctypes.addressof(length)):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _address(buffer: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))

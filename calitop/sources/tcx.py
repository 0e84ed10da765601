"""BPF programs on tcx, asked of the kernel itself: bpftool may be missing, and knows tcx since 7.3 only.

Nothing is loaded or changed by the question. It needs Linux 6.6 and CAP_NET_ADMIN.

Source: bpf(2), BPF_PROG_QUERY and struct bpf_prog_info in include/uapi/linux/bpf.h; net.c of bpftool.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
from collections.abc import Iterator

_SYSCALL = {"x86_64": 321, "aarch64": 280, "ppc64le": 361, "s390x": 351, "riscv64": 280}
_FD_BY_ID, _INFO_BY_FD, _QUERY = 13, 15, 16
_PLACES = ((46, "ingress"), (47, "egress"))
"""BPF_TCX_INGRESS and BPF_TCX_EGRESS."""
_MOST = 64
"""Programs of one place; the kernel allows no more (BPF_MPROG_MAX)."""
_QUERY_WORDS = struct.Struct("=IIIIQIIQQQQ")
_INFO_SIZE, _NAME = 80, slice(64, 80)


def bpftool_net() -> str | None:
    """The programs of every device in the words of `bpftool -j net`; None where they cannot be asked."""
    try:
        found = [entry for index, name in socket.if_nameindex() for entry in _attached(index, name)]
    except (OSError, KeyError):
        return None
    return json.dumps([{"tc": found}]) + "\n"


def with_tcx(text: str) -> str:
    """The output of a bpftool with the programs that it does not know of."""
    own = bpftool_net()
    return text if own is None or '"tcx/' in text or '"tcx/' not in own else _appended(text, own)


def _appended(text: str, own: str) -> str:
    try:
        told = json.loads(text)
    except ValueError:
        return text
    return json.dumps([*told, *json.loads(own)]) + "\n" if isinstance(told, list) else text


def _attached(index: int, device: str) -> Iterator[dict[str, object]]:
    for place, direction in _PLACES:
        for number in _programs(index, place):
            yield {
                "devname": device,
                "ifindex": index,
                "kind": f"tcx/{direction}",
                "name": _name(number),
                "prog_id": number,
            }


def _programs(index: int, place: int) -> tuple[int, ...]:
    """Numbers of the programs in their order.

    Raises:
        OSError: The kernel has no tcx, or this user may not ask.
    """
    numbers = (ctypes.c_uint32 * _MOST)()
    words = (index, place, 0, 0, ctypes.addressof(numbers), _MOST, 0, 0, 0, 0, 0)
    answer = ctypes.create_string_buffer(_QUERY_WORDS.pack(*words), _QUERY_WORDS.size)
    _bpf(_QUERY, answer)
    return tuple(numbers[: _QUERY_WORDS.unpack(answer.raw)[5]])


def _name(number: int) -> str:
    """A program's name; "" where this user may not know."""
    try:
        file = _bpf(_FD_BY_ID, ctypes.create_string_buffer(struct.pack("=III", number, 0, 0), 12))
    except OSError:
        return ""
    info = ctypes.create_string_buffer(_INFO_SIZE)
    try:
        asked = struct.pack("=IIQ", file, _INFO_SIZE, ctypes.addressof(info))
        _bpf(_INFO_BY_FD, ctypes.create_string_buffer(asked, 16))
    except OSError:
        return ""
    finally:
        os.close(file)
    return info.raw[_NAME].rstrip(b"\0").decode("utf-8", "replace")


def _bpf(command: int, attributes: ctypes.Array[ctypes.c_char]) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(_SYSCALL[os.uname().machine], command, attributes, len(attributes)))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf: {os.strerror(ctypes.get_errno())}")
    return result

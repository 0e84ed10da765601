"""The part of Cilium's BPF that matters to iptables: the identity in the packet mark.

A program on the tcx ingress of a Cilium pod's interface writes `identity << 16 | 0xf00`
into the mark of every packet that will go to the kernel's stack, that is of all but those
to Cilium's own ranges.

Run inside the node's namespace: `python -m lab.identity_mark DEVICE=IDENTITY…`, an empty
identity removes the program.

Source:
    Cilium, bpf/lib/common.h (MARK_MAGIC_IDENTITY); bpf(2); linux/bpf.h for the numbers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys

MARK_MAGIC_IDENTITY = 0xF00
CILIUM_RANGES = (0x0ADE0000, 22)
"""10.222.0.0/22 covers Cilium's ranges of all nodes."""

SYSCALL = {"x86_64": 321, "aarch64": 280}
PROG_LOAD, PROG_ATTACH, PROG_DETACH = 5, 8, 9
SCHED_CLS = 3
TCX_INGRESS = 46
FLAG_BEFORE = 1 << 3
TCX_NEXT = -1
DESTINATION = 14 + 16
"""Offset of the destination address, behind the Ethernet header."""
MARK_OFFSET = 8
"""Offset of `mark` in struct __sk_buff."""


def program(mark: int) -> bytes:
    """Eight instructions: unless the destination lies in Cilium's ranges, set the mark; go on."""
    network, length = CILIUM_RANGES
    host_bits = 32 - length
    return b"".join(
        struct.pack("<BBhI", code, registers, offset, value & 0xFFFFFFFF)
        for code, registers, offset, value in (
            (0xBF, 0x16, 0, 0),  # r6 = r1, where the packet load expects the context
            (0x20, 0x00, 0, DESTINATION),  # r0 = destination address
            (0x77, 0x00, 0, host_bits),  # r0 >>= host bits
            (0x15, 0x00, 2, network >> host_bits),  # if r0 == network: go on without a mark
            (0xB4, 0x01, 0, mark),  # w1 = mark
            (0x63, 0x16, MARK_OFFSET, 0),  # ctx->mark = w1
            (0xB4, 0x00, 0, TCX_NEXT),  # w0 = next program
            (0x95, 0x00, 0, 0),  # return
        )
    )


def attach(device: str, identity: int) -> None:
    """Loads the program for an identity and hangs it on the device, where it stays.

    Raises:
        OSError: The kernel has no tcx (older than 6.6), or refuses it.
    """
    code = ctypes.create_string_buffer(program(identity << 16 | MARK_MAGIC_IDENTITY))
    licence = ctypes.create_string_buffer(b"Apache-2.0")
    count = (len(code) - 1) // 8
    head = struct.pack("<IIQQIIQII", SCHED_CLS, count, _address(code), _address(licence), 0, 0, 0, 0, 0)
    file = _bpf(PROG_LOAD, head + b"identity_mark".ljust(16, b"\0"))
    try:
        _bpf(PROG_ATTACH, struct.pack("<IIII", socket.if_nametoindex(device), file, TCX_INGRESS, 0))
    finally:
        os.close(file)


def detach(device: str) -> None:
    """Removes every program from the device's tcx ingress."""
    words = struct.pack("<IIII", socket.if_nametoindex(device), 0, TCX_INGRESS, FLAG_BEFORE)
    try:
        while True:
            _bpf(PROG_DETACH, words)
    except OSError as problem:
        if problem.errno != errno.ENOENT:
            raise


def _address(buffer: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(buffer)


def _bpf(command: int, attributes: bytes) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, 128)
    number = SYSCALL[os.uname().machine]
    result = int(libc.syscall(number, command, ctypes.byref(buffer), len(buffer)))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}: {os.strerror(ctypes.get_errno())}")
    return result


if __name__ == "__main__":
    for pair in sys.argv[1:]:
        name, _, number = pair.partition("=")
        detach(name)
        if number:
            attach(name, int(number, 0))

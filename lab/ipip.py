"""An IPIP tunnel behind a TUN device, for kernels without the ipip module.

What the kernel sends out by the device is wrapped and sent on to the route's gateway on a
raw socket of protocol 4; what that socket receives is stripped and written to the device.
So the outer packets are real, and pass the node's OUTPUT and INPUT chains.

A kernel tunnel copies the mark of the inner packet to the outer one. A TUN device does not
tell marks, so outgoing packets are taken from a packet socket on the device, which does.

Run inside the node's namespace: `python -m lab.ipip DEVICE NAMESPACE`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import socket
import struct
import sys
from pathlib import Path

from lab.helper import is_own

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
SO_MARK, SO_RCVMARK = 36, 75
IPPROTO_IPIP = 4
LARGEST = 65535
CHECK_S = 2.0
"""How often the process looks whether its namespace still has its name."""


def open_tun(device: str) -> int:
    """A file of the TUN device, packets without a header before them."""
    file = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return file


def open_tap(device: str) -> socket.socket:
    """A packet socket that sees what goes out by the device, with its mark."""
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    with contextlib.suppress(OSError):  # before kernel 5.19 outer packets go without a mark
        tap.setsockopt(socket.SOL_SOCKET, SO_RCVMARK, 1)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    tap.bind((device, ETH_P_ALL))
    return tap


def gateway_of(destination: bytes, device: str) -> str:
    """Where the tunnel's other end is: the gateway of the longest route over the device.

    A route without gateway leads to the destination itself, as with a kernel tunnel.

    Source:
        /proc/net/route: addresses in host byte order, in hexadecimal.
    """
    (wanted,) = struct.unpack("=I", destination)
    longest, gateway = -1, 0
    for line in Path("/proc/thread-self/net/route").read_text().splitlines()[1:]:
        words = line.split()
        target, via, mask = (int(words[column], 16) for column in (1, 2, 7))
        if words[0] == device and wanted & mask == target and _length(mask) > longest:
            longest, gateway = _length(mask), via
    return socket.inet_ntoa(struct.pack("=I", gateway) if gateway else destination)


def _length(mask: int) -> int:
    return bin(mask).count("1")


def wrap(tap: socket.socket, outer: socket.socket, device: str) -> None:
    """Sends one outgoing packet on, in an outer packet that carries its mark.

    A packet that the node's own OUTPUT chain drops is an error of the send (EPERM) and is
    lost, as in the kernel; so is one that does not fit or has no way out.
    """
    try:
        packet, control, _, sender = tap.recvmsg(LARGEST, 256)
    except OSError:  # the device went down; the socket works again once it is up
        return
    if sender[2] != PACKET_OUTGOING or len(packet) < 20 or packet[0] >> 4 != 4:
        return
    marks = [data[:4] for level, kind, data in control if (level, kind) == (socket.SOL_SOCKET, SO_MARK)]
    carried = [(socket.SOL_SOCKET, SO_MARK, mark) for mark in marks]
    with contextlib.suppress(OSError):
        outer.sendmsg([packet], carried, 0, (gateway_of(packet[16:20], device), 0))


def unwrap(outer: socket.socket, tun: int) -> None:
    """Hands one received inner packet to the kernel."""
    packet = outer.recv(LARGEST)
    inner = packet[(packet[0] & 0x0F) * 4 :]
    with contextlib.suppress(OSError):
        os.write(tun, inner)


def run(device: str, namespace: str) -> None:
    """Carries packets until the namespace loses its name."""
    tun, tap = open_tun(device), open_tap(device)
    outer = socket.socket(socket.AF_INET, socket.SOCK_RAW, IPPROTO_IPIP)
    outer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    waiting = selectors.DefaultSelector()
    for file in (tun, tap, outer):
        waiting.register(file, selectors.EVENT_READ)
    print("ready", flush=True)
    while is_own(namespace):
        for key, _ in waiting.select(CHECK_S):
            if key.fileobj is tap:
                wrap(tap, outer, device)
            elif key.fileobj is outer:
                unwrap(outer, tun)
            else:
                # The same packet came by the tap; it is read here only to make room.
                os.read(tun, LARGEST)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])

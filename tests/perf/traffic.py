"""Two real pods of the generated node, and packets from the first of them: none, one flow, or many.

python -m tests.perf.traffic SERVICES     connect to so many services again and again, until killed
"""

from __future__ import annotations

import errno
import itertools
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from calitop.cni.pods import interface_name
from tests.kernel.netns import Namespace, namespace, wire
from tests.perf import generate

QUIET, ONE_FLOW, BUSY = "quiet", "one flow", "busy"
LOADS = (QUIET, ONE_FLOW, BUSY)
BUSY_SERVICES = 400
_PODS = 2
_GATEWAY, _DEVICE_ADDRESS = "169.254.1.1", "ee:ee:ee:ee:ee:ee"
"""Of every pod, and of every device on the node's side."""
_BETWEEN_S = 0.0005
"""From one connection to the next: 2,000 a second, if the machine can."""
_AT_ONCE = 400
"""Sockets held open: each connection has a port of its own, so that it is a new one to conntrack."""
_UNDER_WAY_S = 1.0


@contextmanager
def two_pods(node: Namespace) -> Iterator[dict[str, Namespace]]:
    """Pods 0 and 1 of the node by their devices there, wired as Calico does; its routes are left out."""
    with ExitStack() as stack:
        pods = {
            interface_name("default", f"pod-{number}"): stack.enter_context(namespace(f"bench-pod{number}"))
            for number in range(_PODS)
        }
        node.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for number, (device, pod) in enumerate(pods.items()):
            _wire(node, device, pod, number)
        yield pods


def _wire(node: Namespace, device: str, pod: Namespace, number: int) -> None:
    wire(node, device, pod, "eth0")
    node.ip("link", "set", device, "address", _DEVICE_ADDRESS)
    pod.ip("addr", "add", f"{generate.pod_address(number)}/32", "dev", "eth0")
    pod.ip("route", "add", _GATEWAY, "dev", "eth0", "scope", "link")
    pod.ip("route", "add", "default", "via", _GATEWAY, "dev", "eth0")
    pod.ip("neigh", "add", _GATEWAY, "lladdr", _DEVICE_ADDRESS, "dev", "eth0", "nud", "permanent")


def load_words(load: str, size: generate.Size) -> str:
    """The load as the table names it: a small node has fewer services than are asked for."""
    return f"{min(BUSY_SERVICES, size.services)} busy" if load == BUSY else load


@contextmanager
def traffic(load: str, size: generate.Size, node: Namespace, pod: Namespace) -> Iterator[None]:
    """That load, under way when the block begins and at an end when it is left."""
    with ExitStack() as stack:
        if load == ONE_FLOW:
            words = ["ping", "-q", "-i", "0.02", generate.pod_address(1)]
            stack.enter_context(pod.process(*words))
        elif load == BUSY:
            # Thousands of connections that nobody answers must not fill the machine's conntrack table.
            node.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_syn_sent=2")
            services = str(min(BUSY_SERVICES, size.services))
            stack.enter_context(pod.process(sys.executable, "-m", "tests.perf.traffic", services))
        if load != QUIET:
            time.sleep(_UNDER_WAY_S)
        yield


def connect_for_ever(services: int) -> None:
    """Half-open TCP connections to each service in turn."""
    held: list[socket.socket] = []
    for number in itertools.cycle(range(services)):
        if len(held) == _AT_ONCE:
            held.pop(0).close()
        opened = socket.socket()
        opened.setblocking(False)
        told = opened.connect_ex((generate.service_address(number), generate.SERVICE_PORT))
        if told not in (0, errno.EINPROGRESS):
            raise OSError(told, f"service {number}")
        held.append(opened)
        time.sleep(_BETWEEN_S)


if __name__ == "__main__":
    connect_for_ever(int(sys.argv[1]))

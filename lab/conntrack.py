"""Filling a node's conntrack table, since its limit cannot be lowered inside a namespace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.shell import LabError, inside

SERVER = "198.19.0.1"
PORTS = 65535
LIMIT = Path("/proc/sys/net/netfilter/nf_conntrack_max")
MOST = 1 << 21
"""More entries than that would take too long, and too much memory."""


def fill(namespace: str) -> None:
    """Fills the table to its limit with entries that the kernel will not give up for new ones.

    Raises:
        LabError: The limit is too high to be filled, or conntrack refused.
    """
    limit = int(LIMIT.read_text())
    if limit > MOST:
        raise LabError(f"cannot fill a conntrack table of {limit} entries: too many; lower nf_conntrack_max")
    inside(namespace, "conntrack", "-R", "-", stdin="".join(_entries(limit)))


def _entries(count: int) -> Iterator[str]:
    """Established TCP connections in the words of conntrack, from a range kept for tests."""
    for number in range(count):
        client, port = f"198.18.{number // PORTS}.1", number % PORTS + 1
        yield (
            f"-A -t 86400 -u SEEN_REPLY,ASSURED -s {client} -d {SERVER} -r {SERVER} -q {client} "
            f"-p tcp --sport {port} --dport 80 --reply-port-src 80 --reply-port-dst {port} "
            "--state ESTABLISHED\n"
        )

"""Pings from pod to pod, and who reaches whom."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab import topology
from lab.machine import Lab
from lab.shell import LabError
from lab.topology import Pod

INTERVAL_S = 0.05
WAIT_S = 0.4
"""How long the last reply is waited for; the lab's take about a millisecond."""


@dataclass(frozen=True)
class Pinged:
    """What came of some pings."""

    source: Pod
    destination: Pod
    sent: int
    received: int


def ping(
    lab: Lab, source: Pod, destination: Pod, count: int = 5, size: int = 56, whole: bool = False
) -> Pinged:
    """Sends pings from a pod's namespace.

    Args:
        lab: The running lab.
        source: Pod that sends.
        destination: Pod that is pinged.
        count: How many.
        size: Bytes of data in each.
        whole: Forbid fragments.

    Raises:
        LabError: ping itself failed.
    """
    words = ["ping", "-n", "-c", str(count), "-i", str(INTERVAL_S), "-W", str(WAIT_S), "-s", str(size)]
    words += ["-M", "do"] if whole else []
    prefix = ["ip", "netns", "exec", lab.namespace(source.name)]
    done = subprocess.run([*prefix, *words, destination.ip], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout)
    if found is None:
        raise LabError(f"cannot ping from {source.name}: {done.stderr.strip()}")
    return Pinged(source, destination, int(found[1]), int(found[2]))


def pairs() -> Iterator[tuple[Pod, Pod]]:
    """One pair of each kind: same node and across, Calico and Cilium, both ways."""
    for node in topology.NODES:
        other = topology.peer(node)
        mine = (node.calico_pods, node.cilium_pods)
        for here in mine:
            yield here[0], here[1]
            yield here[0], mine[here is mine[0]][0]
            for there in (other.calico_pods, other.cilium_pods):
                yield here[0], there[0]


def matrix(lab: Lab, wanted: Iterable[tuple[Pod, Pod]] | None = None, count: int = 2) -> list[Pinged]:
    """Pings every pair."""
    return [ping(lab, source, destination, count) for source, destination in wanted or pairs()]

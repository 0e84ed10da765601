"""Who asks only for what is decided gets the same decisions, sooner."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import permutations
from pathlib import Path

import pytest

from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.steps import Path as Predicted
from calitop.path.trace import Request, trace
from calitop.snapshot.open import open_snapshots

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
PODS = ("10.222.219.6", "10.222.1.239", "10.222.160.6", "10.222.2.82")
"""One of each CNI on each node."""


@pytest.mark.parametrize("name", ["lab", "faults/rpf-tunl0-1", "faults/identity-mark"])
def test_what_is_decided_is_the_same(name: str) -> None:
    nodes = [Node(one.name or "?", one.moments[0]) for one in open_snapshots([str(SNAPSHOTS / name)])]
    network = Network(nodes)
    for src, dst in permutations(map(ip_address, PODS), 2):
        request = Request(src=src, dst=dst, protocol="tcp", reply=True)
        whole, quick = trace(network, request), trace(network, request, decided=True)
        assert _decision(quick.forward) == _decision(whole.forward)
        if whole.forward.verdict != "undecided":
            assert _decision(quick.reply) == _decision(whole.reply)


def _decision(path: Predicted | None) -> object:
    return None if path is None else (path.verdict, path.where)

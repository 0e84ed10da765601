"""A capture of the lab opens as two nodes with two moments each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots
from lab import capture, topology
from lab.faults import CALICO1, CILIUM2
from lab.machine import Lab, Settings
from lab.shell import LabError

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a capture of a healthy lab."""
    lab = Lab(f"ct-c{os.getpid() % 100000}")
    folder = tmp_path_factory.mktemp("capture") / "healthy"
    settings = Settings()
    lab.up(settings)
    capture.capture(lab, settings, folder, CILIUM2, CALICO1, 5)
    yield folder
    lab.down()


def nodes(folder: Path) -> dict[str, tuple[NodeState, ...]]:
    """Moments by node, as calitop opens them."""
    return {node.name or "": node.moments for node in open_snapshots([str(folder)], None)}


def test_both_nodes_open_with_both_moments(captured: Path) -> None:
    """Nodes have the names that Kubernetes gives them, and before comes first."""
    opened = nodes(captured)
    assert {name: len(moments) for name, moments in opened.items()} == {"k8s-work1": 2, "k8s-work2": 2}
    for before, after in opened.values():
        assert (before.captured_at or "") <= (after.captured_at or "")


def test_everything_of_a_node_is_there(captured: Path) -> None:
    """Routes, links with their pods, sets, settings and statistics of work2 are read."""
    state = nodes(captured)["k8s-work2"][1]
    assert len([route for route in state.routes if route.table == "main" and route.family == "ipv4"]) == 18
    names = {link.name for link in state.links}
    assert {pod.interface for pod in topology.WORK2.pods} <= names
    assert {one.name for one in state.sets} >= {"cali40all-hosts-net", "KUBE-CLUSTER-IP"}
    assert state.sysctls["net.ipv4.conf.all.rp_filter"] == "0"
    assert "TcpExt.IPReversePathFilter" in state.stats
    assert len(state.pods) == len(topology.PODS)


def test_result_says_what_moved(captured: Path) -> None:
    """Beside the snapshots stands what the lab measured itself."""
    result = json.loads((captured / "result.json").read_text())
    assert result["received"] == 5
    accepted = [
        packets
        for rule, packets in result["diff"]["k8s-work1"]["rules"].items()
        if "from Calico hosts" in rule
    ]
    assert accepted == [5]


def test_existing_folder_is_refused(captured: Path) -> None:
    """A capture never writes into a folder that is there."""
    with pytest.raises(LabError, match="it exists"):
        capture.capture(Lab("ct-none"), Settings(), captured, CILIUM2, CALICO1, 1)

"""Every fault of the lab, in each backend, is predicted from what was saved before any ping was sent.

The prediction names the place where the packets are then really lost, or it is undecided and that place
is among its branches. It is never another one. The table is printed at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.model.place import Where
from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.steps import Path as Predicted
from calitop.path.trace import Request, Traced, trace
from calitop.snapshot.open import open_snapshots
from lab import topology, trial
from lab.capture import save
from lab.faults import FAULTS, Fault
from lab.machine import NATIVE, Lab, Settings
from lab.plan import KubeProxy
from tests.kernel.running_lab import running, uncaptured
from tests.kernel.test_lab_faults import kernel
from tests.kernel.test_verdict_faults import PASSES, PLACES

pytestmark = pytest.mark.kernel

_HEADERS = 28
"""Bytes of the IPv4 and the ICMP header of a ping."""

Place = tuple[str, str, str | None, str | None]


@pytest.fixture(scope="module", params=["nft", "legacy", "native"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A running lab of this test run's own, and its backend."""
    with running("t", request.param) as made:
        yield made, request.param


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines of fault, backend, predicted and measured; printed at the end."""
    rows: list[str] = []
    yield rows
    with uncaptured(request):
        print("", *rows, sep="\n")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_prediction_is_what_happens(
    lab: tuple[Lab, str], fault: Fault, table: list[str], tmp_path: Path
) -> None:
    """Saved, predicted, then pinged."""
    machine, backend = lab
    if fault.name == "identity-mark" and kernel() < (6, 6):
        pytest.skip("no tcx before kernel 6.6")
    if backend == NATIVE and not fault.in_native:
        pytest.skip("made of iptables rules")
    load(machine, backend, fault)
    found = predicted(machine, fault, tmp_path)
    measured = trial.pings_of(machine, fault)
    assert measured.received == fault.replies
    lost_at = PLACES.get(fault.name)
    told = "passes" if lost_at is None else words(lost_at)
    table.append(f"{fault.name:20} {backend:7} {said(found):.240} <- {told}")
    if lost_at is None:
        assert fault.name in PASSES
        check_passes(found)
    else:
        check_lost(found, lost_at)


def load(machine: Lab, backend: str, fault: Fault) -> None:
    """The fault as the lab's own tests load it."""
    kube: KubeProxy = "nft" if backend == NATIVE else fault.kube
    machine.load(Settings(backend, kube, fault.name), fault.plans(kube))


def predicted(machine: Lab, fault: Fault, folder: Path) -> Traced:
    """What calitop predicts for the fault's ping, from both nodes as it saved them."""
    for node in topology.NODES:
        save(machine, node, folder / node.hostname)
    nodes = [Node(one.name or "?", one.moments[0]) for one in open_snapshots([str(folder)])]
    ends = ip_address(fault.source.ip), ip_address(fault.destination.ip)
    length = fault.size + _HEADERS
    return trace(Network(nodes), Request(src=ends[0], dst=ends[1], length=length, reply=True))


def check_passes(found: Traced) -> None:
    """Nothing that passes is said to be lost."""
    for path in (found.forward, found.reply):
        assert path is not None and path.verdict in ("delivered", "undecided"), path
        if path.verdict == "undecided" and path.branches:
            assert any(branch.verdict in ("delivered", "undecided") for branch in path.branches)


def check_lost(found: Traced, lost_at: Place) -> None:
    """The first way that is decided and bad ends at the place; else the place is among the branches."""
    paths = [path for path in (found.forward, found.reply) if path is not None]
    bad = next((path for path in paths if path.verdict in ("dropped", "rejected")), None)
    if bad is not None:
        assert place(bad.where) == lost_at, bad.because
        return
    possible = [place(branch.where) for path in paths for branch in path.branches]
    assert lost_at in possible, [(path.verdict, path.because, path.branches) for path in paths]


def place(where: Where | None) -> Place | None:
    """Node, kind, chain or name, and device, as the lab's measurement tells it."""
    if where is None:
        return None
    name = where.chain.removeprefix("filter-") if where.chain else where.name
    device = where.device if where.name == "rp_filter" else None
    return (where.node or "").removeprefix("k8s-"), where.kind, name, device


def words(one: Place | None) -> str:
    return "-" if one is None else " ".join(part for part in one if part)


def said(found: Traced) -> str:
    """Both ways in one cell of the table."""
    back = "" if found.reply is None else f"; reply {_path(found.reply)}"
    return f"{_path(found.forward)}{back}"


def _path(path: Predicted) -> str:
    if path.branches:
        ends = " | ".join(
            f"{one.verdict} {words(place(one.where))} if {one.condition}" for one in path.branches
        )
        return f"{path.verdict}: {ends}"
    return f"{path.verdict} {words(place(path.where))}"

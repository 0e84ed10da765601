"""`calitop check` says of every fault of the lab what it should, and nothing else that alarms.

Each fault is tried in one backend, all three by turns; CALITOP_ALL_BACKENDS=1 (`make faults`) tries each in
every backend where it can be made. What flows are said to be lost is tried with pings.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from calitop.check.catalogue import CROSS_CHECKS, check
from calitop.check.records import Checked, Finding
from calitop.counters.compare import compare
from calitop.counters.counts import Counts
from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots
from lab import topology, trial
from lab.capture import save
from lab.faults import FAULTS, Fault
from lab.machine import NATIVE, Lab, Settings
from lab.ping import ping
from lab.plan import KubeProxy, Plan, healthy
from tests.check.lab_findings import TOLD, Found
from tests.kernel.running_lab import running, uncaptured
from tests.kernel.test_lab_faults import kernel

pytestmark = pytest.mark.kernel

BACKENDS = ("nft", "legacy", NATIVE)
STYLES: tuple[tuple[str, KubeProxy], ...] = (
    ("nft", "ipvs"),
    ("nft", "iptables"),
    ("legacy", "ipvs"),
    ("legacy", "iptables"),
    (NATIVE, "nft"),
)
CONNECTIONS = "conntrack-L*"
MUCH_BYTES = 1 << 20
_CROSS = {one.id for one in CROSS_CHECKS}
_Infos = set[tuple[str, str | None, str]]


def _cases() -> Iterator[tuple[str, Fault]]:
    """Each fault in one backend by turns, or in all."""
    is_whole = bool(os.environ.get("CALITOP_ALL_BACKENDS"))
    for at, fault in enumerate(FAULTS):
        able = [backend for backend in BACKENDS if backend != NATIVE or fault.in_native]
        yield from ((backend, fault) for backend in (able if is_whole else [able[at % len(able)]]))


CASES = sorted(_cases(), key=lambda case: BACKENDS.index(case[0]))


@dataclass
class Tried:
    """A running lab of this test run's own."""

    machine: Lab
    backend: str
    infos: dict[KubeProxy, _Infos] = field(default_factory=dict)
    """What is told of the healthy lab, by kube-proxy's style."""

    def load(self, kube: KubeProxy, plans: dict[str, Plan], fault: str | None = None) -> None:
        self.machine.load(Settings(self.backend, kube, fault), plans)


@pytest.fixture(scope="module")
def labs() -> Iterator[Callable[[str], Tried]]:
    """Gives the running lab of a backend; each is brought up once."""
    with ExitStack() as stack:
        yield cache(lambda backend: Tried(stack.enter_context(running("c", backend)), backend))


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines of fault, backend and findings; printed at the end."""
    rows: list[str] = []
    yield rows
    with uncaptured(request):
        print("", *rows, sep="\n")


@pytest.mark.parametrize(("backend", "kube"), STYLES, ids=["-".join(one) for one in STYLES])
def test_the_healthy_lab_gives_only_info(
    labs: Callable[[str], Tried], backend: str, kube: KubeProxy, tmp_path: Path
) -> None:
    lab = labs(backend)
    lab.load(kube, healthy(kube))
    checked = _checked(_moments(lab, FAULTS[0], tmp_path))
    assert _alarms(checked) == []
    lab.infos[kube] = _infos(checked)


@pytest.mark.parametrize(
    ("backend", "fault"), CASES, ids=[f"{fault.name}-{backend}" for backend, fault in CASES]
)
def test_the_fault_is_found_and_nothing_else_alarms(
    labs: Callable[[str], Tried], backend: str, fault: Fault, table: list[str], tmp_path: Path
) -> None:
    if fault.name == "identity-mark" and kernel() < (6, 6):
        pytest.skip("no tcx before kernel 6.6")
    lab = labs(backend)
    kube: KubeProxy = "nft" if backend == NATIVE else fault.kube
    told = TOLD[fault.name]
    usual = _usual(lab, kube, tmp_path)
    lab.load(kube, fault.plans(kube), fault.name)
    moments = _moments(lab, fault, tmp_path / "fault")
    checked = _checked(moments)
    table.append(f"{fault.name:20} {backend:7} {_words(checked, usual)}")
    assert _ids(_alarms(checked)) == _expected(told.alarms)
    new = [each for each in checked.findings if _info(each) in _infos(checked) - usual]
    assert _ids(new) == _expected(told.infos)
    assert _is_proven([*_alarms(checked), *new], told.proof)
    for moment in moments:
        alone = _ids(_alarms(_checked([moment])))
        assert alone == {
            one for one in _expected(told.alarms) if one[1] == moment[0].name and one[0] not in _CROSS
        }
    _lost_flows_are_lost(lab, checked)


# -- what calitop reads and says


def _moments(lab: Tried, fault: Fault, folder: Path) -> list[tuple[NodeState, Counts]]:
    """Both nodes as `calitop save` saves them after the fault's pings, and what was counted meanwhile."""
    folder.mkdir(exist_ok=True)
    (folder / "pods.txt").write_text(topology.pod_list())
    _save(lab.machine, folder, "before")
    trial.pings_of(lab.machine, fault)
    _save(lab.machine, folder, "after")
    nodes = [node.moments for node in open_snapshots([str(folder)])]
    assert [len(moments) for moments in nodes] == [2, 2]
    return [(after, compare(before, after)) for before, after in nodes]


def _save(machine: Lab, folder: Path, moment: str) -> None:
    with ThreadPoolExecutor() as both:
        list(both.map(lambda node: save(machine, node, folder / node.hostname / moment), topology.NODES))
    for listing in folder.glob(f"*/{moment}/{CONNECTIONS}"):
        if listing.stat().st_size > MUCH_BYTES:
            listing.unlink()  # A quarter of a million connections; the settings tell their number.


def _checked(moments: list[tuple[NodeState, Counts]]) -> Checked:
    return check([state for state, _ in moments], [counts for _, counts in moments])


def _usual(lab: Tried, kube: KubeProxy, folder: Path) -> _Infos:
    """What is told of the healthy lab in this style; tried once."""
    if kube not in lab.infos:
        lab.load(kube, healthy(kube))
        lab.infos[kube] = _infos(_checked(_moments(lab, FAULTS[0], folder / "healthy")))
    return lab.infos[kube]


def _alarms(checked: Checked) -> list[Finding]:
    return [each for each in checked.findings if each.severity != "info"]


def _infos(checked: Checked) -> _Infos:
    return {_info(each) for each in checked.findings if each.severity == "info"}


def _info(finding: Finding) -> tuple[str, str | None, str]:
    return finding.id, finding.node, finding.title


def _ids(findings: list[Finding]) -> set[tuple[str, str | None]]:
    return {(each.id, each.node) for each in findings}


def _expected(found: Found) -> set[tuple[str, str | None]]:
    return {(one, f"k8s-{node}") for node, ids in found.items() for one in ids}


def _is_proven(findings: list[Finding], words: str) -> bool:
    texts = [each.text for finding in findings for each in finding.evidence]
    return not words or any(words in text for text in texts)


def _words(checked: Checked, usual: _Infos) -> str:
    """The findings in one cell of the table."""
    told = [each for each in checked.findings if each.severity != "info" or _info(each) not in usual]
    words = dict.fromkeys(
        f"{each.severity} {each.id} {(each.node or '?').removeprefix('k8s-')}" for each in told
    )
    return ", ".join(words) or "-"


# -- what the kernel says


def _lost_flows_are_lost(lab: Tried, checked: Checked) -> None:
    """No ping comes back between two pods of which the check says that packets end on the way."""
    for finding in checked.findings:
        if finding.id == "pod-flow-lost":
            names = [each.text.split()[0].split("/")[1] for each in finding.evidence if each.kind == "pod"]
            source, target = (topology.PODS[name] for name in names)
            assert ping(lab.machine, source, target, 1).received == 0, finding.title

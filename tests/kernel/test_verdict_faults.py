"""For every fault of the lab, in each backend: the hits are what moved, and the verdict names the place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.hits.moved import NodeHits, node_hits
from calitop.model.node import NodeState
from calitop.model.place import Where
from calitop.report.hits import where_json
from calitop.sources.kernel import KernelSource
from calitop.verdict.answer import answer
from calitop.verdict.records import Verdict
from lab import topology, trial
from lab.faults import CALICO1, CILIUM2, FAULTS, Fault
from lab.machine import NATIVE, Lab, Settings
from lab.plan import KubeProxy
from tests.kernel.running_lab import running, uncaptured
from tests.kernel.test_lab_faults import kernel

pytestmark = pytest.mark.kernel

DOCS = Path(__file__).parents[2] / "docs" / "verdict.md"
NODES = [node.name for node in topology.NODES]
PASSES = ("rpf-tunl0-sender", "rpf-loosened", "peer-missing-sender", "masquerade", "route-back", "rewriting")
POD = CALICO1.interface
RPF, LOST = "rp_filter", "lost"
PLACES: dict[str, tuple[str, str, str | None, str | None]] = {
    "rpf-tunl0-1": ("work1", "kernel", RPF, "tunl0"),
    "rpf-all-1": ("work1", "kernel", RPF, "tunl0"),
    "rpf-sender": ("work2", "kernel", RPF, CILIUM2.interface),
    "rpf-both": ("work1", "kernel", RPF, "tunl0"),
    "rpf-all-both": ("work2", "kernel", RPF, CILIUM2.interface),
    "rpf-all-2": ("work2", "kernel", RPF, CILIUM2.interface),
    "rpf-tunl0-2-noaddr": ("work1", "kernel", RPF, "tunl0"),
    "identity-mark": ("work2", "rule", "cali-from-endpoint-mark", None),
    "profile-denies": ("work1", "rule", f"cali-tw-{POD}", None),
    "policy-denies": ("work1", "rule", f"cali-tw-{POD}", None),
    "peer-missing": ("work1", "rule", "cali-INPUT", None),
    "unknown-interface": ("work1", "rule", "cali-to-wl-dispatch", None),
    "forward-drop": ("work2", "policy", "FORWARD", None),
    "untracked": ("work1", "rule", f"cali-fw-{POD}", None),
    "kube-invalid": ("work2", "rule", "KUBE-FORWARD", None),
    "blackhole": ("work1", "kernel", "blackhole", None),
    "blackhole-sender": ("work2", "kernel", "blackhole", None),
    "no-route": ("work2", "kernel", "no_route", None),
    "mtu": ("work2", "kernel", "mtu", None),
    "conntrack-full": ("work1", "kernel", "conntrack_full", None),
    "both-backends": ("work1", "rule", "FORWARD", None),
}
"""Node, kind, chain or name, and device of the place that the lab's own measurement proves."""


@pytest.fixture(scope="module", params=["nft", "legacy", "native"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A running lab of this test run's own, and its backend."""
    with running("v", request.param) as made:
        yield made, request.param


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[dict[str, dict[str, str]]]:
    """Verdicts by fault and backend; printed at the end."""
    rows: dict[str, dict[str, str]] = {}
    yield rows
    with uncaptured(request):
        print()
        for name, verdicts in rows.items():
            cells = "   ".join(f"{backend}: {said}" for backend, said in verdicts.items())
            print(f"{name:20} {cells}")


def read(machine: Lab) -> dict[str, NodeState]:
    """Both nodes as calitop reads them."""
    states = {}
    for node in NODES:
        source = KernelSource(machine.namespace(node))
        states[node] = source.structure().state
        source.close()
    return states


def words(verdict: Verdict) -> str:
    """A verdict in one cell of the table."""
    if verdict.where is None:
        return verdict.outcome
    where = verdict.where
    place = f"{where.table} {where.chain} {where.number or 'policy'}" if where.chain else str(where.name)
    device = f" on {where.device}" if where.device else ""
    return f"{verdict.outcome} {verdict.packets} on {where.node}: {place}{device}"


def hits_of_pings(machine: Lab, backend: str, fault: Fault) -> tuple[list[NodeHits], trial.Trial]:
    """Loads a fault and sends its pings between two readings of calitop's, the lab measuring too."""
    kube: KubeProxy = "nft" if backend == NATIVE else fault.kube
    machine.load(Settings(backend, kube, fault.name), fault.plans(kube))
    both = any(plan.other_backend for plan in fault.plans().values())
    before = read(machine)
    measured = trial.run(machine, backend, lambda: trial.pings_of(machine, fault), both)
    after = read(machine)
    return [node_hits(node, before[node], after[node]) for node in NODES], measured


def check_moved(node: NodeHits, measured: trial.Trial) -> None:
    """What calitop says moved is the difference of two listings of iptables-save."""
    found = Counter(each.packets for each in node.moved if each.key.family == "ipv4" and each.packets)
    assert found == Counter(count for count in measured.moved[node.name].rules.values() if count)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_verdict_names_the_measured_place(
    lab: tuple[Lab, str], fault: Fault, table: dict[str, dict[str, str]]
) -> None:
    """With the flow the place is named; without it never another one is."""
    machine, backend = lab
    if fault.name == "identity-mark" and kernel() < (6, 6):
        pytest.skip("no tcx before kernel 6.6")
    if backend == NATIVE and not fault.in_native:
        pytest.skip("made of iptables rules")
    nodes, measured = hits_of_pings(machine, backend, fault)
    assert measured.pinged.received == fault.replies
    if fault.name != "rewriting":
        for node in nodes:
            check_moved(node, measured)
    ends = ip_address(fault.source.ip), ip_address(fault.destination.ip)
    asked = answer(nodes, ends, measured.pinged.sent).verdict
    table.setdefault(fault.name, {})[backend] = words(asked)
    check_place(asked, fault)
    for alone in ([nodes[0]], [nodes[1]], nodes):
        check_no_false_accusation(answer(alone, None, None).verdict, fault)
        check_no_false_accusation(answer(alone, ends, measured.pinged.sent).verdict, fault)


def check_place(verdict: Verdict, fault: Fault) -> None:
    """The verdict is that of the table above."""
    if fault.name in PASSES:
        assert (verdict.outcome, verdict.where) == ("passed", None), verdict
        return
    assert verdict.outcome == LOST, verdict
    assert verdict.where is not None
    where = verdict.where
    assert (where.node, where.kind, plain_name(where), where.device) == PLACES[fault.name]
    assert verdict.packets == (1 if fault.name == "mtu" else 5)


def plain_name(where: Where) -> str | None:
    """The chain by the name that it has in iptables mode, or what lost the packets in the kernel."""
    return where.chain.removeprefix("filter-") if where.chain else where.name


def check_no_false_accusation(verdict: Verdict, fault: Fault) -> None:
    """Whatever was left out, nothing but the real place is blamed, and nothing lost is said to pass."""
    if fault.name in PASSES:
        assert verdict.outcome != LOST, where_json(verdict.where)
        return
    assert verdict.outcome != "passed"
    if verdict.where is not None:
        assert (verdict.where.node, plain_name(verdict.where)) == (
            PLACES[fault.name][0],
            PLACES[fault.name][2],
        )


def test_docs_table_names_every_fault() -> None:
    """docs/verdict.md says what the verdict is for each fault."""
    text = DOCS.read_text()
    assert [fault.name for fault in FAULTS if f"`{fault.name}`" not in text] == []

"""What `make run` opens is whole: the figures of the field report, and what the lab measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calitop.cni.pods import local_pods
from calitop.counters.compare import compare
from calitop.hits.moved import node_hits
from calitop.snapshot.open import open_snapshots
from calitop.verdict.answer import answer

BUNDLED = Path(__file__).parent.parent / "snapshots"


def test_the_field_report_has_its_figures() -> None:
    """18 routes, 18 pods of which 9 are local, 26 rules in chains that a grep has cut."""
    (node,) = open_snapshots([str(BUNDLED / "field-report")])
    (state,) = node.moments
    chains = {key.chain: chain for key, chain in state.chains().items()}
    assert (node.name, len(state.routes), len(state.pods), len(local_pods(state))) == ("k8s-work2", 18, 18, 9)
    assert sum(len(chain.rules) for chain in chains.values()) == 26
    assert [len(chains[f"cali-{way}-cali7cd4eff55c7"].rules) for way in ("fw", "tw")] == [10, 8]
    assert [(link.name, link.mtu) for link in state.links] == [("cali7cd4eff55c7", 1480)]


@pytest.mark.parametrize("name", ["k8s-work1", "k8s-work2"])
def test_the_lab_capture_holds_what_the_lab_measured(name: str) -> None:
    """The same number of rules and policies moved, by the same packets, and all are exact."""
    measured = json.loads((BUNDLED / "lab/result.json").read_text())["diff"][name]["rules"]
    (node,) = (each for each in open_snapshots([str(BUNDLED / "lab")]) if each.name == name)
    before, after = node.moments
    moved = [delta for _, _, delta in compare(before, after).moved()]
    assert all(delta.exact for delta in moved)
    assert sorted(delta.packets or 0 for delta in moved) == sorted(measured.values())


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ("faults/rpf-tunl0-1", ("lost", "k8s-work1", "kernel", "rp_filter", "tunl0")),
        ("faults/identity-mark", ("lost", "k8s-work2", "rule", "cali-from-endpoint-mark", None)),
        ("lab", ("passed", None, None, None, None)),
    ],
)
def test_the_bundled_faults_are_named(fault: str, place: tuple[str | None, ...]) -> None:
    """From the saved files alone, both nodes given, nobody told which flow to look for."""
    opened = open_snapshots([str(BUNDLED / fault)])
    verdict = answer([node_hits(each.name or "", *each.moments) for each in opened], None, None).verdict
    where = verdict.where
    found = (where.node, where.kind, where.chain or where.name, where.device) if where else (None,) * 4
    assert (verdict.outcome, *found) == place
    assert verdict.packets == 5

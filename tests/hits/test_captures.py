"""Real captures: what calitop says moved is what was measured, and the verdict names the place."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from calitop.hits.moved import Moved, NodeHits, node_hits
from calitop.snapshot.open import open_one
from calitop.verdict.answer import answer

CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"
CASES = ("baseline", "baseline.legacy", "rpf-tunl0-1")
NODES = ("work1", "work2")

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="no captures beside the project")


def hits(case: str, node: str) -> NodeHits:
    """What moved on a node of a capture."""
    before, after = (open_one(str(CAPTURES / case / node / m))[0].moments[0] for m in ("before", "after"))
    return node_hits(node, before, after)


def measured(case: str) -> dict[str, Any]:
    """What was measured when it was captured."""
    result: dict[str, Any] = json.loads((CAPTURES / case / "result.json").read_text())
    return result


def words(each: Moved) -> str:
    """A place in the words of the measurement."""
    rest = each.text if each.index is None else f"#{each.number} {each.text.split(' ', 2)[2]}"
    return f"{each.key.table} {each.key.chain} {rest}"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("node", NODES)
def test_moved_is_exactly_what_was_measured(case: str, node: str) -> None:
    """All rules and policies that moved, by how much, and none else."""
    assert {words(each): each.packets for each in hits(case, node).moved} == measured(case)["diff"][node][
        "rules"
    ]


@pytest.mark.parametrize("node", NODES)
def test_every_counter_of_a_quiet_lab_is_of_the_flow(node: str) -> None:
    """Where nobody else sends, nothing is set apart, tunnels and replies included."""
    nodes = [hits("baseline", each) for each in NODES]
    found = answer(nodes, (ip_address("10.222.2.82"), ip_address("10.222.219.6")), 5)
    marked = next(each for each in found.nodes if each.name == node)
    assert {each.flow for each in marked.moved} == {True}


def test_another_flow_is_set_apart() -> None:
    """A pod's own chains cannot have counted packets of another pod."""
    nodes = [hits("baseline", each) for each in NODES]
    found = answer(nodes, (ip_address("10.222.2.181"), ip_address("10.222.219.3")), 5)
    work1 = next(each for each in found.nodes if each.name == "work1")
    flows = {each.key.chain: each.flow for each in work1.moved}
    assert flows["cali-tw-calicbd8d7879b8"] is False
    assert flows["FORWARD"] is True


@pytest.mark.parametrize("asked", [True, False], ids=["with the flow", "without"])
@pytest.mark.parametrize("packets", [5, None])
def test_reverse_path_filter_is_named(asked: bool, packets: int | None) -> None:
    """The kernel's filter on tunl0 of the receiver took the five packets."""
    ends = (ip_address("10.222.2.82"), ip_address("10.222.219.6")) if asked else None
    verdict = answer([hits("rpf-tunl0-1", node) for node in NODES], ends, packets).verdict
    assert verdict.outcome == "lost"
    assert verdict.where is not None
    assert (verdict.where.node, verdict.where.kind) == ("work1", "kernel")
    assert (verdict.where.name, verdict.where.device, verdict.packets) == ("rp_filter", "tunl0", 5)


@pytest.mark.parametrize("asked", [True, False], ids=["with the flow", "without"])
@pytest.mark.parametrize("case", ["baseline", "baseline.legacy"])
def test_healthy_flow_passed(case: str, asked: bool) -> None:
    """Requests and replies were seen at both pods."""
    ends = (ip_address("10.222.2.82"), ip_address("10.222.219.6")) if asked else None
    verdict = answer([hits(case, node) for node in NODES], ends, 5).verdict
    assert (verdict.outcome, verdict.packets, verdict.where) == ("passed", 5, None)


def test_sender_alone_cannot_tell() -> None:
    """With the sender only it stays open, and the other node is named with what to collect."""
    ends = (ip_address("10.222.2.82"), ip_address("10.222.219.6"))
    verdict = answer([hits("rpf-tunl0-1", "work2")], ends, 5).verdict
    assert verdict.outcome == "undecided"
    assert verdict.where is None
    assert "172.16.189.101" in verdict.because
    assert {each.where.name for each in verdict.candidates} >= {"rp_filter"}
    assert all("calitop save" in each.collect for each in verdict.candidates)

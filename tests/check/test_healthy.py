"""What is well is left alone: no error and no warning on healthy nodes and on other machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from calitop.check.catalogue import CROSS_CHECKS, NODE_CHECKS, check
from calitop.check.facts import NEEDS
from calitop.check.records import Checked, Finding
from calitop.counters.compare import compare
from calitop.errors import BadSnapshot
from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots
from tests.check import states

SHARED = Path(__file__).resolve().parents[3] / "shared"
CORPUS = sorted((SHARED / "corpus").glob("*"))
HEALTHY = [SHARED / "captures" / name for name in ("baseline", "baseline.legacy")]


def _checked(path: Path) -> Checked:
    """As the command does: the last moment of each node, with what was counted since the one before."""
    nodes = [node.moments for node in open_snapshots([str(path)])]
    counts = [compare(*moments[-2:]) if len(moments) > 1 else None for moments in nodes]
    return check([moments[-1] for moments in nodes], counts)


def _alarms(checked: Checked) -> list[Finding]:
    return [each for each in checked.findings if each.severity != "info"]


def test_the_healthy_lab_gives_no_alarm() -> None:
    assert not _alarms(_checked(states.SNAPSHOTS / "lab"))


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.name)
def test_a_healthy_capture_gives_no_alarm(path: Path) -> None:
    if not path.exists():
        pytest.skip("the captures are not here")
    assert not _alarms(_checked(path))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_rules_of_other_machines_give_no_alarm(path: Path) -> None:
    try:
        checked = _checked(path)
    except BadSnapshot:
        pytest.skip("no snapshot")
    assert not _alarms(checked)


PARTS = sorted(path for path in (states.SNAPSHOTS / "lab").glob("*/after/*") if path.name != "manifest.json")


@pytest.mark.parametrize("path", PARTS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_one_text_alone_of_a_healthy_node_gives_no_alarm(path: Path) -> None:
    """What it leaves out is not taken for absent."""
    try:
        checked = _checked(path)
    except BadSnapshot:
        pytest.skip("no snapshot by itself")
    assert not _alarms(checked)


def test_the_field_report_has_its_leaked_addresses_and_nothing_invented() -> None:
    checked = _checked(states.SNAPSHOTS / "field-report")
    assert [(each.id, each.title.split()[0]) for each in checked.findings] == [
        ("leaked-address", "10.222.0.18/32"),
        ("leaked-address", "10.222.1.160/32"),
        ("asymmetric-ranges", "packets"),
    ]


def test_a_fault_of_the_lab_is_found_on_its_node_alone() -> None:
    alarms = _alarms(_checked(states.SNAPSHOTS / "faults" / "rpf-tunl0-1"))
    assert [(each.id, each.node) for each in alarms] == [
        ("pod-flow-lost", "k8s-work1"),
        ("rp-filter-on-tunnel", "k8s-work1"),
    ]


def test_a_mark_that_names_no_endpoint_is_an_error_on_the_sender() -> None:
    errors = [
        (each.id, each.node) for each in _alarms(_checked(states.SNAPSHOTS / "faults" / "identity-mark"))
    ]
    assert errors == [("unknown-endpoint-counted", "k8s-work2")]


def _headers_only(state: NodeState) -> NodeState:
    """Its sets as `ipset list -t` prints them."""
    return replace(state, sets=tuple(replace(one, members=None) for one in state.sets))


_LESS: dict[str, Callable[[NodeState], NodeState]] = {
    "set members": _headers_only,
    "bpf": lambda state: replace(state, bpf=()),
    "set members and bpf": lambda state: replace(_headers_only(state), bpf=()),
    "policy rules": lambda state: replace(state, ip_rules=()),
    "settings": lambda state: replace(state, sysctls={}),
    "interfaces": lambda state: replace(state, links=()),
    "table local": lambda state: replace(
        state, routes=tuple(one for one in state.routes if one.table != "local")
    ),
    "routes": lambda state: replace(state, routes=()),
    "pods": lambda state: replace(state, pods=()),
    "rules": lambda state: replace(state, rulesets=()),
}
"""What was not read of a node, as in a snapshot that somebody has put together by hand."""


@pytest.mark.parametrize("less", _LESS)
def test_a_healthy_lab_that_was_read_in_part_gives_no_alarm(less: str) -> None:
    """Nor does it take minutes: unread sets leave thousands of ways open."""
    whole = [states.lab("k8s-work1"), states.lab("k8s-work2")]
    part = [_LESS[less](state) for state in whole]
    for nodes in (part, [whole[0], part[1]], [part[0], whole[1]]):
        assert not _alarms(check(nodes))


def test_a_node_of_which_nothing_was_read_is_not_called_healthy() -> None:
    checked = check([NodeState(name="empty")])
    assert not checked.findings
    assert [each.id for each in checked.not_checked] == [one.id for one in NODE_CHECKS]


def test_a_node_without_input_is_named_by_the_cross_checks() -> None:
    checked = check([states.lab(), NodeState(name="empty")])
    missing = [each for each in checked.not_checked if each.id in {one.id for one in CROSS_CHECKS}]
    assert {each.node for each in missing} == {"empty"}
    assert {each.id for each in missing} == {one.id for one in CROSS_CHECKS}
    assert all(NEEDS["routes"] in each.needs or NEEDS["rules"] in each.needs for each in missing)


def test_one_node_given_twice_is_not_checked_against_itself() -> None:
    """An incident's texts beside the lab that was made after it, and one node under two names."""
    report = open_snapshots([str(states.SNAPSHOTS / "field-report")])[0].moments[-1]
    lab = [states.lab(), states.lab("k8s-work2")]
    for given in ([replace(report, name="field-report"), *lab], [*lab, replace(lab[0], name="copy")]):
        checked = check(given)
        assert [each for each in checked.findings if each.severity != "info"] == []
        told = {each.id: each.needs for each in checked.not_checked if each.node == given[0].name}
        told |= {each.id: each.needs for each in checked.not_checked if each.node == given[-1].name}
        assert {told[one.id] for one in CROSS_CHECKS} in (
            {"another node: its pods are those of k8s-work2"},
            {"another node: its pods are those of k8s-work1"},
        )

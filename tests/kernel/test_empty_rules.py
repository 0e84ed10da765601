"""A machine without rules, or with rules of one backend alone: what is not there is known, not unread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from calitop.check.catalogue import check
from calitop.check.facts import NodeFacts
from calitop.model.node import NodeState
from calitop.model.rules import Backend
from calitop.snapshot.open import open_snapshots
from calitop.snapshot.save import save
from calitop.sources.collect import collect, programs
from calitop.sources.kernel import KernelSource
from calitop.sources.via import CommandSource
from tests.kernel.netns import Namespace

pytestmark = pytest.mark.kernel

RULES = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p icmp -j ACCEPT\nCOMMIT\n"
BACKENDS: tuple[Backend, ...] = ("nft", "legacy", "native")


def _live(space: Namespace) -> NodeState:
    with closing(KernelSource(space.name)) as source:
        return source.structure().state


def _saved(space: Namespace, folder: Path) -> NodeState:
    answers = collect(space.name)
    save(answers, folder, programs(answers))
    [node] = open_snapshots([str(folder)])
    return node.moments[-1]


def _both_ways(space: Namespace, folder: Path) -> list[NodeState]:
    return [_live(space), _saved(space, folder / "snapshot")]


def _tables(space: Namespace) -> str:
    listed = space.run("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names")
    return listed + space.run("nft", "list", "tables")


def test_a_machine_without_rules_is_checked(netns: Namespace, tmp_path: Path) -> None:
    """And has as few tables afterwards as before."""
    for state in _both_ways(netns, tmp_path):
        assert state.rulesets == ()
        assert [state.knows_rules(backend) for backend in BACKENDS] == [True, True, True]
        assert not NodeFacts(state).lacks(("rules",))
        assert not [each for each in check([state]).not_checked if "rule" in each.needs]
    assert _tables(netns) == ""


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_a_machine_with_one_backend(backend: str, netns: Namespace, tmp_path: Path) -> None:
    netns.load(RULES, backend)
    before = _tables(netns)
    for state in _both_ways(netns, tmp_path):
        assert {ruleset.backend for ruleset in state.rulesets if ruleset.tables} == {backend}
        assert (("ipv4", backend) in state.without_rules, ("ipv6", backend) in state.without_rules) == (
            False,
            True,
        )
        assert [state.knows_rules(each) for each in BACKENDS[:2]] == [True, True]
        assert not [each for each in check([state]).not_checked if "both backends" in each.needs]
    assert _tables(netns) == before


def test_a_machine_with_tables_of_nft_alone(netns: Namespace, tmp_path: Path) -> None:
    netns.run("nft", "add", "table", "inet", "own")
    for state in _both_ways(netns, tmp_path):
        assert ("inet", "native") not in state.without_rules
        assert ("ipv4", "nft") in state.without_rules
        assert not NodeFacts(state).lacks(("rules",))


def test_through_a_prefix(netns: Namespace) -> None:
    with closing(CommandSource(" ".join(netns.prefix))) as source:
        state = source.structure().state
    assert state.rulesets == ()
    assert ("ipv4", "legacy") in state.without_rules
    assert not NodeFacts(state).lacks(("rules",))
    assert _tables(netns) == ""


def test_a_backend_that_fails_to_answer_is_not_empty(
    netns: Namespace, make_netns: Callable[[str], Namespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are legacy tables, but no program prints them."""
    netns.load(RULES, "legacy")
    monkeypatch.setattr("calitop.sources.programs.Programs.find", lambda self, wanted: None)
    monkeypatch.setattr("calitop.sources.legacy_program.__file__", "/nonexistent")
    state = _live(netns)
    assert ("ipv4", "legacy") not in state.without_rules
    assert NodeFacts(state).lacks(("rules",)) == ("rules",)

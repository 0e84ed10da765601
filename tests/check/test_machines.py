"""Whole machines of many kinds, none of them ill: no error and no warning, by one moment or by two.

`tests.machines` builds them and keeps what was read; `tests/kernel/test_machines.py` reads them live.
"""

from __future__ import annotations

import pytest

from calitop.check.catalogue import check
from calitop.check.records import Checked
from calitop.counters.compare import compare
from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots
from tests.machines.build import scripts
from tests.machines.keep import KEPT

NAMES = tuple(scripts())


def moments(name: str) -> list[NodeState]:
    [node] = open_snapshots([str(KEPT / f"{name}.tar.gz")])
    return list(node.moments)


def alarms(checked: Checked) -> list[str]:
    return [f"{each.id}: {each.title}" for each in checked.findings if each.severity != "info"]


@pytest.mark.parametrize("name", NAMES)
def test_one_moment_gives_no_alarm(name: str) -> None:
    assert alarms(check([moments(name)[-1]])) == []


@pytest.mark.parametrize("name", NAMES)
def test_two_moments_give_no_alarm(name: str) -> None:
    before, after = moments(name)
    assert alarms(check([after], [compare(before, after)])) == []


@pytest.mark.parametrize("name", NAMES)
def test_its_rules_count_as_read_even_where_it_has_none(name: str) -> None:
    """Else no alarm would only mean that nothing was looked at."""
    needs = [each.needs for each in check([moments(name)[-1]]).not_checked]
    assert not [each for each in needs if "whole ruleset" in each or "both backends" in each]


def test_every_machine_is_kept_and_no_other() -> None:
    assert {path.name.removesuffix(".tar.gz") for path in KEPT.glob("*.tar.gz")} == set(NAMES)

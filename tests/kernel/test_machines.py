"""Whole machines of many kinds as calitop reads them live: no error and no warning where nothing is ill."""

from __future__ import annotations

from contextlib import closing

import pytest

from calitop.check.asked import with_asked_members
from calitop.check.catalogue import check
from calitop.counters.ledger import Ledger
from calitop.sources.kernel import KernelSource
from calitop.sources.source import Wanted
from tests.check.test_machines import NAMES, alarms
from tests.machines.build import machine

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_that_is_well_gives_no_alarm(name: str) -> None:
    """By one moment, and by what was counted while somebody outside tried its addresses."""
    with machine(name) as made, closing(KernelSource(made.node.name)) as source:
        structure = source.structure()
        ledger = Ledger(structure)
        made.probe()
        sample = source.counters(Wanted())
        state = with_asked_members(structure.state, source.set_members)
        assert sample is not None
        assert alarms(check([state], [ledger.add(sample)])) == []
        once = check([state])
    assert alarms(once) == []
    assert not [each for each in once.not_checked if "whole ruleset" in each.needs]

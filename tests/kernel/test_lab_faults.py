"""Every fault of the lab moves what it says it moves, in both backends."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab import trial
from lab.faults import FAULTS, PINGS, Fault
from lab.machine import Lab, Settings

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", params=["nft", "legacy"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A running lab of this test run's own, and its backend."""
    made = Lab(f"ct-f{os.getpid() % 100000}{request.param[0]}")
    made.up(Settings(request.param))
    yield made, request.param
    made.down()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_moves_what_it_says(lab: tuple[Lab, str], fault: Fault) -> None:
    """The replies, the counters that prove the fault and those that stay are as the fault states."""
    machine, backend = lab
    measured = trial.of_fault(machine, backend, fault)
    assert measured.pinged.received == fault.replies
    assert {proof.what: measured.packets(proof) for proof in fault.proofs} == {
        proof.what: proof.packets for proof in fault.proofs
    }
    assert {proof.what: measured.packets(proof) for proof in fault.still} == {
        proof.what: 0 for proof in fault.still
    }


def test_healing_leaves_nothing_of_any_fault(lab: tuple[Lab, str]) -> None:
    """After every fault the healthy state is back whole."""
    machine, backend = lab
    machine.load(Settings(backend), Fault("none", "", "", {}, ()).plans())
    measured = trial.run(machine, backend, lambda: trial.pings_of(machine, FAULTS[0]))
    assert measured.pinged.received == PINGS

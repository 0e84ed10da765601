"""Every fault of the lab moves what it says it moves, in both backends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from lab import measure, trial
from lab.faults import BY_NAME, FAULTS, PINGS, Fault
from lab.machine import Lab, Settings
from lab.plan import healthy

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", params=["nft", "legacy"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A running lab of this test run's own, and its backend."""
    made = Lab(f"ct-f{os.getpid() % 100000}{request.param[0]}")
    made.up(Settings(request.param))
    yield made, request.param
    made.down()


def kernel() -> tuple[int, int]:
    """Version of the running kernel."""
    first, second, *_ = os.uname().release.split(".")
    return int(first), int(second)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_moves_what_it_says(lab: tuple[Lab, str], fault: Fault) -> None:
    """The replies, the counters that prove the fault and those that stay are as the fault states."""
    machine, backend = lab
    if fault.name == "identity-mark" and kernel() < (6, 6):
        pytest.skip("no tcx before kernel 6.6")
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
    machine.load(Settings(backend), healthy())
    measured = trial.run(machine, backend, lambda: trial.pings_of(machine, FAULTS[0]))
    assert measured.pinged.received == PINGS


def test_rewriting_takes_the_counters_of_living_chains(lab: tuple[Lab, str]) -> None:
    """While Felix rewrites, an endpoint chain that has counted is back at zero a round later."""
    machine, backend = lab
    fault = BY_NAME["rewriting"]
    trial.of_fault(machine, backend, fault)
    chain = f"filter cali-fw-{fault.destination.interface}: RELATED,ESTABLISHED"
    deadline = time.monotonic() + 20
    while measure.read(machine, "work1", backend).moved(chain) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert measure.read(machine, "work1", backend).moved(chain) == 0
    machine.load(Settings(backend), healthy())

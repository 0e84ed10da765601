"""Twenty changes of rules a second under traffic: in the end every rule and counter is the kernel's."""

from __future__ import annotations

import os

import pytest

from lab.machine import Lab, Settings
from tests.perf.soak import soak

pytestmark = pytest.mark.kernel

MINUTES = float(os.environ.get("CALITOP_CHURN_MINUTES") or 0.15)


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_every_counter_is_right_after_churn(backend: str) -> None:
    machine = Lab(f"ct-h{os.getpid() % 100000}{backend[0]}")
    machine.up(Settings(backend))
    try:
        assert soak(machine, MINUTES, backend) == 0
    finally:
        machine.down()

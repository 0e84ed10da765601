"""Faults alone and stacked, between all kinds of ends, whatever is given: never a wrong answer."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice

import pytest

from lab.machine import Lab, Settings
from tests.kernel import hunt

pytestmark = pytest.mark.kernel

SEEDS = {"nft": 11, "legacy": 12}
CASES = 9
"""Of each backend; some 1.5 s each."""


@pytest.fixture(params=["nft", "legacy"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A running lab of this test run's own, and its backend."""
    made = Lab(f"ct-h{os.getpid() % 100000}{request.param[0]}")
    made.up(Settings(request.param))
    yield made, request.param
    made.down()


def test_no_answer_is_wrong(lab: tuple[Lab, str], request: pytest.FixtureRequest) -> None:
    """The place is one that was measured, what passed was answered, or the verdict stays open."""
    machine, backend = lab
    table: Counter[tuple[str, str]] = Counter()
    wrong = []
    for case in islice(hunt.cases(SEEDS[backend], backend), CASES):
        outcome = hunt.run(machine, case)
        for given, verdict in hunt.questions(outcome):
            table[given, verdict.outcome] += 1
            if not hunt.is_true(verdict, outcome):
                wrong.append(f"{case}, {given}: {verdict.because}; measured: {outcome.drops()}")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        cells = (f"{given}: {what} {count}" for (given, what), count in table.items())
        print(f"\n{backend}: {'; '.join(cells)}")
    assert wrong == []

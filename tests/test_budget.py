"""What reading may cost: a share of a core over a minute, evenly where it can be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.budget import INTERVALS_S, SHARE, WINDOW_S, Budget, duration

COSTS = st.lists(st.floats(0.0, 2.0), min_size=1, max_size=200)


def run(budget: Budget, costs: list[float]) -> list[float]:
    """Starts of the readings that the budget allows, and of the one after the last."""
    at, starts = 0.0, [0.0]
    for cost in costs:
        budget.spend(cost, 0.0, at)
        at += budget.pace().interval_s
        starts.append(at)
    return starts


@given(COSTS)
def test_no_more_than_the_share_is_spent_but_for_what_one_minute_saved(costs: list[float]) -> None:
    starts = run(Budget(1.0), [0.0, *costs])
    saved = SHARE * WINDOW_S
    assert sum(costs) <= saved + SHARE * starts[-1] + 1e-6


@given(COSTS, st.floats(0.05, 60))
def test_an_interval_that_was_asked_for_is_kept_whatever_it_costs(costs: list[float], asked: float) -> None:
    budget = Budget(1.0, asked)
    for cost in costs:
        budget.spend(cost, 0.0, 0.0)
        assert budget.pace() == (asked, "")


def test_cheap_readings_come_each_second() -> None:
    assert run(Budget(1.0), [0.5, *[0.019] * 300])[-1] == 301.0


def test_equal_readings_come_evenly() -> None:
    starts = run(Budget(1.0), [0.062] * 40)
    assert starts[1] == 1.0
    assert [after - before for before, after in itertools.pairwise(starts[1:])] == pytest.approx([3.1] * 39)


def test_the_first_reading_is_free() -> None:
    budget = Budget(1.0)
    budget.spend(2.0, 6.2, 0.0)
    assert budget.pace() == (1.0, "")


def test_one_dear_reading_among_cheap_ones_is_paid_from_what_was_saved() -> None:
    budget = Budget(1.0)
    assert run(budget, [0.0, 0.001, 0.001, 0.8, 0.001, 0.001])[-1] == 6.0
    run(budget, [0.9, 0.9])
    assert budget.pace().because == "reading cost 900 ms"


def test_a_slow_reading_takes_a_fifth_of_the_time() -> None:
    budget = Budget(1.0)
    for at in range(3):
        budget.spend(0.0, 0.5, float(at))
    assert budget.pace() == (2.5, "reading takes 500 ms")
    budget.spend(0.0, 9.0, 3.0)
    assert budget.pace().interval_s == 2.5, "once is no habit"


def test_steps_begin_where_the_interval_is() -> None:
    budget = Budget(1.0)
    run(budget, [0.062] * 3)
    assert budget.step(-1) == 2.0
    budget.fixed_s = None
    assert budget.step(1) == 5.0
    assert [budget.step(1) for _ in range(5)][-2:] == [INTERVALS_S[-1]] * 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.00072, "0.72 ms"), (0.0041, "4.1 ms"), (0.0624, "62 ms"), (0.9996, "1000 ms"), (6.21, "6.2 s")],
)
def test_durations_are_short_and_without_exponents(seconds: float, words: str) -> None:
    assert duration(seconds) == words

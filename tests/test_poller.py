"""The clock: what is read when, what survives a failure, with a made-up source and time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from calitop.counters.sample import Sample
from calitop.errors import SourceUnavailable
from calitop.model.network import Route
from calitop.model.node import NodeState
from calitop.model.rules import Chain
from calitop.poller import LONGEST_BACK_OFF_S, Poll, Poller
from calitop.sources.source import Structure, Wanted
from tests.counters.build import KEY, chain, sample, state


@dataclass
class _Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class _Source:
    """A node with one chain, whose counters the test moves."""

    clock: _Clock
    name: str = "made up"
    packets: int = 5
    texts: tuple[str, ...] = ("a",)
    generation: int = 1
    told: int = 0
    cost_s: float = 0.0
    failing: bool = False
    closed: bool = False
    asked: list[str] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)

    def structure(self) -> Structure:
        self.asked.append("structure")
        self._work()
        self.told = self.generation
        return Structure(self.generation, state(self._chain()), self.clock())

    def counters(self, wanted: Wanted) -> Sample | None:
        self.asked.append("counters")
        self.wanted.append(wanted)
        self._work()
        return sample(self.generation, self.clock(), self._chain()) if self.told == self.generation else None

    def close(self) -> None:
        self.closed = True

    def _work(self) -> None:
        self.clock.now += self.cost_s
        if self.failing:
            raise SourceUnavailable("ssh is gone", "look at the network")

    def _chain(self) -> Chain:
        return chain("X", *((text, self.packets) for text in self.texts))


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def source(clock: _Clock) -> _Source:
    return _Source(clock)


@pytest.fixture
def poller(source: _Source, clock: _Clock) -> Poller:
    return Poller(source, lambda poll: None, clock=clock, processor=lambda: 0.0)


def test_the_first_poll_reads_structure_and_counters(poller: Poller, source: _Source) -> None:
    poll = poller.beat()
    assert source.asked == ["structure", "counters"]
    assert (poll.generation, poll.number, poll.failure, poll.baseline_at) == (1, 1, None, 100.0)
    assert poll.counts.rule(KEY, 0).now == (5, 50)
    assert poll.index.state is poll.state


def test_later_polls_read_counters_only_and_measure_time(
    poller: Poller, source: _Source, clock: _Clock
) -> None:
    poller.beat()
    clock.now, source.packets = 102.0, 9
    poll = poller.beat()
    assert source.asked[2:] == ["counters"]
    assert poll.counts.rule(KEY, 0).packets_per_s == 2.0
    assert poll.counts.rule(KEY, 0).delta.packets == 4


def test_changed_rules_are_read_anew_in_the_same_poll(poller: Poller, source: _Source) -> None:
    poller.beat()
    source.generation, source.texts = 2, ("new", "a")
    source.packets = 6
    poll = poller.beat()
    assert source.asked[2:] == ["counters", "structure", "counters"]
    assert poll.generation == 2
    assert poll.counts.rule(KEY, 1).delta == (1, 10, True)
    assert [reset.text for reset in poll.counts.resets] == ["new"]


def test_routes_and_links_are_asked_for_every_few_seconds(
    poller: Poller, source: _Source, clock: _Clock
) -> None:
    first = poller.beat()
    clock.now += 6
    assert poller.beat().state is not first.state
    assert source.asked[2:] == ["structure", "counters"]


def test_a_source_that_refreshes_cheaply_is_asked_each_poll_and_for_no_structure(clock: _Clock) -> None:
    class Refreshing(_Source):
        def refresh(self) -> Structure:
            routes = (Route("ipv4", "default"),)
            return Structure(1, NodeState(rulesets=state(self._chain()).rulesets, routes=routes), 0.0)

    source = Refreshing(clock)
    poller = Poller(source, lambda poll: None, clock=clock)
    poller.beat()
    clock.now += 60
    assert len(poller.beat().state.routes) == 1
    assert source.asked == ["structure", "counters", "counters"]


def test_a_failure_keeps_the_data_and_recovers_silently(
    poller: Poller, source: _Source, clock: _Clock
) -> None:
    good = poller.beat()
    source.failing = True
    intervals = []
    for _ in range(6):
        poll = poller.beat()
        assert poll.failure == "ssh is gone; look at the network"
        assert poll.counts is good.counts and poll.state is good.state and poll.at == good.at
        intervals.append(poll.interval_s)
    assert intervals == [1.0, 2.0, 4.0, 8.0, LONGEST_BACK_OFF_S, LONGEST_BACK_OFF_S]
    source.failing = False
    source.packets = 8
    poll = poller.beat()
    assert (poll.failure, poll.interval_s) == (None, 1.0)
    assert poll.counts.rule(KEY, 0).delta.packets == 3


def test_a_node_that_never_answered_shows_an_empty_state(poller: Poller, source: _Source) -> None:
    source.failing = True
    poll = poller.beat()
    assert poll.failure is not None
    assert poll.state.rulesets == () and poll.generation == 0


def test_a_slow_poll_stretches_the_interval(poller: Poller, source: _Source) -> None:
    poller.beat()
    source.cost_s = 0.1
    assert poller.beat().interval_s == 1.0
    source.cost_s = 0.5
    poller.beat()
    poll = [poller.beat() for _ in range(2)][-1]
    assert poll.took_s == pytest.approx(0.5)
    assert poll.interval_s == pytest.approx(2.5)


@dataclass
class _Metered(_Source):
    """A source whose own threads say what they cost; each question costs the same."""

    each_s: float = 0.031
    spent_s: float = 0.0

    def counters(self, wanted: Wanted) -> Sample | None:
        self.spent_s += self.each_s
        return super().counters(wanted)

    def processor_s(self) -> float:
        return self.spent_s


def test_a_dear_poll_stretches_the_interval_and_says_so(clock: _Clock) -> None:
    source = _Metered(clock)
    poller = Poller(source, lambda poll: None, clock=clock, processor=lambda: source.spent_s)
    assert (poller.beat().interval_s, poller.beat().stretched) == (1.0, "reading costs 62 ms")
    assert poller.beat().interval_s == pytest.approx(3.1)
    source.each_s = 0.009
    polls = [poller.beat() for _ in range(3)]
    assert (polls[-1].interval_s, polls[-1].stretched) == (1.0, "")


def test_an_interval_that_was_asked_for_is_kept(clock: _Clock) -> None:
    source = _Metered(clock, each_s=0.5)
    poller = Poller(source, lambda poll: None, 0.2, clock=clock)
    polls = [poller.beat() for _ in range(3)]
    assert [(poll.interval_s, poll.stretched) for poll in polls] == [(0.2, "")] * 3
    poller.automatic()
    assert poller.beat().interval_s > 10
    assert (poller.faster(), poller.beat().interval_s) == (10.0, 10.0)


def test_a_baseline_is_taken_at_once_however_long_the_interval(clock: _Clock) -> None:
    source = _Metered(clock, each_s=60.0)
    arrived = threading.Semaphore(0)
    poller = Poller(source, lambda poll: arrived.release(), clock=clock)
    poller.start()
    for _ in range(3):
        assert arrived.acquire(timeout=5)
        poller.rebase()
    poller.stop()
    assert source.wanted[-1].full


def test_a_new_baseline_forces_a_full_reading(poller: Poller, source: _Source, clock: _Clock) -> None:
    poller.beat()
    clock.now, source.packets = 103.0, 9
    poller.rebase()
    poll = poller.beat()
    assert source.wanted[-1].full
    assert poll.baseline_at == 103.0
    assert poll.counts.rule(KEY, 0).delta.packets == 0
    poller.beat()
    assert not source.wanted[-1].full


def test_a_baseline_that_could_not_be_read_is_taken_by_the_next_poll(poller: Poller, source: _Source) -> None:
    poller.beat()
    poller.rebase()
    source.failing, source.packets = True, 9
    assert poller.beat().baseline_at == 100.0
    source.failing = False
    assert poller.beat().counts.rule(KEY, 0).delta.packets == 0


def test_pausing_marks_the_polls_but_goes_on_reading(poller: Poller, source: _Source) -> None:
    poller.beat()
    poller.pause(True)
    source.packets = 9
    poll = poller.beat()
    assert poll.paused and poll.counts.rule(KEY, 0).delta.packets == 4
    poller.pause(False)
    assert not poller.beat().paused


def test_faster_and_slower_take_steps_and_stop_at_the_ends(poller: Poller) -> None:
    assert [poller.faster() for _ in range(4)] == [0.5, 0.2, 0.1, 0.1]
    assert [poller.slower() for _ in range(9)][-2:] == [60.0, 60.0]


def test_visible_tables_are_handed_to_the_source(poller: Poller, source: _Source) -> None:
    tables = frozenset(ruleset.key(table) for ruleset in state().rulesets for table in ruleset.tables)
    poller.visible(tables)
    poller.beat()
    assert source.wanted[-1].visible == tables


def test_the_thread_polls_at_once_when_asked_and_stops_when_told(source: _Source, clock: _Clock) -> None:
    seen: list[Poll] = []
    arrived = threading.Semaphore(0)

    def sink(poll: Poll) -> None:
        seen.append(poll)
        arrived.release()

    poller = Poller(source, sink, interval_s=3600.0, clock=clock)
    poller.start()
    poller.start()
    assert arrived.acquire(timeout=5)
    poller.poll_now()
    assert arrived.acquire(timeout=5)
    poller.stop()
    assert source.closed
    assert [poll.number for poll in seen] == [1, 2]


def test_what_the_first_picture_costs_does_not_delay_the_second(clock: _Clock) -> None:
    source = _Metered(clock, each_s=0.0)
    seen: list[Poll] = []
    arrived = threading.Semaphore(0)

    def sink(poll: Poll) -> None:
        source.spent_s += 9.0 if poll.number == 1 else 0.0
        seen.append(poll)
        arrived.release()

    poller = Poller(source, sink, clock=clock, processor=lambda: 0.0)
    poller.start()
    assert arrived.acquire(timeout=5)
    poller.poll_now()
    assert arrived.acquire(timeout=5)
    poller.stop()
    assert (seen[1].interval_s, seen[1].stretched) == (1.0, "")

"""Listings are read when an event made them old, and for at most a share of the time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from calitop.sources import capture, kernel_runner
from calitop.sources.capture import Capture, Captured
from calitop.sources.kernel_runner import SHARE, KernelRunner
from calitop.sources.local import LocalRunner


@dataclass
class Node:
    """A kernel whose events and clock tests move by hand; each listing takes 10 ms."""

    now: float = 1000.0
    events: set[Capture] = field(default_factory=set)
    asked: list[Capture] = field(default_factory=list)
    status: int = 0

    def take(self) -> frozenset[Capture]:
        changed, self.events = frozenset(self.events), set()
        return changed

    def one(self, wanted: Capture) -> Captured:
        self.asked.append(wanted)
        error = None if self.status == 0 else "not now"
        return Captured(wanted.file, "", self.status, "", "", error, read_at=self.now, took_s=0.01)

    def read(self, runner: KernelRunner) -> list[Capture]:
        """What is asked for in one poll."""
        self.asked.clear()
        runner.run([capture.LINK, capture.RULE])
        return list(self.asked)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node()
    monkeypatch.setattr(kernel_runner, "NetworkEvents", lambda: made)
    monkeypatch.setattr("calitop.sources.kernel_runner.time.monotonic", lambda: made.now)
    monkeypatch.setattr(LocalRunner, "_one", lambda _self, *words: made.one(*words))
    return made


def test_what_no_event_made_old_is_the_very_same_answer(node: Node) -> None:
    runner = KernelRunner()
    first = runner.run([capture.LINK, capture.RULE])
    node.now += 3600
    assert node.read(runner) == []
    assert runner.run([capture.LINK])[0] is first[0]


def test_an_event_has_its_own_listing_read_again(node: Node) -> None:
    runner = KernelRunner()
    node.read(runner)
    node.now += 3600
    node.events = {capture.RULE}
    assert node.read(runner) == [capture.RULE]
    assert node.read(runner) == []


def test_changes_without_end_take_a_share_of_the_time_and_the_last_one_is_read(node: Node) -> None:
    runner = KernelRunner()
    node.read(runner)
    reads = 0
    for _poll in range(100):
        node.now += 0.1
        node.events = {capture.LINK}
        reads += len(node.read(runner))
    assert 0 < reads <= 10 / (SHARE * 0.01) + 1
    for _ in range(2):
        node.now += 0.02 * SHARE
        node.events = {capture.LINK}
        assert node.read(runner) == [capture.LINK]
        node.events = {capture.LINK}
        assert node.read(runner) == []
    node.now += 0.02 * SHARE
    assert node.read(runner) == [capture.LINK]
    assert node.read(runner) == []


def test_what_failed_is_asked_again(node: Node) -> None:
    runner = KernelRunner()
    node.status = 1
    node.read(runner)
    node.status = 0
    assert node.read(runner) == [capture.LINK, capture.RULE]
    assert node.read(runner) == []

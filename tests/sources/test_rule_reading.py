"""When rules are printed again, whole or in part, where a reader of counters stands behind the program."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest

from calitop.counters.sample import ChainReading, Sample
from calitop.model.rules import Chain, ChainKey, Counter, Rule
from calitop.sources import capture, rule_reading
from calitop.sources.capture import Capture
from calitop.sources.live import LiveReading
from calitop.sources.rule_counters import CountersRead, RuleCounters
from calitop.sources.source import Wanted
from tests.sources.test_live import KEY, SAVE, FakeRunner

OTHER = ChainKey("ipv4", "nft", "filter", "other")
QUIET = CountersRead({}, False)


@dataclass
class FakeReader:
    """Says what it is told to say."""

    next: CountersRead = QUIET
    fits: bool = True
    learnt: list[set[ChainKey]] = field(default_factory=list)
    closed: bool = False
    failure: OSError | None = None

    def learn(self, chains: Mapping[ChainKey, Chain]) -> bool:
        self.learnt.append(set(chains))
        return self.fits

    def read(self, wanted: Wanted) -> CountersRead:
        if self.failure is not None:
            raise self.failure
        return self.next

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeAccess:
    """A kernel with a reader for IPv4 rules of iptables-nft."""

    reader: FakeReader
    printed: Mapping[ChainKey, Chain | None] | None = None
    asked: list[Collection[ChainKey]] = field(default_factory=list)
    new: bool = False

    def counters_of(self, wanted: Capture) -> RuleCounters | None:
        return self.reader if wanted is capture.NFT_IPV4 else None

    def chains(self, wanted: Capture, keys: Collection[ChainKey]) -> Mapping[ChainKey, Chain | None] | None:
        self.asked.append(set(keys))
        return self.printed

    def appeared(self) -> bool:
        return self.new


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
def access() -> FakeAccess:
    return FakeAccess(FakeReader())


@pytest.fixture
def reading(runner: FakeRunner, access: FakeAccess, monkeypatch: pytest.MonkeyPatch) -> LiveReading:
    monkeypatch.setattr(rule_reading, "WHOLE_EVERY_S", 0.0)
    made = LiveReading(runner, None, (), access=access)
    made.structure()
    return made


def sample(reading: LiveReading) -> Sample | None:
    return reading.counters(Wanted())


def test_the_program_is_not_run_while_nothing_changes(
    runner: FakeRunner, access: FakeAccess, reading: LiveReading
) -> None:
    counted = ChainReading((Counter(5, 420),), None, 1.0)
    access.reader.next = CountersRead({KEY: counted}, False)
    taken = sample(reading)
    assert taken is not None and not taken.full
    assert taken.chains == {KEY: counted}
    assert capture.NFT_IPV4 not in runner.asked
    assert access.reader.learnt == [{KEY}]


def test_a_program_without_reader_is_run_each_time(runner: FakeRunner, reading: LiveReading) -> None:
    assert sample(reading) is not None
    assert capture.NFT_IPV6 in runner.asked


def test_a_few_changed_chains_are_printed_alone(
    runner: FakeRunner, access: FakeAccess, reading: LiveReading
) -> None:
    old = reading.refresh()
    access.printed = {OTHER: Chain("other", (Rule("-A other -j DROP", 1),)), KEY: None}
    access.reader.next = CountersRead({}, False, frozenset({OTHER, KEY}))
    assert sample(reading) is None
    assert capture.NFT_IPV4 not in runner.asked and access.asked == [{OTHER, KEY}]
    access.reader.next = QUIET
    new = reading.structure()
    assert new.generation == old.generation + 1
    assert set(new.state.chains()) == {OTHER}
    assert access.reader.learnt[-1] == {OTHER}


def test_more_than_can_be_named_is_printed_whole(
    runner: FakeRunner, access: FakeAccess, reading: LiveReading
) -> None:
    runner.texts[capture.NFT_IPV4] = SAVE.format(packets=1, source="10.0.0.2/32")
    access.reader.next = CountersRead({}, False, None)
    assert sample(reading) is None
    assert capture.NFT_IPV4 in runner.asked
    access.reader.next = QUIET
    state = reading.structure().state
    assert state.chains()[KEY].rules[0].text == "-A INPUT -s 10.0.0.2/32 -j DROP"


def test_chains_that_cannot_be_printed_alone_are_printed_with_all(
    runner: FakeRunner, access: FakeAccess, reading: LiveReading
) -> None:
    access.reader.next = CountersRead({}, False, frozenset({KEY}))
    sample(reading)
    access.reader.next = QUIET
    assert sample(reading) is None
    assert capture.NFT_IPV4 in runner.asked


def test_all_rules_are_not_printed_again_and_again(
    runner: FakeRunner, access: FakeAccess, reading: LiveReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_reading, "WHOLE_EVERY_S", 1000.0)
    monkeypatch.setattr(rule_reading, "_WHOLE_SHARE", 1e9)
    access.reader.next = CountersRead({}, False, None)
    assert sample(reading) is None
    reading.structure()
    taken = sample(reading)
    assert taken is not None and not taken.full and capture.NFT_IPV4 not in runner.asked
    reading.counters(Wanted(full=True))
    assert capture.NFT_IPV4 in runner.asked


def test_what_was_read_beside_a_change_is_told_afterwards(access: FakeAccess, reading: LiveReading) -> None:
    counted = ChainReading((Counter(5, 420),), None, 1.0)
    access.printed = {OTHER: Chain("other")}
    access.reader.next = CountersRead({KEY: counted}, False, frozenset({OTHER}))
    assert sample(reading) is None
    access.reader.next = QUIET
    reading.structure()
    taken = sample(reading)
    assert taken is not None and taken.chains[KEY] is counted


@pytest.mark.parametrize("how", ["refuses", "fails"])
def test_a_reader_that_never_fits_gives_way_to_the_program(
    how: str, runner: FakeRunner, access: FakeAccess, reading: LiveReading
) -> None:
    access.reader.fits = False
    access.reader.next = CountersRead({}, False, None)
    access.reader.failure = OSError("no") if how == "fails" else None
    for _poll in range(8):
        if sample(reading) is None:
            reading.structure()
    assert access.reader.closed
    runner.texts[capture.NFT_IPV4] = SAVE.format(packets=77, source="10.0.0.1/32")
    taken = sample(reading)
    assert taken is not None and taken.chains[KEY].rules == (Counter(77, 84),)


def test_what_appears_is_asked_for(runner: FakeRunner, access: FakeAccess, reading: LiveReading) -> None:
    runner.texts[capture.NFT_IPV6] = SAVE.format(packets=1, source="fd00::1/128")
    access.new = True
    assert sample(reading) is None
    access.new = False
    assert reading.structure().generation == 2

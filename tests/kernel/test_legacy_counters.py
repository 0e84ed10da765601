"""Legacy counters straight from the kernel: always what iptables-legacy-save prints for the same rule."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from calitop.counters.sample import ChainReading, Sample
from calitop.formats import iptables_save
from calitop.model.rules import Chain, ChainKey, Counter, Family, TableKey
from calitop.sources import legacy_counters, legacy_program
from calitop.sources.capture import Capture, Captured
from calitop.sources.kernel import KernelSource
from calitop.sources.legacy_counters import LegacyCounters
from calitop.sources.local import LocalRunner
from calitop.sources.namespace import ReaderThread
from calitop.sources.programs import Programs
from calitop.sources.rule_counters import CountersRead
from calitop.sources.source import Wanted
from tests.kernel.netns import Namespace

pytestmark = pytest.mark.kernel

FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
RULES = """*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -i lo -j CT
COMMIT
*nat
:OUTPUT ACCEPT [0:0]
-A OUTPUT -m statistic --mode random --probability 0.5 -m comment --comment "half"
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [7:8]
:OUTPUT ACCEPT [0:0]
:cali-INPUT - [0:0]
:empty - [0:0]
:unused - [0:0]
-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
-A INPUT -m limit --limit 5/sec -j empty
-A INPUT -j ACCEPT
-A cali-INPUT -i lo -m comment --comment "a" -m comment --comment "note" -j RETURN
-A cali-INPUT -j DROP
-A unused -p tcp -m multiport --dports 1,2:3 -j REJECT
COMMIT
"""
Values = dict[ChainKey, tuple[tuple[Counter | None, ...], Counter | None]]


@dataclass
class Node:
    """A reader inside a namespace, with all it has told so far."""

    space: Namespace
    family: Family
    reader: LegacyCounters
    thread: ReaderThread
    told: dict[ChainKey, ChainReading] = field(default_factory=dict)
    printed: Mapping[ChainKey, Chain] = field(default_factory=dict)

    @property
    def command(self) -> str:
        return "ip6tables-legacy" if self.family == "ipv6" else "iptables-legacy"

    def change(self, *words: str) -> None:
        self.space.run(self.command, *words)

    def ping(self) -> None:
        self.space.run("ping", "-c", "2", "-i", "0.01", "::1" if self.family == "ipv6" else "127.0.0.1")

    def save(self) -> Mapping[ChainKey, Chain]:
        return chains_of(self.space.run(f"{self.command}-save", "-c"), self.family)

    def learn(self) -> bool:
        self.printed = self.save()
        return self.thread.call(lambda: self.reader.learn(self.printed))

    def learn_anew(self) -> None:
        """See, print, learn: what a source does when rules are new."""
        assert self.read().changed is None
        assert self.learn()
        assert self.read().changed == frozenset()

    def read(self, wanted: Wanted | None = None) -> CountersRead:
        found = self.thread.call(lambda: self.reader.read(wanted or Wanted()))
        self.told.update(found.chains)
        return found


def chains_of(text: str, family: Family) -> dict[ChainKey, Chain]:
    rulesets = iptables_save.parse(text).rulesets or ()
    return {
        TableKey(family, "legacy", table.name).chain(chain.name): chain
        for ruleset in rulesets
        for table in ruleset.tables
        for chain in table.chains.values()
    }


def values(chains: Mapping[ChainKey, Chain]) -> Values:
    return {
        key: (tuple(rule.counter for rule in chain.rules), chain.counter if chain.builtin else None)
        for key, chain in chains.items()
    }


def told(chains: Mapping[ChainKey, ChainReading]) -> Values:
    return {key: (tuple(reading.rules), reading.policy) for key, reading in chains.items()}


@pytest.fixture(params=FAMILIES)
def node(request: pytest.FixtureRequest, netns: Namespace) -> Iterator[Node]:
    family: Family = request.param
    netns.run("ip6tables-legacy-restore" if family == "ipv6" else "iptables-legacy-restore", "-c", text=RULES)
    thread = ReaderThread(netns.name)
    with closing(thread), closing(thread.call(lambda: LegacyCounters(family))) as reader:
        yield Node(netns, family, reader, thread)


def test_every_counter_is_the_printed_one_after_real_traffic(node: Node) -> None:
    node.learn_anew()
    for _ in range(3):
        node.ping()
        found = node.read()
        assert found.full and found.changed == frozenset() and found.chains
        printed = values(node.save())
        assert told(node.told) == printed
        assert set(found.took_s) == {TableKey(*key[:3]) for key in printed}
    hits = [counter for rules, _policy in printed.values() for counter in rules if counter and any(counter)]
    assert len(hits) > 3, "traffic went through the rules"


def test_a_quiet_table_tells_nothing_and_a_full_reading_everything(node: Node) -> None:
    node.learn_anew()
    node.read()
    assert node.read().chains == {}
    assert told(node.read(Wanted(full=True)).chains) == values(node.save())


def test_what_counted_while_the_rules_were_printed_is_told_too(node: Node) -> None:
    node.read()
    node.printed = node.save()
    node.ping()
    assert node.thread.call(lambda: node.reader.learn(node.printed))
    node.read()
    assert told(node.told) == values(node.save())


@pytest.mark.parametrize(
    "change",
    [
        ("-R", "unused", "1", "-p", "tcp", "-m", "multiport", "--dports", "1,2:4", "-j", "REJECT"),
        ("-R", "cali-INPUT", "2", "-j", "ACCEPT"),
        ("-P", "FORWARD", "DROP"),
        ("-N", "more"),
        ("-X", "empty2"),
        ("-F", "cali-INPUT"),
        ("-E", "unused", "unussd"),
        ("-t", "nat", "-I", "OUTPUT", "-j", "ACCEPT"),
        ("-t", "mangle", "-N", "in-a-new-table"),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_every_change_is_seen_and_read_right_afterwards(node: Node, change: tuple[str, ...]) -> None:
    node.change("-N", "empty2")
    node.learn_anew()
    node.change(*change)
    node.learn_anew()
    node.ping()
    node.told.clear()
    node.read(Wanted(full=True))
    assert told(node.told) == values(node.save())


def test_rules_that_change_while_they_are_printed_are_not_learnt(node: Node) -> None:
    node.read()
    node.printed = node.save()
    node.change("-R", "unused", "1", "-p", "tcp", "-m", "multiport", "--dports", "1,2:4", "-j", "REJECT")
    assert not node.thread.call(lambda: node.reader.learn(node.printed))
    assert node.learn(), "printed again, they are"


def test_rules_of_a_table_that_was_not_there_before_they_were_printed_are_not_learnt(node: Node) -> None:
    node.change("-t", "security", "-N", "new")
    assert not node.learn()
    assert node.learn()


def test_a_text_of_other_rules_is_not_learnt(node: Node) -> None:
    node.read()
    printed = {key: chain for key, chain in node.save().items() if key.chain != "unused"}
    assert not node.thread.call(lambda: node.reader.learn(printed))


def test_the_table_on_screen_is_read_each_time_and_the_others_are_watched(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy_counters, "HIDDEN_SHARE", 0.0)
    shown = TableKey(node.family, "legacy", "filter")
    node.learn_anew()
    node.ping()
    found = node.read(Wanted(frozenset({shown})))
    assert set(found.took_s) == {shown} and not found.full
    assert {key.table for key in found.chains} == {"filter"}
    node.change("-t", "nat", "-A", "OUTPUT", "-j", "ACCEPT")
    assert node.read(Wanted(frozenset({shown}))).changed is None
    assert node.learn()
    assert node.read(Wanted(frozenset({shown}), full=True)).full


def test_tables_rewritten_without_end_are_never_mistaken(node: Node) -> None:
    """Each rule carries its number as comment and as counter; others come and go before them."""
    numbered = "".join(f'[{n}:{n}] -A steady -m comment --comment "{n}"\n' for n in range(1, 200))
    restore = f"{node.command}-restore"
    node.space.run(restore, "-c", "--noflush", text=f"*filter\n:steady - [0:0]\n{numbered}COMMIT\n")
    coming = f"{node.command} -w 5 -I steady -m comment --comment 0; {node.command} -w 5 -D steady 1"
    rewriting = f"for pause in $(seq 40); do {coming}; {coming}; {coming}; sleep 0.05; done"
    agreed = 0
    with node.space.process("sh", "-c", rewriting) as writer:
        while writer.poll() is None:
            if node.read().changed is None:
                node.learn()
            again = node.read(Wanted(full=True))
            if again.changed == frozenset():
                agreed += 1
                _numbers_agree(node.printed, again.chains)
    assert agreed, "some readings fell between two changes"
    node.read()
    assert node.learn()
    _numbers_agree(node.printed, node.read(Wanted(full=True)).chains)


def _numbers_agree(printed: Mapping[ChainKey, Chain], chains: Mapping[ChainKey, ChainReading]) -> None:
    key = next(key for key in printed if key.chain == "steady")
    for rule, counter in zip(printed[key].rules, chains[key].rules, strict=True):
        assert counter is not None and str(counter.packets) == rule.text.split()[-1].strip('"')


@pytest.mark.parametrize("family", FAMILIES)
def test_looking_at_a_namespace_without_tables_makes_none(netns: Namespace, family: Family) -> None:
    thread = ReaderThread(netns.name)
    with closing(thread), closing(thread.call(lambda: LegacyCounters(family))) as reader:
        for _ in range(2):
            found = thread.call(lambda: reader.read(Wanted(full=True)))
            assert (found.chains, found.full, found.changed) == ({}, True, frozenset())
        assert thread.call(lambda: reader.learn({}))
    assert netns.run("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names") == ""


@pytest.mark.skipif(importlib.util.find_spec("iptc") is None, reason="needs python-iptables")
def test_python_iptables_sees_the_same_counters(node: Node) -> None:
    node.learn_anew()
    node.ping()
    node.read()
    names = {str(key.table) for key in node.told}
    program = [sys.executable, "-I", "-B", legacy_program.__file__]
    text = node.space.run(*program, node.family, *sorted(names))
    assert told(node.told) == values(chains_of(text, node.family))


@dataclass
class Live:
    """A whole source over a namespace, and the programs that it starts."""

    space: Namespace
    source: KernelSource
    ran: list[Capture]

    def settled(self) -> Sample:
        """The next full sample, structures taken as they come."""
        for _ in range(20):
            sample = self.source.counters(Wanted(full=True))
            if sample is not None:
                return sample
            self.source.structure()
        raise AssertionError("the rules never settle")


@pytest.fixture
def live(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    ran: list[Capture] = []
    run = LocalRunner.run

    def noted(runner: LocalRunner, captures: Sequence[Capture]) -> list[Captured]:
        ran.extend(captures)
        return run(runner, captures)

    monkeypatch.setattr(LocalRunner, "run", noted)
    netns.load(RULES, "legacy")
    netns.load(RULES, "legacy", "ip6")
    with closing(KernelSource(netns.name)) as source:
        yield Live(netns, source, ran)


def everything_printed(space: Namespace) -> Values:
    return {
        **values(chains_of(space.run("iptables-legacy-save", "-c"), "ipv4")),
        **values(chains_of(space.run("ip6tables-legacy-save", "-c"), "ipv6")),
    }


def test_a_live_node_is_read_without_starting_the_save_program(live: Live) -> None:
    live.source.structure()
    live.settled()
    live.ran.clear()
    live.space.run("ping", "-c", "1", "127.0.0.1")
    live.space.run("ping", "-c", "1", "::1")
    assert told(live.settled().chains) == everything_printed(live.space)
    assert not [capture for capture in live.ran if capture.backend]


def test_a_live_node_shows_changed_rules_with_their_counters(live: Live) -> None:
    live.source.structure()
    live.settled()
    live.space.run("iptables-legacy", "-I", "INPUT", "-i", "lo", "-p", "icmp", "-j", "ACCEPT")
    live.space.run("ping", "-c", "1", "127.0.0.1")
    sample = live.settled()
    printed = everything_printed(live.space)
    key = ChainKey("ipv4", "legacy", "filter", "INPUT")
    assert told(sample.chains)[key] == printed[key]
    first = live.source.structure().state.chains()[key].rules[0]
    assert first.text.startswith("-A INPUT -i lo")


def test_without_the_save_program_python_iptables_prints_and_the_kernel_counts(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("iptc")
    monkeypatch.setattr(Programs, "find", lambda self, wanted: None if wanted.backend else ("ip",))
    live.source.structure()
    live.space.run("ping", "-c", "1", "127.0.0.1")
    assert told(live.settled().chains) == everything_printed(live.space)

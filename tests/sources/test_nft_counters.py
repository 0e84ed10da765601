"""Following the hits in a made-up kernel: what was read is always what the kernel holds."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from calitop.counters.sample import ChainReading
from calitop.model.rules import Chain, ChainKey, Counter, Rule, TableKey
from calitop.sources.nfnetlink import Dump, Message, NfEvents, Nfnetlink, attribute, messages, question
from calitop.sources.nft_changes import Scope
from calitop.sources.nft_counters import NftCounters
from calitop.sources.source import Wanted

TABLE = TableKey("ipv4", "nft", "filter")
SCOPE = Scope("nft", frozenset({"ipv4"}))
NOTHING_SPECIAL = Wanted()
NAMES = ("INPUT", "a", "b", "c", "d")
"""The first is a base chain; a chain leads to later ones only."""


def nested(kind: int, content: bytes) -> bytes:
    """Attributes inside one."""
    return struct.pack("=HH", 4 + len(content), kind) + content


def rule_message(handle: int, counter: Counter | None) -> bytes:
    """A rule as nf_tables lists it: handle, then expressions."""
    number = nested(3, handle.to_bytes(8, "big"))
    expressions = nested(1, attribute(1, "other") + nested(2, b""))
    if counter is not None:
        octets, packets = (
            nested(at, value.to_bytes(8, "big")) for at, value in ((1, counter.bytes), (2, counter.packets))
        )
        expressions += nested(1, attribute(1, "counter") + nested(2, octets + packets))
    return question(6, 2, attribute(1, "filter") + attribute(2, "x") + number + nested(4, expressions))


def touched(chain: str, generation: int) -> bytes:
    """The events of a transaction that deletes a rule."""
    rule = question(8, 2, attribute(1, "filter") + attribute(2, chain))
    return rule + question(15, 0, nested(1, generation.to_bytes(4, "big")))


@dataclass
class Kernel(NfEvents, Nfnetlink):
    """Chains with counters, asked like nf_tables and telling no events by itself."""

    chains: dict[str, list[tuple[int, str | None, Counter | None]]] = field(default_factory=dict)
    """Of each rule: handle, chain that it leads to, counter."""
    version: int = 1
    interrupted: int = 0
    asked: list[str] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)

    def generation(self) -> int:
        return self.version

    def take(self, *, wait: bool = False) -> list[Message] | None:
        if not wait:
            return []
        told, self.events = self.events, []
        return [message for data in told for message in messages(memoryview(data))]

    def ask(self, questions: Sequence[bytes]) -> list[bytes | None]:
        return [None] * len(questions)

    def dump(self, asked: bytes) -> Dump:
        name = asked.rstrip(b"\0").rsplit(b"\2\0", 1)[1].decode()
        self.asked.append(name)
        if self.interrupted:
            self.interrupted -= 1
            return Dump(memoryview(b""), False)
        rules = self.chains.get(name, [])
        return Dump(
            memoryview(b"".join(rule_message(handle, counter) for handle, _to, counter in rules)), True
        )

    def hit(self, start: str, choices: Sequence[int]) -> None:
        """A packet enters a chain; each choice is the rule that it matches next."""
        name: str | None = start
        for choice in choices:
            rules = self.chains[name or ""]
            if not rules:
                return
            handle, name, counter = rules[choice % len(rules)]
            if counter is not None:
                counter = Counter(counter.packets + 1, counter.bytes + 84)
            rules[choice % len(rules)] = handle, name, counter
            if name is None:
                return

    def printed(self) -> dict[ChainKey, Chain]:
        """The chains as a save program prints them."""
        return {
            TABLE.chain(name): Chain(name, tuple(map(printed_rule, rules)), builtin=name == "INPUT")
            for name, rules in self.chains.items()
        }


def printed_rule(rule: tuple[int, str | None, Counter | None]) -> Rule:
    _handle, to, counter = rule
    target = to or "ACCEPT"
    packets, octets = counter or (None, None)
    return Rule("-A x", 1, packets, octets, target, "jump", (target,))


def reader_of(kernel: Kernel) -> NftCounters:
    reader = NftCounters(SCOPE, kernel, kernel)
    assert reader.learn(kernel.printed())
    return reader


def a_kernel(**chains: list[tuple[str | None, bool]]) -> Kernel:
    """Chains by name; of each rule where it leads and whether it counts."""
    handles = iter(range(1, 1000))
    return Kernel(
        {
            name: [(next(handles), to, Counter(0, 0) if counts else None) for to, counts in rules]
            for name, rules in chains.items()
        }
    )


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    """Chains that lead to later ones, some by rules that do not count."""
    chains = {}
    for at, name in enumerate(NAMES):
        to = st.sampled_from([None, *NAMES[at + 1 :]])
        chains[name] = draw(st.lists(st.tuples(to, st.booleans()), min_size=at == 0, max_size=4))
    return a_kernel(**chains)


@given(
    kernels(), st.lists(st.lists(st.lists(st.integers(0, 3), max_size=5), max_size=4), min_size=1, max_size=5)
)
def test_what_was_read_is_what_the_kernel_holds(kernel: Kernel, polls: list[list[list[int]]]) -> None:
    reader = reader_of(kernel)
    now = {key: tuple(rule.counter for rule in chain.rules) for key, chain in kernel.printed().items()}
    for packets in polls:
        for choices in packets:
            kernel.hit("INPUT", choices)
        said = reader.read(NOTHING_SPECIAL)
        now |= {key: tuple(reading.rules) for key, reading in said.chains.items()}
        assert now == {
            key: tuple(rule.counter for rule in chain.rules) for key, chain in kernel.printed().items()
        }


def test_only_chains_behind_moved_rules_are_read() -> None:
    kernel = a_kernel(INPUT=[("a", True), ("b", True)], a=[("c", True)], b=[(None, True)], c=[(None, True)])
    reader = reader_of(kernel)
    for hits, expected in (
        ([], {"INPUT"}),
        ([0, 0, 0], {"INPUT", "a", "c"}),
        ([], {"INPUT", "a", "c"}),
        ([], {"INPUT"}),
    ):
        kernel.hit("INPUT", hits)
        kernel.asked.clear()
        reader.read(NOTHING_SPECIAL)
        assert set(kernel.asked) == expected


def test_a_chain_behind_a_rule_without_counter_is_always_read() -> None:
    kernel = a_kernel(INPUT=[("a", False)], a=[(None, True)])
    reader = reader_of(kernel)
    kernel.asked.clear()
    assert set(reader.read(NOTHING_SPECIAL).chains) == {TABLE.chain("INPUT"), TABLE.chain("a")}


def test_a_full_reading_reads_everything() -> None:
    reader = reader_of(a_kernel(INPUT=[(None, True)], a=[(None, True)]))
    said = reader.read(Wanted(full=True))
    assert said.full and set(said.chains) == {TABLE.chain("INPUT"), TABLE.chain("a")}


def test_counters_that_moved_while_the_rules_were_printed_are_told() -> None:
    kernel = a_kernel(INPUT=[(None, True)], a=[(None, True)])
    printed = kernel.printed()
    kernel.hit("a", [0])
    reader = NftCounters(SCOPE, kernel, kernel)
    assert reader.learn(printed)
    found: ChainReading = reader.read(NOTHING_SPECIAL).chains[TABLE.chain("a")]
    assert found.rules == (Counter(1, 84),)


def test_what_counted_before_its_caller_was_printed_anew_is_told() -> None:
    """The caller's counters are known from the moment it was printed, its callee's from before."""
    kernel = a_kernel(INPUT=[("a", True)], a=[(None, True)])
    reader = reader_of(kernel)
    kernel.chains["INPUT"].append((99, None, Counter(0, 0)))
    assert reader.read(NOTHING_SPECIAL).changed == frozenset({TABLE.chain("INPUT")})
    kernel.hit("INPUT", [0, 0])
    assert reader.learn({TABLE.chain("INPUT"): kernel.printed()[TABLE.chain("INPUT")]})
    found = reader.read(NOTHING_SPECIAL).chains[TABLE.chain("a")]
    assert found.rules == (Counter(1, 84),)


def test_a_chain_that_was_printed_wrongly_is_printed_again_and_at_last_refused() -> None:
    kernel = a_kernel(INPUT=[(None, True)])
    printed = kernel.printed()
    kernel.chains["INPUT"].append((99, None, Counter(0, 0)))
    reader = NftCounters(SCOPE, kernel, kernel)
    for _print in range(2):
        assert reader.learn(printed)
        assert reader.read(NOTHING_SPECIAL).changed == frozenset(printed)
    assert not reader.learn(printed)
    assert reader.learn(kernel.printed())


def test_a_listing_of_another_length_is_reported_and_nothing_of_it_is_told() -> None:
    kernel = a_kernel(INPUT=[("a", True)], a=[(None, True)])
    reader = reader_of(kernel)
    kernel.hit("INPUT", [0, 0])
    kernel.chains["a"].append((99, None, Counter(0, 0)))
    said = reader.read(NOTHING_SPECIAL)
    assert said.changed == frozenset({TABLE.chain("a")}) and not said.chains
    assert reader.read(NOTHING_SPECIAL).changed == frozenset({TABLE.chain("a")}), "until it was printed"
    assert reader.learn({key: chain for key, chain in kernel.printed().items() if key.chain == "a"})
    assert reader.read(NOTHING_SPECIAL).chains[TABLE.chain("INPUT")].rules == (Counter(1, 84),)


def test_an_interrupted_chain_is_read_the_next_time() -> None:
    kernel = a_kernel(INPUT=[(None, True)])
    reader = reader_of(kernel)
    kernel.hit("INPUT", [0])
    kernel.interrupted = 4
    assert not reader.read(Wanted(full=True)).full
    assert reader.read(NOTHING_SPECIAL).chains[TABLE.chain("INPUT")].rules == (Counter(1, 84),)


def test_a_chain_that_is_not_printed_again_is_forgotten() -> None:
    kernel = a_kernel(INPUT=[(None, True)], a=[(None, True)])
    reader = reader_of(kernel)
    kernel.chains["a"].append((99, None, Counter(0, 0)))
    assert reader.read(Wanted(full=True)).changed == frozenset({TABLE.chain("a")})
    del kernel.chains["a"]
    assert reader.learn({})
    assert set(reader.read(Wanted(full=True)).chains) == {TABLE.chain("INPUT")}


def test_a_chain_that_is_touched_while_it_is_learnt_gets_no_handles() -> None:
    """One rule came and another went: as many as printed, and yet others."""
    kernel = a_kernel(INPUT=[("a", True)], a=[(None, True)])
    reader = NftCounters(SCOPE, kernel, kernel)
    kernel.version, kernel.events = 2, [touched("a", 2)]
    assert reader.learn(kernel.printed())
    assert reader.with_handles(TABLE.chain("a")) is None
    assert reader.with_handles(TABLE.chain("INPUT")) is not None
    assert reader.read(NOTHING_SPECIAL).changed == frozenset({TABLE.chain("a")})
    assert reader.learn({TABLE.chain("a"): kernel.printed()[TABLE.chain("a")]})
    found = reader.with_handles(TABLE.chain("a"))
    assert found is not None and [rule.handle for rule in found.rules] == [2]

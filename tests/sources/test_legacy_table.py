"""Legacy blobs: what was written is read back, what counted is told, any other difference is a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.counters.sample import ChainReading
from calitop.model.rules import BUILTIN_CHAINS, Chain, ChainKey, Rule, TableKey
from calitop.sources.legacy_blob import IPV4, IPV6, Layout, Shape, StrangeBlob, index
from calitop.sources.legacy_table import LegacyTable
from tests.sources.legacy_blobs import MadeChain, MadeRule, written

KEY = TableKey("ipv4", "legacy", "filter")
NUMBERS = st.integers(0, 2**64 - 1)
RULES = st.builds(MadeRule, st.binary(max_size=400), NUMBERS, NUMBERS)
LAYOUTS = st.sampled_from([IPV4, IPV6])


@st.composite
def tables(draw: st.DrawFn) -> list[MadeChain]:
    """Built-in chains in the order of the hooks, then user chains."""
    hooks = draw(st.lists(st.sampled_from(BUILTIN_CHAINS), unique=True, min_size=1))
    names = st.from_regex(r"[A-Zé][a-zé0-9_.-]{0,13}", fullmatch=True)
    users = draw(st.lists(names, unique=True, max_size=5))
    builtin = [
        MadeChain(
            name,
            tuple(draw(st.lists(RULES, max_size=60))),
            draw(st.sampled_from(["ACCEPT", "DROP"])),
            (draw(NUMBERS), draw(NUMBERS)),
        )
        for name in sorted(hooks, key=BUILTIN_CHAINS.index)
    ]
    own = [MadeChain(name, tuple(draw(st.lists(RULES, max_size=60)))) for name in users if name not in hooks]
    return builtin + own


def table_of(chains: list[MadeChain], layout: Layout) -> LegacyTable:
    shape, blob = written(chains, layout)
    return LegacyTable(KEY, blob, shape, layout)


def printed(chains: list[MadeChain]) -> dict[str, Chain]:
    return {
        chain.name: Chain(
            chain.name, tuple(Rule("", n + 1) for n in range(len(chain.rules))), policy=chain.policy
        )
        for chain in chains
    }


def counters(chain: MadeChain) -> tuple[tuple[tuple[int, int], ...], tuple[int, int] | None]:
    """Rules' and policy's counters."""
    return tuple((rule.packets, rule.octets) for rule in chain.rules), chain.counter if chain.policy else None


def told(readings: Mapping[ChainKey, ChainReading] | None) -> dict[str, object]:
    """What readings say of each chain; None stands for changed rules."""
    assert readings is not None
    return {key.chain: (tuple(got.rules), got.policy) for key, got in readings.items()}


@given(tables(), LAYOUTS)
def test_what_was_written_is_read_back(chains: list[MadeChain], layout: Layout) -> None:
    table = table_of(chains, layout)
    readings = table.readings(7.0)
    assert told(readings) == {chain.name: counters(chain) for chain in chains}
    assert {got.at for got in readings.values()} == {7.0}
    assert table.holds(printed(chains))


@given(tables(), LAYOUTS, st.data())
def test_only_chains_that_counted_are_told(
    chains: list[MadeChain], layout: Layout, data: st.DataObject
) -> None:
    table = table_of(chains, layout)
    after = [_counted(chain, data) for chain in chains]
    _shape, blob = written(after, layout)
    update = table.update(memoryview(bytearray(blob)), 8.0)
    moved = {
        new.name: counters(new)
        for old, new in zip(chains, after, strict=True)
        if counters(old) != counters(new)
    }
    assert told(update) == moved
    assert told(table.update(memoryview(bytearray(blob)), 9.0)) == moved, "once more, to show that they rest"
    assert table.update(memoryview(bytearray(blob)), 10.0) == {}


def _counted(chain: MadeChain, data: st.DataObject) -> MadeChain:
    """The chain after some of its rules have counted."""
    more = st.sampled_from([0, 0, 0, 1, 2**63])
    rules = []
    for rule in chain.rules:
        packets = data.draw(more)
        rules.append(
            replace(
                rule, packets=(rule.packets + packets) % 2**64, octets=(rule.octets + 9 * packets) % 2**64
            )
        )
    return replace(chain, rules=tuple(rules))


@given(tables(), LAYOUTS, st.data())
def test_any_byte_that_is_no_counter_is_a_change(
    chains: list[MadeChain], layout: Layout, data: st.DataObject
) -> None:
    shape, blob = written(chains, layout)
    counted = {at + n for at in index(blob, shape, layout).counters for n in range(16)}
    place = data.draw(st.integers(0, len(blob) - 1).filter(lambda at: at not in counted))
    other = bytearray(blob)
    other[place] ^= data.draw(st.integers(1, 255))
    assert LegacyTable(KEY, blob, shape, layout).update(memoryview(other), 1.0) is None


@given(tables(), LAYOUTS, st.binary(min_size=1, max_size=64), st.data())
def test_a_blob_that_is_damaged_is_told_or_read_but_never_fails_otherwise(
    chains: list[MadeChain], layout: Layout, junk: bytes, data: st.DataObject
) -> None:
    shape, blob = written(chains, layout)
    place = data.draw(st.integers(0, len(blob) - 1))
    damaged = (blob[:place] + junk + blob[place + len(junk) :])[: data.draw(st.integers(0, len(blob)))]
    try:
        found = index(damaged, shape, layout)
    except StrangeBlob:
        return
    assert len(found.counters) == shape.entries


@pytest.mark.parametrize(
    "other",
    [
        [MadeChain("INPUT", (MadeRule(),), "DROP"), MadeChain("mine", (MadeRule(),))],
        [MadeChain("INPUT", (MadeRule(), MadeRule()), "ACCEPT"), MadeChain("mine", (MadeRule(),))],
        [MadeChain("INPUT", (MadeRule(),), "ACCEPT"), MadeChain("mine", ())],
        [MadeChain("INPUT", (MadeRule(),), "ACCEPT"), MadeChain("yours", (MadeRule(),))],
        [MadeChain("INPUT", (MadeRule(),), "ACCEPT")],
    ],
    ids=["policy", "one rule more", "one rule less", "another name", "a chain less"],
)
def test_a_text_that_tells_of_other_chains_does_not_fit(other: list[MadeChain]) -> None:
    here = [MadeChain("INPUT", (MadeRule(),), "ACCEPT"), MadeChain("mine", (MadeRule(),))]
    assert table_of(here, IPV4).holds(printed(here))
    assert not table_of(here, IPV4).holds(printed(other))


@pytest.mark.parametrize(
    "change",
    [
        {"entries": 99},
        {"valid_hooks": 0b00110, "hook_entry": (0, 0, 8, 0, 0)},
        {"valid_hooks": 0},
        {"underflow": (0, 8, 0, 0, 0)},
    ],
    ids=["entries", "a hook too many", "no hook", "policy inside a rule"],
)
def test_a_shape_of_another_table_is_refused(change: dict[str, int | tuple[int, ...]]) -> None:
    shape, blob = written([MadeChain("INPUT", (MadeRule(b"x" * 8),), "ACCEPT"), MadeChain("mine")], IPV4)
    index(blob, shape, IPV4)
    with pytest.raises(StrangeBlob):
        index(blob, Shape(**{**shape._asdict(), **change}), IPV4)

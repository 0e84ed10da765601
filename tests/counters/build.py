"""Chains, states and samples in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calitop.counters.sample import Sample, sample_of
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey, Counter, Rule, Ruleset, Table
from calitop.sources.source import Structure

KEY = ChainKey("ipv4", "nft", "filter", "X")


def key(chain: str) -> ChainKey:
    """The key of a chain of the table all tests use."""
    return KEY._replace(chain=chain)


def rule(text: str, packets: int | None, number: int, handle: int | None = None) -> Rule:
    """A rule whose bytes are ten times its packets."""
    size = None if packets is None else packets * 10
    return Rule(text, number, packets, size, handle=handle)


def chain(name: str, *rules: tuple[str, int | None], policy: int | None = None) -> Chain:
    """A chain of (text, packets); with `policy` a built-in one whose policy counted that much."""
    made = tuple(rule(text, packets, number) for number, (text, packets) in enumerate(rules, 1))
    if policy is None:
        return Chain(name, made)
    return Chain(name, made, True, "FORWARD", 0, None, None, "DROP", policy, policy * 10)


def state(*chains: Chain, table: str = "filter") -> NodeState:
    """A node with those chains in one table."""
    return NodeState(
        rulesets=(Ruleset("ipv4", "nft", (Table(table, {chain.name: chain for chain in chains}),)),)
    )


def structure(generation: int, at: float, *chains: Chain) -> Structure:
    """A version of a node's rules."""
    return Structure(generation, state(*chains), at)


def sample(generation: int, at: float, *chains: Chain) -> Sample:
    """A reading of those chains."""
    return sample_of(state(*chains), generation, at)


def counters(values: Sequence[int | None]) -> tuple[Counter | None, ...]:
    """Counters of that many packets."""
    return tuple(None if value is None else Counter(value, value * 10) for value in values)


def packets(deltas: Mapping[int, int | None]) -> dict[int, int | None]:
    """Only what is known."""
    return {place: value for place, value in deltas.items() if value is not None}

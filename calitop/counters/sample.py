"""One reading of the counters, whole or in part.

A sample says for each chain it read when it did so; a chain that it did not read
keeps its last value and grows older. Nothing here may assume that all was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from calitop.model.network import LinkCounters
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey, Counter, TableKey


@dataclass(frozen=True, slots=True, eq=False)
class ChainReading:
    """Counters of one chain in rule order, valid for the sample's generation."""

    rules: Sequence[Counter | None]
    """One per rule; None for a rule that counts nothing (nft without counter)."""
    policy: Counter | None
    at: float
    """Monotonic clock, seconds, when the kernel was asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One reading of a node's counters."""

    generation: int
    """Generation of the structure that the positions refer to."""
    at: float
    """Monotonic clock, seconds, at the end of the reading."""
    chains: Mapping[ChainKey, ChainReading] = field(default_factory=dict)
    """The chains read this time, only those."""
    took_s: Mapping[TableKey, float] = field(default_factory=dict)
    """Time spent per table."""
    full: bool = True
    """Every chain of every table was read."""
    settled: Mapping[TableKey, float] = field(default_factory=dict)
    """Tables of which no other chain has counted, and until when that is known (monotonic clock, seconds)."""
    links: Mapping[str, LinkCounters] = field(default_factory=dict)
    """Empty when they were not read this time, as `stats`."""
    stats: Mapping[str, int] = field(default_factory=dict)


def sample_of(state: NodeState, generation: int, at: float) -> Sample:
    """The counters that a state itself holds, as a full sample.

    Args:
        state: A node just read, or a snapshot.
        generation: Number of its structure.
        at: Monotonic clock, seconds, when it was read.

    Returns:
        A full sample; rules without counters read as None.
    """
    chains = {
        key: ChainReading(tuple(rule.counter for rule in chain.rules), chain.counter, at)
        for key, chain in state.chains().items()
        if chain.present
    }
    links = {link.name: link.counters for link in state.links}
    return Sample(generation, at, chains, links=links, stats=state.stats)

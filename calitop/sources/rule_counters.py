"""What reads the counters of rules again and again without running the program that printed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from calitop.counters.sample import ChainReading
from calitop.model.rules import Chain, ChainKey, TableKey
from calitop.sources.source import Wanted


@dataclass(frozen=True, slots=True, eq=False)
class CountersRead:
    """One reading of one save program's tables."""

    chains: Mapping[ChainKey, ChainReading]
    """The chains read this time; the others cannot have counted, or were not asked for."""
    full: bool
    """Every chain was read."""
    changed: frozenset[ChainKey] | None = frozenset()
    """Chains whose rules are not those learnt; None: tables or more than can be named.
    When not empty, `chains` may be partial."""
    took_s: Mapping[TableKey, float] = field(default_factory=dict)
    """The tables read, with the seconds this took; of these no chain but those in `chains` has counted."""


class RuleCounters(Protocol):
    """Reads the counters of the tables that one save program prints; used by one thread."""

    def learn(self, chains: Mapping[ChainKey, Chain]) -> bool:
        """Take the rules that the program printed.

        Returns:
            False when the kernel holds other rules by now: print them again.
        """
        ...

    def read(self, wanted: Wanted) -> CountersRead:
        """The counters of every chain that can have counted since the last reading."""
        ...

    def close(self) -> None:
        """Give back sockets; may be called twice."""
        ...

"""Rules and policies in the order in which a packet meets them (interface.md, `hits`).

Hook by hook, within a hook by priority, within a table depth first: behind a rule stands the
chain that it leads to, where that chain is reached for the first time; the policy comes last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from calitop.cni.index import NodeIndex
from calitop.counters.counts import Place
from calitop.model.rules import ChainKey
from calitop.outline.order import base_chains

Positions = dict[ChainKey, list["int | None"]]
"""Wanted places by chain; None is the policy."""


def meeting_order(index: NodeIndex, places: Iterable[Place]) -> list[Place]:
    """The given places in the order of reports.

    Chains that no hook leads to come last, in the order of the sources.
    """
    wanted: Positions = defaultdict(list)
    for key, position in places:
        wanted[key].append(position)
    walk = _Walk(index, wanted)
    for base in [*base_chains(index.state), *index.chains, *wanted]:
        walk.enter(base)
    return walk.found


class _Walk:
    """One pass over the chains, each entered once.

    Attributes:
        found: The wanted places met so far.
    """

    def __init__(self, index: NodeIndex, wanted: Positions) -> None:
        self._index, self._wanted = index, wanted
        self._entered: set[ChainKey] = set()
        self.found: list[Place] = []

    def enter(self, base: ChainKey) -> None:
        """Walk a chain and all below it; without recursion, chains may nest very deeply."""
        pending = [self._chain(base)]
        while pending:
            target = next(pending[-1], None)
            if target is None:
                pending.pop()
            else:
                pending.append(self._chain(target))

    def _chain(self, key: ChainKey) -> Iterator[ChainKey]:
        """Notes the chain's wanted places; yields each chain at the place where it is called."""
        if key in self._entered:
            return
        self._entered.add(key)
        wanted = self._wanted.get(key, [])
        rules = {position for position in wanted if position is not None}
        targets = self._index.rules.targets(key)
        for position in sorted({*rules, *targets}):
            if position in rules:
                self.found.append((key, position))
            yield from targets.get(position, ())
        if None in wanted:
            self.found.append((key, None))

"""The account of a node's counters from a baseline on, over samples and changed rules."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import replace

from calitop.counters.advance import Step, advance
from calitop.counters.carry import carry, first_counts, gone, new_counts, same_rules, unknown_counts
from calitop.counters.counts import HOTTEST, ChainCounts, Counts, Place, Reset, Why
from calitop.counters.links import NetworkLedger
from calitop.counters.sample import ChainReading, Sample
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey, TableKey
from calitop.sources.source import Structure


class Ledger:
    """What every rule has counted since the baseline; used by one thread, its Counts by any.

    The first baseline is what the structure itself holds. Where it holds no counter, a rule
    counts from its first reading on.

    Attributes:
        counts: The newest picture.
    """

    def __init__(self, structure: Structure) -> None:
        state = structure.state
        self._generation = structure.generation
        self._chains = _present_chains(state)
        self._rewritten: set[ChainKey] = set()
        self._resets: dict[Reset, None] = {}
        self._recent: deque[set[Place]] = deque(maxlen=HOTTEST)
        links = {link.name: link.counters for link in state.links}
        self._network = NetworkLedger(links, state.stats, structure.at)
        self.counts = Counts(
            chains={key: first_counts(chain) for key, chain in self._chains.items()},
            read_at=dict.fromkeys(self._chains, structure.at),
            at=structure.at,
            links_now=self._network.now,
            links=self._network.links(),
            stats=self._network.stats(),
        )

    def add(self, sample: Sample) -> Counts:
        """The counts after a reading.

        Chains that the sample does not hold keep value and age; chains of another generation
        than the last structure's are not looked at: their positions mean nothing here.
        """
        fitting = sample.chains if sample.generation == self._generation else {}
        steps = self._steps(fitting)
        self._note_falls(steps)
        self._rewritten.difference_update(steps)
        changed = self._changed(steps)
        chains = {**self.counts.chains, **{key: step.chain for key, step in steps.items()}, **_zeroed(steps)}
        read_at = {**self.counts.read_at, **{key: fitting[key].at for key in steps}}
        self._network.add(sample.links, sample.stats, sample.at)
        return self._publish(chains, read_at, changed, at=sample.at, poll=self.counts.poll + 1)

    def restructure(self, structure: Structure) -> None:
        """Go on with changed rules; what rules that live on have counted goes with them."""
        chains = _present_chains(structure.state)
        carrying = _Carrying(self._chains, self.counts, structure.state)
        counts = {key: carrying.counts(key, chain) for key, chain in chains.items()}
        carrying.note_gone(chains)
        self._resets.update(dict.fromkeys(carrying.resets))
        self._rewritten |= carrying.rewritten
        self._generation, self._chains = structure.generation, chains
        self._recent.clear()
        read_at = {key: self.counts.read_at.get(key, structure.at) for key in chains}
        self._publish(counts, read_at, _every_place(counts), at=structure.at, poll=self.counts.poll)

    def rebase(self) -> Counts:
        """Count from the newest values on."""
        self._resets.clear()
        self._network.rebase()
        chains = {
            key: replace(chain, base=chain.values, carried={}, loose=frozenset(), unknown=frozenset())
            for key, chain in self.counts.chains.items()
        }
        return self._publish(
            chains, self.counts.read_at, _every_place(chains), at=self.counts.at, poll=self.counts.poll
        )

    def _publish(
        self,
        chains: Mapping[ChainKey, ChainCounts],
        read_at: Mapping[ChainKey, float],
        changed: frozenset[Place],
        *,
        at: float,
        poll: int,
    ) -> Counts:
        self.counts = Counts(
            chains=chains,
            read_at=read_at,
            at=at,
            poll=poll,
            serial=self.counts.serial + bool(changed),
            resets=tuple(self._resets),
            changed=changed,
            stats=self._network.stats(),
            links=self._network.links(),
            links_now=self._network.now,
            link_rates=self._network.rates,
        )
        return self.counts

    def _steps(self, readings: Mapping[ChainKey, ChainReading]) -> dict[ChainKey, Step]:
        """What the readings make of the chains; one with another number of rules fits none."""
        chains, read_at, poll = self.counts.chains, self.counts.read_at, self.counts.poll + 1
        steps = {}
        for key, reading in readings.items():
            chain = chains.get(key)
            values = (*reading.rules, reading.policy)
            if chain is not None and len(values) == len(chain.values):
                steps[key] = advance(chain, values, reading.at - read_at[key], poll)
        return steps

    def _note_falls(self, steps: Mapping[ChainKey, Step]) -> None:
        for key, step in steps.items():
            why: Why = "rewritten" if key in self._rewritten else "zeroed"
            for position in step.fell:
                self._resets[_reset(key, self._chains[key], position, why)] = None

    def _changed(self, steps: Mapping[ChainKey, Step]) -> frozenset[Place]:
        """What looks different now: new values and rates, and heat that fades."""
        here = {
            (key, position if position < len(step.chain.values) - 1 else None)
            for key, step in steps.items()
            for position in step.touched
        }
        changed = frozenset(here.union(*self._recent))
        self._recent.append(here)
        return changed


class _Carrying:
    """The old chains' counts on their way to a new structure, and the resets this causes."""

    def __init__(self, old: Mapping[ChainKey, Chain], counts: Counts, state: NodeState) -> None:
        self._old = old
        self._counts = counts
        self._known = {key[:2] for key in old}
        self._cut = {TableKey(*key[:3]) for key, chain in old.items() if chain.complete is not True}
        self._read = {(ruleset.family, ruleset.backend) for ruleset in state.rulesets}
        self.resets: list[Reset] = []
        self.rewritten: set[ChainKey] = set()

    def counts(self, key: ChainKey, chain: Chain) -> ChainCounts:
        """The counts with which the chain goes on."""
        old = self._old.get(key)
        if old is None:
            return self._counts_of_new(key, chain)
        counts = self._counts.chains[key]
        if same_rules(old, chain):
            return counts
        carried = carry(key, old, chain, counts)
        self.rewritten.add(key)
        self.resets += carried.resets
        return carried.counts

    def _counts_of_new(self, key: ChainKey, chain: Chain) -> ChainCounts:
        """All that a new chain counted; unknown where it may have been there unread."""
        if key[:2] not in self._known or TableKey(*key[:3]) in self._cut:
            return unknown_counts(chain)
        carried = new_counts(key, chain)
        self.resets += carried.resets
        return carried.counts

    def note_gone(self, chains: Mapping[ChainKey, Chain]) -> None:
        """The resets of the chains that are no more; of what was not read nothing is said."""
        for key, chain in self._old.items():
            if key not in chains and key[:2] in self._read:
                self.resets += gone(key, chain)


def _present_chains(state: NodeState) -> dict[ChainKey, Chain]:
    return {key: chain for key, chain in state.chains().items() if chain.present}


def _reset(key: ChainKey, chain: Chain, position: int, why: Why) -> Reset:
    if position >= len(chain.rules):
        return Reset(key, None, "", why)
    rule = chain.rules[position]
    return Reset(key, rule.number, rule.text, why)


def _every_place(chains: Mapping[ChainKey, ChainCounts]) -> frozenset[Place]:
    return frozenset(
        (key, place) for key, chain in chains.items() for place in (*range(len(chain.values) - 1), None)
    )


def _zeroed(steps: Mapping[ChainKey, Step]) -> dict[ChainKey, ChainCounts]:
    """The other chains of tables that were zeroed as a whole, their deltas lower bounds.

    A table counts as zeroed when counters fell in several of its chains and no other chain
    kept a value: a chain that had counted nothing may have lost as much as they did.
    """
    fallen: defaultdict[TableKey, int] = defaultdict(int)
    for key, step in steps.items():
        fallen[TableKey(*key[:3])] += bool(step.fell)
    suspects = {table for table, chains in fallen.items() if chains > 1}
    if not suspects:
        return {}
    for key, step in steps.items():
        if not step.fell and TableKey(*key[:3]) in suspects and _kept(step):
            suspects.discard(TableKey(*key[:3]))
    return {
        key: replace(step.chain, loose=range(len(step.chain.values)))
        for key, step in steps.items()
        if TableKey(*key[:3]) in suspects
    }


def _kept(step: Step) -> bool:
    """Whether the chain still holds what it had counted by the last reading."""
    return any(value is not None and value.packets > 0 for value in step.was)

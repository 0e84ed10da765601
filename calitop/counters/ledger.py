"""The account of a node's counters from a baseline on, over samples and changed rules."""

from __future__ import annotations

from collections import Counter as Tally
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from calitop.counters.advance import Step, advance
from calitop.counters.carry import (
    carry,
    first_counts,
    gone,
    new_counts,
    same_rules,
    unknown_counts,
    values_of,
)
from calitop.counters.counts import HOTTEST, ChainCounts, Counts, Place, Reset, Why
from calitop.counters.links import NetworkLedger
from calitop.counters.sample import ChainReading, Sample
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey, Counter, TableKey
from calitop.sources.source import Structure

MOST_RESETS = 5_000
"""Resets that are kept beside those of the newest change."""


class Ledger:
    """What every rule has counted since the baseline; used by one thread, its Counts by any.

    Args:
        structure: The node at the baseline, with the counters that it itself holds.
        late: What holds no counter there counts from its first reading on (live: the reading
            follows at once); else its count since the baseline stays unknown.

    Attributes:
        counts: The newest picture.
    """

    def __init__(self, structure: Structure, *, late: bool = True) -> None:
        state = structure.state
        self._generation = structure.generation
        self._chains = _present_chains(state)
        self._rewritten: set[ChainKey] = set()
        self._resets: dict[Reset, None] = {}
        self._left_out = 0
        self._warm: set[ChainKey] = set()
        """Chains that cannot be skipped when a reading brings nothing new: rates fall to zero."""
        self._counting: dict[ChainKey, None] = {}
        """See `Counts.counting`."""
        self._recent: deque[set[Place]] = deque(maxlen=HOTTEST)
        self._settled: dict[TableKey, float] = {}
        links = {link.name: link.counters for link in state.links}
        self._network = NetworkLedger(links, state.stats, structure.at, late)
        self.counts = Counts(
            chains={key: first_counts(chain, structure.at, late) for key, chain in self._chains.items()},
            readings={key: _unread(chain, None, structure) for key, chain in self._chains.items()},
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
        steps, misfits = self._steps(fitting)
        self._note_falls(steps)
        self._rewritten.difference_update(fitting)
        self._warm = {key for key, step in steps.items() if step.chain.rates} | (self._warm - fitting.keys())
        self._counting |= {key: None for key, step in steps.items() if step.touched}
        changed = self._changed(steps)
        chains = {**self.counts.chains, **{key: step.chain for key, step in steps.items()}}
        if any(step.fell for step in steps.values()):
            chains.update(_zeroed(chains, steps, fitting))
        readings = {**self.counts.readings, **fitting}
        readings.update({key: self.counts.readings[key] for key in misfits if key in self.counts.readings})
        self._network.add(sample.links, sample.stats, sample.at)
        self._settled |= sample.settled
        return self._publish(chains, readings, changed, at=sample.at, poll=self.counts.poll + 1)

    def restructure(self, structure: Structure) -> None:
        """Go on with changed rules; what rules that live on have counted goes with them."""
        chains = _present_chains(structure.state)
        carrying = _Carrying(self._chains, self.counts, structure)
        counts = {key: carrying.counts(key, chain) for key, chain in chains.items()}
        carrying.note_gone(chains)
        self._leave_out_oldest()
        self._resets.update(dict.fromkeys(carrying.resets))
        self._rewritten |= carrying.rewritten
        self._generation, self._chains = structure.generation, chains
        self._recent.clear()
        kept = {key for key, chain in counts.items() if chain is self.counts.chains.get(key)}
        self._counting = {key: None for key in counts if key in self._counting or key not in kept}
        unseen = self._warm & counts.keys()
        self._warm = unseen | {key for key, chain in counts.items() if chain.rates or key not in kept}
        old = self.counts.readings
        readings = {
            key: old[key] if key in kept else _unread(chain, old.get(key), structure)
            for key, chain in chains.items()
        }
        new = {key: chain for key, chain in counts.items() if key not in kept}
        self._publish(counts, readings, _every_place(new), at=structure.at, poll=self.counts.poll)

    def rebase(self) -> Counts:
        """Count from the newest values on."""
        self._resets.clear()
        self._left_out = 0
        self._network.rebase()
        self._counting = {}
        chains = {
            key: replace(chain, base=chain.values, carried={}, loose=frozenset(), unknown=frozenset())
            for key, chain in self.counts.chains.items()
        }
        return self._publish(
            chains, self.counts.readings, _every_place(chains), at=self.counts.at, poll=self.counts.poll
        )

    def _publish(
        self,
        chains: Mapping[ChainKey, ChainCounts],
        readings: Mapping[ChainKey, ChainReading],
        changed: frozenset[Place],
        *,
        at: float,
        poll: int,
    ) -> Counts:
        self.counts = Counts(
            chains=chains,
            readings=readings,
            counting=tuple(self._counting),
            settled=dict(self._settled),
            at=at,
            poll=poll,
            serial=self.counts.serial + bool(changed),
            resets=tuple(self._resets),
            resets_left_out=self._left_out,
            changed=changed,
            stats=self._network.stats(),
            links=self._network.links(),
            links_now=self._network.now,
            link_rates=self._network.rates,
        )
        return self.counts

    def _steps(
        self, readings: Mapping[ChainKey, ChainReading]
    ) -> tuple[dict[ChainKey, Step], list[ChainKey]]:
        """What the readings make of the chains that changed or cool down, and those that fit none.

        Most chains are quiet at most polls: they cost one comparison.
        """
        counts, warm = self.counts, self._warm
        chains, known, poll = counts.chains, counts.readings, counts.poll + 1
        steps: dict[ChainKey, Step] = {}
        misfits = []
        for key, reading in readings.items():
            last = known.get(key)
            if last is None:
                misfits.append(key)
            elif reading.rules == last.rules and reading.policy == last.policy and key not in warm:
                continue
            elif len(reading.rules) != len(last.rules):
                misfits.append(key)
            else:
                values = (*reading.rules, reading.policy)
                steps[key] = advance(chains[key], values, reading.at - counts.read_at(key), poll)
        return steps, misfits

    def _leave_out_oldest(self) -> None:
        """Of earlier changes' resets keep the newest, so that hours of changing rules take no more memory."""
        for old in list(islice(self._resets, max(0, len(self._resets) - MOST_RESETS))):
            del self._resets[old]
            self._left_out += 1

    def _note_falls(self, steps: Mapping[ChainKey, Step]) -> None:
        for key, step in steps.items():
            why: Why = "rewritten" if key in self._rewritten else "zeroed"
            for position in step.fell:
                self._resets[_reset(key, self._chains[key], position, why)] = None

    def _changed(self, steps: Mapping[ChainKey, Step]) -> frozenset[Place]:
        """What looks different now: new values and rates, and heat that fades."""
        touched = set(_places(steps, [(key, step.touched) for key, step in steps.items()]))
        cooled = set(_places(steps, [(key, step.cooled) for key, step in steps.items() if step.cooled]))
        changed = frozenset(touched.union(cooled, *self._recent))
        self._recent.append(touched)
        return changed


def _places(
    steps: Mapping[ChainKey, Step], positions: Iterable[tuple[ChainKey, Iterable[int]]]
) -> Iterator[Place]:
    for key, found in positions:
        policy = len(steps[key].was) - 1
        for position in found:
            yield key, position if position < policy else None


class _Carrying:
    """The old chains' counts on their way to a new structure, and the resets this causes."""

    def __init__(self, old: Mapping[ChainKey, Chain], counts: Counts, structure: Structure) -> None:
        self._old, self._at = old, structure.at
        self._counts = counts
        self._known = {key[:2] for key in old}
        self._cut = {TableKey(*key[:3]) for key, chain in old.items() if chain.complete is not True}
        self._read = {(ruleset.family, ruleset.backend) for ruleset in structure.state.rulesets}
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
            return unknown_counts(chain, self._at)
        carried = new_counts(key, chain, self._at)
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


def _unread(chain: Chain, last: ChainReading | None, structure: Structure) -> ChainReading:
    """What a chain's own counters say, as old as the last reading; the next one is compared with it."""
    values = values_of(chain)
    return ChainReading(values[:-1], values[-1], structure.at if last is None else last.at)


def _zeroed(
    chains: Mapping[ChainKey, ChainCounts],
    steps: Mapping[ChainKey, Step],
    readings: Mapping[ChainKey, ChainReading],
) -> dict[ChainKey, ChainCounts]:
    """The chains of tables that were zeroed as a whole, their deltas lower bounds.

    A table counts as zeroed when counters fell in several of its chains and no other chain
    kept a value: a chain that had counted nothing may have lost as much as they did.
    """
    fallen = Tally(TableKey(*key[:3]) for key, step in steps.items() if step.fell)
    suspects = {table for table, times in fallen.items() if times > 1}
    members = [key for key in readings if key in chains and TableKey(*key[:3]) in suspects]
    for key in members:
        step = steps.get(key)
        if (step is None or not step.fell) and _kept(chains[key].values if step is None else step.was):
            suspects.discard(TableKey(*key[:3]))
    return {
        key: replace(chains[key], loose=range(len(chains[key].values)))
        for key in members
        if TableKey(*key[:3]) in suspects
    }


def _kept(values: Sequence[Counter | None]) -> bool:
    """Whether there was something that zeroing would have taken."""
    return any(value is not None and value.packets > 0 for value in values)

"""Which rules must be printed again, and the counters of all that need not be.

Where a reader of counters stands behind a program, the program is run only when the rules
have changed: for a few chains these alone are printed, else all. What has no reader is
printed at each poll. Used by `live.py`; knows no kernel.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from calitop.counters.sample import ChainReading
from calitop.model.rules import Chain, ChainKey, TableKey
from calitop.sources import capture
from calitop.sources.capture import Capture, Captured
from calitop.sources.rule_counters import CountersRead, RuleCounters
from calitop.sources.source import Wanted
from calitop.sources.state import LatestAnswers

WHOLE_EVERY_S = 2.0
"""All rules of a program are printed at most once in this time, however often they change."""
_WHOLE_SHARE = 10
"""More often where it takes less than one part in so many of the time."""
_ATTEMPTS = 3
"""So often in a row a reader may say that the kernel holds other rules than were printed."""
AGAIN_AFTER_S = 30.0
"""A reader that was given up (rules changed faster than they are printed) is tried again after this time."""


class RuleAccess(Protocol):
    """What a kernel offers beside its programs."""

    def counters_of(self, wanted: Capture) -> RuleCounters | None:
        """A reader for the tables that a program prints; None where there is none."""
        ...

    def chains(self, wanted: Capture, keys: Collection[ChainKey]) -> Mapping[ChainKey, Chain | None] | None:
        """These chains as the program prints them; None for one that is gone.

        Returns:
            None when they cannot be printed alone: print all.
        """
        ...

    def appeared(self) -> bool:
        """Whether something may be there since the last call that was not there to be asked."""
        ...


class NoAccess:
    """A node that only its programs can tell about."""

    def counters_of(self, wanted: Capture) -> RuleCounters | None:
        """No reader."""
        return None

    def chains(self, wanted: Capture, keys: Collection[ChainKey]) -> Mapping[ChainKey, Chain | None] | None:
        """All must be printed."""
        return None

    def appeared(self) -> bool:
        """The programs are asked each time."""
        return True


@runtime_checkable
class KnowsHandles(Protocol):
    """A reader that knows the kernel's own numbers of the rules.

    A chain that it does not know was touched again, and is not shown as printed.
    """

    def with_handles(self, key: ChainKey) -> Chain | None:
        """A chain that it was told, with the handles of its rules; None where it knows none."""
        ...


@dataclass(slots=True, eq=False)
class RulesRead:
    """What the readers have counted and nobody has been given yet."""

    chains: dict[ChainKey, ChainReading] = field(default_factory=dict)
    took_s: dict[TableKey, float] = field(default_factory=dict)
    settled: dict[TableKey, float] = field(default_factory=dict)
    """See `sample.Sample`."""
    full: bool = True
    """Every chain of every reader was read."""


class RuleReading:
    """The readers of one node.

    Args:
        access: The kernel.
        answers: Where printed rules are kept.
    """

    def __init__(self, access: RuleAccess, answers: LatestAnswers) -> None:
        self._access, self._answers = access, answers
        self._readers: dict[Capture, RuleCounters] = {}
        self._programs: set[Capture] = set()
        """What no reader stands behind: printed at each poll, to see what changed and counted."""
        self._whole: set[Capture] = set(capture.RULES)
        """To be printed whole."""
        self._few: dict[Capture, frozenset[ChainKey]] = {}
        """To be printed in part."""
        self._not_before: dict[Capture, float] = {}
        self._refusals: Tally[Capture] = Tally()
        self._again_at: dict[Capture, float] = {}
        self._read = RulesRead()

    def close(self) -> None:
        """Give back all readers; may be called twice."""
        for wanted in list(self._readers):
            self._drop(wanted)

    # -- printing ---------------------------------------------------------------------------

    def due(self) -> list[Capture]:
        """What must be printed whole now, in the order of the catalogue."""
        if self._access.appeared():
            self._whole.update(wanted for wanted in capture.RULES if wanted not in self._readers)
        now = time.monotonic()
        for wanted in [wanted for wanted, at in self._again_at.items() if now >= at]:
            del self._again_at[wanted], self._refusals[wanted]
            self._whole.add(wanted)
        ripe = {wanted for wanted in self._whole if now >= self._not_before.get(wanted, now)}
        return [wanted for wanted in capture.RULES if wanted in ripe or wanted in self._programs]

    def prepare(self, due: Iterable[Capture]) -> None:
        """Make the readers of what is about to be printed: they must see what changes meanwhile."""
        for wanted in self._whole.intersection(due):
            self._not_before[wanted] = time.monotonic()
            if wanted not in self._readers and self._refusals[wanted] < _ATTEMPTS:
                reader = self._access.counters_of(wanted)
                if reader is not None:
                    self._readers[wanted] = reader

    def learn(self, printed: Iterable[Capture]) -> None:
        """Tell the readers what was printed whole."""
        for wanted in self._whole.intersection(printed):
            self._whole.discard(wanted)
            self._few.pop(wanted, None)
            answer = self._answers[wanted]
            if wanted in self._readers and (answer is None or not answer.ok):
                self._drop(wanted)
            elif wanted in self._readers:
                self._teach(wanted, self._answers.chains_of(wanted))
            self._note_program(wanted, answer)
            self._rest(wanted)

    def _rest(self, wanted: Capture) -> None:
        """Do not print all again at once; printing began when `_not_before` says."""
        now = time.monotonic()
        took = now - self._not_before.get(wanted, now)
        self._not_before[wanted] = now + min(WHOLE_EVERY_S, _WHOLE_SHARE * took)

    def _note_program(self, wanted: Capture, answer: Captured | None) -> None:
        followed = wanted in self._readers
        self._answers.follow(wanted, followed)
        if followed or answer is None or not answer.asked:
            self._programs.discard(wanted)
        else:
            self._programs.add(wanted)

    def _teach(self, wanted: Capture, chains: Mapping[ChainKey, Chain]) -> None:
        """Tell a reader the rules; those that it does not find are printed again, but not for ever."""
        reader = self._readers[wanted]
        for key in chains:
            self._read.chains.pop(key, None)
        if reader.learn(chains):
            self._refusals[wanted] = 0
            self._answers.replace_chains(wanted, _with_handles(reader, chains))
        else:
            # The text does not say where the counters are, but it does say what they were.
            self._read.chains.update(_as_printed(chains, time.monotonic()))
            self._refuse(wanted)

    def _refuse(self, wanted: Capture) -> None:
        """Print all again; a reader that fails repeatedly is given up for the program."""
        self._refusals[wanted] += 1
        self._want_whole(wanted)
        if self._refusals[wanted] >= _ATTEMPTS:
            self._again_at[wanted] = time.monotonic() + AGAIN_AFTER_S
            self._drop(wanted)

    def _drop(self, wanted: Capture) -> None:
        self._readers.pop(wanted).close()

    def print_few(self) -> bool:
        """Print the chains that changed where they are few; whether any was."""
        few, self._few = self._few, {}
        return any([self._print(wanted, keys) for wanted, keys in few.items()])

    def _print(self, wanted: Capture, keys: frozenset[ChainKey]) -> bool:
        printed = self._access.chains(wanted, keys)
        if printed is None:
            self._want_whole(wanted)
            return False
        self._teach(wanted, {key: chain for key, chain in printed.items() if chain is not None})
        self._answers.replace_chains(wanted, {key: None for key, chain in printed.items() if chain is None})
        return True

    # -- counters ---------------------------------------------------------------------------

    def read(self, wanted: Wanted) -> None:
        """Read all counters that can have moved, and see what must be printed again."""
        if wanted.full:
            self._not_before.clear()
        for each, reader in list(self._readers.items()):
            began = time.monotonic()
            try:
                self._keep(each, reader.read(wanted), began)
            except OSError:
                self._read.full = False
                self._refuse(each)

    def _keep(self, wanted: Capture, said: CountersRead, began: float) -> None:
        self._read.chains.update(said.chains)
        self._read.settled.update(dict.fromkeys(said.took_s, began))
        self._read.took_s.update(said.took_s)
        self._read.full = self._read.full and said.full
        if said.changed is None:
            self._want_whole(wanted)
        elif said.changed:
            self._few[wanted] = said.changed

    def take(self) -> RulesRead:
        """What was read since the last call."""
        read, self._read = self._read, RulesRead()
        return read

    def _want_whole(self, wanted: Capture) -> None:
        """Print all rules of a program, and with those of iptables-nft what it leaves to nft."""
        self._few.pop(wanted, None)
        self._whole.add(wanted)
        if wanted.backend == "nft":
            self._whole.add(capture.NFT_NATIVE)


def _as_printed(chains: Mapping[ChainKey, Chain], at: float) -> dict[ChainKey, ChainReading]:
    return {
        key: ChainReading(tuple(rule.counter for rule in chain.rules), chain.counter, at)
        for key, chain in chains.items()
    }


def _with_handles(reader: RuleCounters, chains: Mapping[ChainKey, Chain]) -> Mapping[ChainKey, Chain]:
    if not isinstance(reader, KnowsHandles):
        return chains
    learnt = ((key, reader.with_handles(key)) for key in chains)
    return {key: chain for key, chain in learnt if chain is not None}

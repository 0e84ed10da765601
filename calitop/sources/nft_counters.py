"""The counters of nf_tables by following the hits: only chains that can have counted are read.

A rule can only count when its chain was entered, so only base chains, chains behind rules
whose own counter moved, and chains that nothing counts the way into need to be read. Those
that counted in the poll before are read again: a packet that was on its way then has
counted in the caller and only later in the called chain.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, closing

from calitop.counters.sample import ChainReading
from calitop.model.rules import Chain, ChainKey, TableKey
from calitop.sources.nfnetlink import NfEvents, Nfnetlink
from calitop.sources.nft_chain import Interrupted, KnownChain, Policies
from calitop.sources.nft_changes import NftChanges, Scope
from calitop.sources.rule_counters import CountersRead
from calitop.sources.source import Wanted

TOUCHED_AT_MOST = 100
"""With more touched chains than this all rules are printed at once: the cheaper way …"""
_TOUCHED_SHARE = 20
"""… or with more than one in so many: a chain printed alone costs as much as twenty among all, which
are printed, parsed and listed. Were all printed too early, more would change meanwhile than before."""
CHECK_EVERY_S = 60.0
"""Everything is read again after this time, in case a chain counted that nothing led to."""
_SHARE = 400
"""Such a check takes at most one part in so many of the time."""
_DOUBTS = 3
"""So often in a row a chain may be printed otherwise than it is."""
_NONE: frozenset[ChainKey] = frozenset()


class NftCounters:
    """See `rule_counters.RuleCounters`; for the tables of one listing, used by one thread.

    Args:
        scope: Which tables the listing has.
        events: What tells of changes; from before the rules are printed.
        ask: A socket of its own.
    """

    def __init__(self, scope: Scope, events: NfEvents, ask: Nfnetlink) -> None:
        self._events, self._ask = events, ask
        self._known: dict[ChainKey, KnownChain] = {}
        self._tables: set[TableKey] = set()
        self._changes = NftChanges(self._events, self._ask.generation(), scope, self._known, self._tables)
        self._policies = Policies(self._ask)
        self._reported: frozenset[ChainKey] | None = None
        """Told to have changed and not printed since; None for all."""
        self._doubted: Tally[ChainKey] = Tally()
        """Printed otherwise than they are, and how often in a row."""
        self._roots: set[ChainKey] = set()
        """Base chains."""
        self._uncounted: dict[ChainKey, frozenset[ChainKey]] = {}
        """Of chains with rules that lead on and count nothing: where they lead."""
        self._active: set[ChainKey] = set()
        """Counted in the reading before, or were led to."""
        self._owed: set[ChainKey] = set()
        """Read, or tried, and not handed over yet."""
        self._untold: dict[ChainKey, ChainReading] = {}
        """Read when the rules were learnt, and not handed over yet."""
        self._check_due = time.monotonic() + CHECK_EVERY_S

    @classmethod
    def opened(cls, scope: Scope) -> NftCounters:
        """A reader in the network namespace of the calling thread.

        Raises:
            OSError: This user may not ask, or there is no such socket here.
        """
        with ExitStack() as opening:
            events = opening.enter_context(closing(NfEvents()))
            ask = opening.enter_context(closing(Nfnetlink()))
            made = cls(scope, events, ask)
            opening.pop_all()
            return made

    def close(self) -> None:
        """Give back both sockets; may be called twice."""
        self._events.close()
        self._ask.close()

    def with_handles(self, key: ChainKey) -> Chain | None:
        """See `rule_reading.KnowsHandles`."""
        known = self._known.get(key)
        return None if known is None else known.chain

    # -- what the rules are ---------------------------------------------------------------

    def learn(self, chains: Mapping[ChainKey, Chain]) -> bool:
        """See `rule_counters.RuleCounters.learn`.

        Chains that were reported as changed and are not among these are gone. What is touched
        meanwhile is reported by the next reading.
        """
        self._changes.take()
        self._forget(self._known.keys() if self._reported is None else self._reported)
        self._reported = _NONE
        self._tables.update(TableKey(*key[:3]) for key in chains)
        present = [(key, chain) for key, chain in chains.items() if chain.present]
        misfits = {key for key, chain in present if not self._learn(key, chain)}
        self._owed |= self._older_than_their_callers([key for key, _ in present])
        self._policies.find(key for key in self._roots & chains.keys())
        self._catch_up()
        # As many rules as were printed are not the printed ones where one came and another went.
        self._forget(self._changes.chains & chains.keys())
        return self._changes.more or self._doubt(misfits - self._changes.chains)

    def _older_than_their_callers(self, learnt: Sequence[ChainKey]) -> set[ChainKey]:
        """Chains that may have counted after they were read and before their callers were, just now.

        The callers' next counts would not tell of that.
        """
        places = {key: place for place, key in enumerate(learnt)}
        return {
            target
            for key, place in places.items()
            if (known := self._known.get(key)) is not None
            for target in known.leads_to()
            if places.get(target, -1) < place
        }

    def _doubt(self, misfits: AbstractSet[ChainKey]) -> bool:
        """Have chains printed again that nobody touched and that do not fit; False when that does not help.

        A program whose own listing was interrupted by another transaction may print too few rules.
        """
        self._doubted = Tally({key: self._doubted[key] + 1 for key in misfits})
        self._changes.chains.update(misfits)
        return all(times < _DOUBTS for times in self._doubted.values())

    def _forget(self, keys: Iterable[ChainKey]) -> None:
        for key in list(keys):
            self._known.pop(key, None)
            self._untold.pop(key, None)
            self._uncounted.pop(key, None)
            self._roots.discard(key)
            self._policies.forget(key)

    def _learn(self, key: ChainKey, chain: Chain) -> bool:
        """Whether the kernel's chain has as many rules as the printed one."""
        began = time.monotonic()
        try:
            known = KnownChain.read(self._ask, key, chain)
        except Interrupted:
            self._changes.chains.add(key)
            return True
        if known is None:
            return False
        self._known[key] = known
        if chain.builtin:
            self._roots.add(key)
        if known.uncounted:
            self._uncounted[key] = known.uncounted
        if known.layout.handles:
            self._changes.saw_handle(known.table, max(known.layout.handles))
        self._untold[key] = ChainReading(known.values, chain.counter, began)
        return True

    def _catch_up(self) -> None:
        """See the events of every generation that is in force."""
        self._changes.take_until(self._ask.generation())

    # -- what they have counted -------------------------------------------------------------

    def read(self, wanted: Wanted) -> CountersRead:
        """See `rule_counters.RuleCounters.read`."""
        self._changes.take()
        if self._changes.any or self._reported != _NONE:
            return self._report(_NONE)
        began = time.monotonic()
        full = wanted.full or began >= self._check_due
        reading = _Reading(self._ask, self._known, self._policies.read())
        reading.follow(self._known if full else self._starts())
        self._catch_up()
        self._owed = reading.interrupted
        if self._changes.any or reading.misfits:
            self._owed |= reading.found.keys()
            return self._report(reading.misfits)
        self._active = reading.active
        if full:
            now = time.monotonic()
            self._check_due = now + max(CHECK_EVERY_S, _SHARE * (now - began))
        found, self._untold = {**self._untold, **reading.found}, {}
        return CountersRead(found, full and not reading.interrupted, _NONE, reading.took_s)

    def _starts(self) -> set[ChainKey]:
        return self._roots.union(self._active, self._owed, *self._uncounted.values())

    def _report(self, misfits: Iterable[ChainKey]) -> CountersRead:
        """Say what must be printed again; until it is, nothing else is read."""
        if self._reported is not None:
            self._reported = self._reported.union(self._changes.chains, misfits)
        most = max(TOUCHED_AT_MOST, len(self._known) // _TOUCHED_SHARE)
        if self._changes.more or (self._reported and len(self._reported) > most):
            self._reported = None
        self._changes.forget()
        return CountersRead({}, False, self._reported)


class _Reading:
    """One walk along the hits."""

    def __init__(self, ask: Nfnetlink, known: Mapping[ChainKey, KnownChain], policies: Policies) -> None:
        self._ask, self._known, self._policies = ask, known, policies
        self.found: dict[ChainKey, ChainReading] = {}
        self.active: set[ChainKey] = set()
        self.misfits: set[ChainKey] = set()
        self.interrupted: set[ChainKey] = set()
        self.took_s: defaultdict[TableKey, float] = defaultdict(float)

    def follow(self, starts: Iterable[ChainKey]) -> None:
        """Read these chains, and the chains that their moved rules lead to."""
        todo = list(starts)
        seen = set(todo)
        while todo:
            for key in self._next(todo.pop()):
                if key not in seen:
                    seen.add(key)
                    todo.append(key)

    def _next(self, key: ChainKey) -> Iterable[ChainKey]:
        """Read a chain; the chains that it led to since it was last read."""
        known = self._known.get(key)
        if known is None:
            return ()
        began = time.monotonic()
        try:
            before, fits = known.flat, known.take(self._ask)
        except Interrupted:
            self.interrupted.add(key)
            return ()
        self.took_s[known.table] += time.monotonic() - began
        if not fits:
            self.misfits.add(key)
            return ()
        self.found[key] = ChainReading(known.values, self._policies.of(key, known.chain), began)
        if known.flat is before:
            return ()
        led_to = known.led_to(before)
        self.active.add(key)
        self.active.update(led_to)
        return led_to

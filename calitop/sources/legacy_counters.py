"""Reads the counters of legacy tables from the kernel, again and again, at about the kernel's own price.

The kernel gives a table only as a whole, so what is not on screen is read less often. It
tells nobody when rules are replaced; every reading finds out for itself (`legacy_table.py`).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from errno import EAGAIN

from calitop.counters.sample import ChainReading
from calitop.model.rules import Chain, ChainKey, Family, TableKey
from calitop.sources.legacy_blob import IPV4, IPV6, Layout, Shape, StrangeBlob
from calitop.sources.legacy_sockets import LegacySocket, can_ask
from calitop.sources.legacy_table import LegacyTable
from calitop.sources.look import legacy_tables
from calitop.sources.rule_counters import CountersRead
from calitop.sources.source import Wanted

HIDDEN_SHARE = 0.01
"""A table that is not on screen is read when that takes at most this share of the time."""
_PAUSES_S = (0.001, 0.004, 0.015, 0.030)
"""Before a table is read again, as long as counters are lower than they were."""
_ATTEMPTS = 20
"""How often a table that is being rewritten is asked for before it counts as changed."""


@dataclass(frozen=True, slots=True)
class _Side:
    """What differs between the families."""

    family: socket.AddressFamily
    listing: str
    """File of /proc/net that lists the tables."""
    layout: Layout


_SIDES: dict[Family, _Side] = {
    "ipv4": _Side(socket.AF_INET, "ip_tables_names", IPV4),
    "ipv6": _Side(socket.AF_INET6, "ip6_tables_names", IPV6),
}


@dataclass(slots=True)
class _Known:
    """A table whose rules are known, and when it was read."""

    table: LegacyTable
    read_at: float
    """Monotonic clock, seconds."""
    cost_s: float = 0.0
    """Processor time of the last reading."""
    is_new: bool = True
    """None of its chains were given yet: all are due, also those that did not count."""

    def is_due(self, wanted: Wanted) -> bool:
        """Whether it is on screen, or reading it is cheap for the time that has passed."""
        shown = wanted.full or wanted.visible is None or self.table.key in wanted.visible
        return shown or self.is_new or (time.monotonic() - self.read_at) * HIDDEN_SHARE >= self.cost_s


@dataclass(frozen=True, slots=True)
class _Seen:
    """A table as it was before its rules were printed."""

    shape: Shape
    blob: bytes


class LegacyCounters:
    """See `rule_counters.RuleCounters`; of one family, used by one thread in its namespace.

    Rules count as learnt when the table was the same before the program printed and after.
    Before is when the reader was made, and every `read` or `learn` that found other rules.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._side = _SIDES[family]
        self._socket: LegacySocket | None = None
        self._seen: dict[str, _Seen] = {}
        self._known: dict[str, _Known] = {}
        for name in self._tables():
            self._see(name)

    def learn(self, chains: Mapping[ChainKey, Chain]) -> bool:
        """Take the rules that the program printed.

        Returns:
            False when a table changed meanwhile or does not fit: print again. Those tables
            that do fit are learnt.
        """
        printed: dict[str, dict[str, Chain]] = {}
        for key, chain in chains.items():
            if chain.present and key.table is not None:
                printed.setdefault(key.table, {})[key.chain] = chain
        names = self._tables()
        fitting = [self._learn(name, printed.get(name, {})) for name in names]
        return all(fitting) and set(names) == printed.keys()

    def read(self, wanted: Wanted) -> CountersRead:
        """The chains that counted since the last reading, of the tables that are due.

        `took_s` names the tables that were read: their other chains have not counted.
        """
        chains: dict[ChainKey, ChainReading] = {}
        took_s: dict[TableKey, float] = {}
        names = self._tables()
        for name in names:
            known = self._known.get(name)
            if known is None:
                self._see(name)
            elif not known.is_due(wanted):
                self._glance(name, known)
            elif (counted := self._read(name, known, wanted.full, took_s)) is not None:
                chains |= counted
        return CountersRead(
            chains,
            full=len(took_s) == len(names),
            changed=frozenset() if self._known.keys() == set(names) else None,
            took_s=took_s,
        )

    def close(self) -> None:
        """Give the socket back; may be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tables(self) -> tuple[str, ...]:
        """The tables that exist; none where nobody may look, which the program will say."""
        try:
            names = legacy_tables(self._side.listing)
        except OSError:
            names = ()
        for gone in self._known.keys() - set(names):
            del self._known[gone]
        return names

    def _learn(self, name: str, printed: Mapping[str, Chain]) -> bool:
        """Whether the table before and after the printing is the printed one; if not, it is seen anew."""
        known = self._known.pop(name, None)
        try:
            table = known.table if known else self._table(name, self._seen.pop(name, None))
            if table is not None and table.holds(printed) and self._update(name, table) is not None:
                self._known[name] = _Known(table, time.monotonic())
                return True
        except StrangeBlob:
            pass
        self._see(name)
        return False

    def _table(self, name: str, seen: _Seen | None) -> LegacyTable | None:
        key = TableKey(self._family, "legacy", name)
        return LegacyTable(key, seen.blob, seen.shape, self._side.layout) if seen else None

    def _read(
        self, name: str, known: _Known, full: bool, took_s: dict[TableKey, float]
    ) -> dict[ChainKey, ChainReading] | None:
        """The chains that counted, or all; None when the rules are not those learnt."""
        at, cost = time.monotonic(), time.thread_time()
        counted = self._update(name, known.table)
        if counted is None:
            self._forget(name)
            return None
        if full or known.is_new:
            counted = known.table.readings(at)
        known.is_new, known.read_at, known.cost_s = False, at, time.thread_time() - cost
        took_s[known.table.key] = time.monotonic() - at
        return counted

    def _update(self, name: str, table: LegacyTable) -> dict[ChainKey, ChainReading] | None:
        """See `LegacyTable.update`; a table that has another size has other rules.

        Whoever replaces rules puts zeros in place of all counters and adds the old ones an instant
        later (libiptc). So counters that fell are read again before they count as zeroed.
        """
        counted = self._update_once(name, table)
        for pause_s in _PAUSES_S:
            if counted is None or not table.fallen:
                break
            time.sleep(pause_s)
            again = self._update_once(name, table)
            counted = None if again is None else counted | again
        table.fallen.clear()
        return counted

    def _update_once(self, name: str, table: LegacyTable) -> dict[ChainKey, ChainReading] | None:
        at = time.monotonic()
        try:
            return table.update(self._ask().entries(name, table.shape.size), at)
        except OSError:
            return None

    def _glance(self, name: str, known: _Known) -> None:
        """See a change of size without reading the table."""
        with suppress(OSError):
            if self._ask().shape(name) == known.table.shape:
                return
        self._forget(name)

    def _forget(self, name: str) -> None:
        del self._known[name]
        self._see(name)

    def _see(self, name: str) -> None:
        """Keep the table as it is now; not if it cannot be read or is rewritten all the time."""
        self._seen.pop(name, None)
        with suppress(OSError):
            for _ in range(_ATTEMPTS):
                if (seen := self._seen_now(name)) is not None:
                    self._seen[name] = seen
                    return

    def _seen_now(self, name: str) -> _Seen | None:
        """The table, or None when it was replaced between the questions.

        Rules may be replaced by others of the same size: the shape must be the same afterwards too.
        """
        shape = self._ask().shape(name)
        try:
            blob = bytes(self._ask().entries(name, shape.size))
        except OSError as error:
            if error.errno == EAGAIN:
                return None
            raise
        return _Seen(shape, blob) if self._ask().shape(name) == shape else None

    def _ask(self) -> LegacySocket:
        if self._socket is None:
            self._socket = LegacySocket(self._side.family)
        return self._socket


def legacy_counters(family: Family | None) -> LegacyCounters | None:
    """A reader of that family; None where the program must print each time (a 32-bit Python)."""
    return LegacyCounters(family) if family in _SIDES and can_ask() else None

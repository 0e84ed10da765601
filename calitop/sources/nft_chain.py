"""One chain as the kernel lists it: its shape, its counters, and where its rules lead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from calitop.model.rules import Chain, ChainKey, Counter, Rule, TableKey
from calitop.sources.nfnetlink import (
    FAMILY_NUMBERS,
    GET_CHAIN,
    GET_RULE,
    TABLE_ATTRIBUTE,
    Nfnetlink,
    attribute,
    messages,
    places_of,
    question,
)
from calitop.sources.nft_layout import Flat, Layout, counter_places, layout_of

_RULE_CHAIN, _CHAIN_NAME, _CHAIN_COUNTERS = 2, 3, 8
_TRIES = 4


class Interrupted(Exception):
    """Changes came in between again and again: the chain could not be read as of one moment."""


@dataclass(slots=True, eq=False)
class KnownChain:
    """A chain whose rules are known, with the newest of its counters."""

    chain: Chain
    """As printed, with the handles."""
    table: TableKey
    asked: bytes
    """The question for its listing."""
    layout: Layout
    flat: Flat
    values: tuple[Counter | None, ...]
    """The same counters, one per rule."""
    uncounted: frozenset[ChainKey]
    """Where rules lead that count nothing."""
    _ways: tuple[tuple[int, tuple[ChainKey, ...]], ...] | None = field(default=None, init=False)

    @classmethod
    def read(cls, ask: Nfnetlink, key: ChainKey, chain: Chain) -> KnownChain | None:
        """The chain as it is in the kernel; None when it has other rules than the printed one.

        Raises:
            Interrupted, OSError: It cannot be read.
        """
        asked = _question(key)
        data = _listing(ask, asked)
        layout = layout_of(data)
        if not _fits(layout, chain):
            return None
        flat = layout.struct.unpack_from(data)
        table = TableKey(*key[:3])
        silent = () if layout.counting is None else set(range(len(chain.rules))) - set(layout.counting)
        uncounted = frozenset(target for at in silent for target in _targets(table, chain.rules[at]))
        chain = chain.with_handles(layout.handles)
        return cls(chain, table, asked, layout, flat, layout.counters(flat), uncounted)

    def take(self, ask: Nfnetlink) -> bool:
        """Read the counters; False when the listing cannot be of these rules.

        `flat` stays the very same object when nothing has moved.

        Raises:
            Interrupted, OSError: It cannot be read.
        """
        if not self.chain.rules:
            return True
        flat = self.layout.take(_listing(ask, self.asked))
        if flat is not None and flat != self.flat:
            self.flat, self.values = flat, self.layout.counters(flat)
        return flat is not None

    def led_to(self, before: Flat) -> list[ChainKey]:
        """The chains behind rules that have counted since."""
        if self._ways is None:
            self._ways = tuple(
                (place, targets)
                for rule, place in self.layout.packets().items()
                if (targets := _targets(self.table, self.chain.rules[rule]))
            )
        flat = self.flat
        return [key for place, keys in self._ways if flat[place] != before[place] for key in keys]

    def leads_to(self) -> set[ChainKey]:
        """The chains behind all its rules."""
        return {target for rule in self.chain.rules for target in _targets(self.table, rule)}


def _fits(layout: Layout, chain: Chain) -> bool:
    """Whether a listing has the printed rules, by number, and by handle where that was printed."""
    return len(layout.handles) == len(chain.rules) and all(
        rule.handle in (None, handle) for rule, handle in zip(chain.rules, layout.handles, strict=True)
    )


def _targets(table: TableKey, rule: Rule) -> tuple[ChainKey, ...]:
    return tuple(table.chain(name) for name in rule.targets) if rule.verb else ()


def _question(key: ChainKey) -> bytes:
    named = attribute(TABLE_ATTRIBUTE, key.table or "") + attribute(_RULE_CHAIN, key.chain)
    return question(GET_RULE, FAMILY_NUMBERS[key.family or "ipv4"], named, dump=True)


def _listing(ask: Nfnetlink, asked: bytes) -> memoryview:
    for _try in range(_TRIES):
        dump = ask.dump(asked)
        if dump.whole:
            return dump.data
    raise Interrupted


class Policies:
    """Counters of base chains' policies, where the kernel keeps them."""

    def __init__(self, ask: Nfnetlink) -> None:
        self._ask = ask
        self._asked: dict[ChainKey, _PolicyPlace] = {}
        self._counters: dict[ChainKey, Counter] = {}

    def find(self, keys: Iterable[ChainKey]) -> None:
        """Look which of these base chains count, to read those from now on."""
        asked = {key: chain_question(key) for key in keys}
        for key, answer in zip(asked, self._ask.ask(tuple(asked.values())), strict=True):
            place = _policy_place(asked[key], answer or b"")
            if place is not None:
                self._asked[key] = place

    def forget(self, key: ChainKey) -> None:
        """Do not read that chain any more."""
        self._asked.pop(key, None)
        self._counters.pop(key, None)

    def read(self) -> Policies:
        """Take the newest counters."""
        places = self._asked
        answers = self._ask.ask([place.asked for place in places.values()])
        for (key, place), answer in zip(places.items(), answers, strict=True):
            if answer is not None and len(answer) == place.size:
                self._counters[key] = Counter(_number(answer, place.packets), _number(answer, place.octets))
        return self

    def of(self, key: ChainKey, chain: Chain) -> Counter | None:
        """A chain's policy counter; as it was printed where the kernel keeps none."""
        return self._counters.get(key, chain.counter)


class _PolicyPlace(NamedTuple):
    """Where a chain's description has its counter."""

    asked: bytes
    size: int
    octets: int
    packets: int


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 8], "big")


def chain_question(key: ChainKey) -> bytes:
    """The question for a chain itself, without its rules."""
    named = attribute(TABLE_ATTRIBUTE, key.table or "") + attribute(_CHAIN_NAME, key.chain)
    return question(GET_CHAIN, FAMILY_NUMBERS[key.family or "ipv4"], named)


def _policy_place(asked: bytes, answer: bytes) -> _PolicyPlace | None:
    data = memoryview(answer)
    for message in messages(data):
        for kind, start, _end in places_of(data, message.start, message.end):
            if kind == _CHAIN_COUNTERS:
                return _PolicyPlace(asked, len(answer), *counter_places(data, start - 4, len(data)))
    return None

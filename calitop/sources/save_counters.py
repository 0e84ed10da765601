"""Counters of an iptables-save text, taken again and again at the price of a split.

A text is cut into its words and its counters. While the words are those of the text
before, position i still is the same rule, and only the counters have to be looked at.
The words are compared whole, so a rule that was replaced by one of the same size is seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from calitop.counters.sample import ChainReading
from calitop.model.rules import Backend, ChainKey, Counter, Family, TableKey

_POLICY = re.compile(r"^:(\S+) (\S+) \[(\d+):(\d+)\]", re.M)
_INCOMPATIBLE = re.compile(r"^# Table [`'](\S+?)' (?:is|contains) incompatible.*use 'nft' tool", re.M)
_RULE = "\n["
_UNDECLARED = "-"


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A table without its counters: two equal ones hold the same rules in the same places."""

    name: str
    chains: tuple[tuple[str, str], ...]
    """Chain and policy, in order."""
    rules: tuple[str, ...]
    """Each rule from `-A` on."""

    def same_as(self, other: Words | None) -> bool:
        """Whether nothing but counters can differ."""
        return (
            other is not None
            and self.name == other.name
            and self.chains == other.chains
            and self.rules == other.rules
        )


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One table of a text, cut into words and counters."""

    words: Words
    policies: tuple[tuple[str, str], ...]
    """Packets and bytes of each chain of `words.chains`, as digits."""
    counters: tuple[str, ...]
    """`packets:bytes` of each rule of `words.rules`."""


def incompatible_tables(text: str) -> frozenset[str]:
    """Tables that iptables-nft-save says it cannot print, or not all of."""
    if "use 'nft' tool" not in text:
        return frozenset()
    return frozenset(_INCOMPATIBLE.findall(text))


def blocks(text: str) -> tuple[Block, ...] | None:
    """The tables of an `iptables-save -c` text.

    Returns:
        None for a text with a rule whose counter does not stand before it: no live
        program writes that, and positions would not be certain.
    """
    found = tuple(_block(part) for part in _tables(text))
    return None if None in found else tuple(block for block in found if block is not None)


def _tables(text: str) -> Iterator[str]:
    """Each table's text, from after `*` up to its COMMIT."""
    place = 0 if text.startswith("*") else text.find("\n*") + 1
    while place or text.startswith("*"):
        end = text.find("\nCOMMIT", place)
        yield text[place + 1 : end if end >= 0 else len(text)]
        if end < 0:
            return
        place = text.find("\n*", end) + 1
        if not place:
            return


def _block(part: str) -> Block | None:
    head, *rules = part.split(_RULE)
    lines = head.split("\n")
    policies = _POLICY.findall(head)
    if len(policies) != sum(1 for line in lines[1:] if line.strip() and not line.startswith("#")):
        return None
    pieces = [rule.partition("] ") for rule in rules]
    words = Words(
        lines[0].strip(),
        tuple((name, policy) for name, policy, _p, _b in policies),
        tuple([piece[2] for piece in pieces]),
    )
    if not all(rule.startswith("-A ") and "\n" not in rule.rstrip("\n") for rule in words.rules):
        return None
    return Block(words, tuple((p, b) for _n, _c, p, b in policies), tuple([piece[0] for piece in pieces]))


@dataclass(slots=True)
class _Chain:
    """Where a chain's rules stand in the table, and its last reading."""

    places: Sequence[int]
    policy: int | None = None
    digits: tuple[str, ...] | None = None
    counters: tuple[Counter, ...] = ()
    """Kept as long as the digits are the same, so that what did not move costs nothing."""


@dataclass(slots=True)
class TableCounters:
    """Turns the blocks of one table into chain readings, while its words stay the same."""

    key: TableKey
    words: Words
    _chains: dict[str, _Chain] = field(default_factory=dict)

    def __post_init__(self) -> None:
        places: dict[str, list[int]] = {name: [] for name, _policy in self.words.chains}
        for place, rule in enumerate(self.words.rules):
            places.setdefault(rule.split(" ", 2)[1].rstrip(), []).append(place)
        policies = {name: at for at, (name, policy) in enumerate(self.words.chains) if policy != _UNDECLARED}
        self._chains = {name: _Chain(where, policies.get(name)) for name, where in places.items()}

    def readings(self, block: Block, at: float) -> Iterator[tuple[ChainKey, ChainReading]]:
        """Every chain's counters in a block whose words are this table's.

        Args:
            block: One table just read, `block.words.same_as(self.words)`.
            at: Monotonic clock, seconds, when it was read.
        """
        for name, chain in self._chains.items():
            digits = _pick(block.counters, chain.places)
            if digits != chain.digits:
                chain.digits, chain.counters = digits, tuple([_counter(pair) for pair in digits])
            policy = None if chain.policy is None else Counter(*map(int, block.policies[chain.policy]))
            yield self.key.chain(name), ChainReading(chain.counters, policy, at)


def _pick(counters: tuple[str, ...], places: Sequence[int]) -> tuple[str, ...]:
    if not places:
        return ()
    first, last = places[0], places[-1]
    if last - first + 1 == len(places):
        return counters[first : last + 1]
    return tuple([counters[place] for place in places])


def _counter(pair: str) -> Counter:
    packets, _, octets = pair.partition(":")
    return Counter(int(packets), int(octets))


class SaveCounters:
    """The counters of one save program's text, poll after poll."""

    def __init__(self, family: Family, backend: Backend) -> None:
        self.family = family
        self.backend = backend
        self._tables: dict[str, TableCounters] = {}
        self._latest: tuple[Block, ...] = ()

    def take(self, text: str) -> bool:
        """Look at a new text.

        Returns:
            Whether its rules, chains and tables are those of the text before.
        """
        found = blocks(text)
        same = found is not None and self._same(found)
        self._latest = found or ()
        if not same:
            keys = {block.words.name: self._key(block) for block in self._latest}
            self._tables = {
                block.words.name: TableCounters(keys[block.words.name], block.words) for block in self._latest
            }
        return same

    def readings(self, at: float) -> Iterator[tuple[ChainKey, ChainReading]]:
        """Every chain's counters by the text last taken."""
        for block in self._latest:
            yield from self._tables[block.words.name].readings(block, at)

    def tables(self) -> tuple[TableKey, ...]:
        """Tables of the text last taken."""
        return tuple(self._key(block) for block in self._latest)

    def _key(self, block: Block) -> TableKey:
        return TableKey(self.family, self.backend, block.words.name)

    def _same(self, found: tuple[Block, ...]) -> bool:
        if len(found) != len(self._tables) or len({block.words.name for block in found}) != len(found):
            return False
        known = self._tables
        return all(
            block.words.name in known and block.words.same_as(known[block.words.name].words)
            for block in found
        )

"""Which chains were touched by others, by nf_tables' own events.

An event counts as a touch whatever it says in detail, so nothing can be misread. Events
of a transaction come after the new generation is in force; who needs to know waits for
the one that announces it.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from calitop.model.rules import Backend, ChainKey, Family, TableKey
from calitop.sources.nfnetlink import (
    FAMILIES,
    TABLE_ATTRIBUTE,
    Message,
    NfEvents,
    attributes_of,
    generation_told,
    text_of,
)

_NEW_TABLE, _DEL_TABLE, _NEW_CHAIN, _DEL_CHAIN, _NEW_RULE, _DEL_RULE = 0, 2, 3, 5, 6, 8
_NEW_SET, _DEL_SET, _NEW_ELEMENT, _DEL_ELEMENT = 9, 11, 12, 14
_NAME_IN = {_NEW_CHAIN: 3, _DEL_CHAIN: 3, _NEW_RULE: 2, _DEL_RULE: 2}
"""NFTA_CHAIN_NAME or NFTA_RULE_CHAIN."""
_HANDLE_IN = {_NEW_CHAIN: 2, _NEW_RULE: 3}
"""NFTA_CHAIN_HANDLE or NFTA_RULE_HANDLE."""
_OF_TABLES = frozenset({_NEW_TABLE, _DEL_TABLE})
_OF_SETS = frozenset({_NEW_SET, _DEL_SET, _NEW_ELEMENT, _DEL_ELEMENT})


@dataclass(frozen=True, slots=True)
class Scope:
    """The tables that one listing prints."""

    backend: Backend
    families: frozenset[Family]
    named: frozenset[str] | None = None
    """Only tables of these names."""
    left_out: frozenset[str] = frozenset()
    """Not the tables of these names in the families of iptables, but for those once printed."""

    def key(self, number: int, name: str, printed: Container[TableKey]) -> TableKey | None:
        """Key of a table by the number of its family; None for somebody else's."""
        family = FAMILIES.get(number)
        if family not in self.families or (self.named is not None and name not in self.named):
            return None
        key = TableKey(family, self.backend, name)
        by_iptables = family in ("ipv4", "ipv6") and name in self.left_out
        return None if by_iptables and key not in printed else key


class NftChanges:
    """Gathers touches of some tables from the moment it is made.

    Args:
        events: Where they come from.
        generation: The one in force when it is made, after the events are listened to.
        scope: Which tables are looked at.
        known: The chains whose rules are known; it may grow and shrink.
        printed: Their tables.

    Attributes:
        chains: Touched chains.
        more: Tables came or went, a chain was renamed, or events were lost.
    """

    def __init__(
        self,
        events: NfEvents,
        generation: int,
        scope: Scope,
        known: Container[ChainKey],
        printed: Container[TableKey],
    ) -> None:
        self._events, self._scope, self._known, self._printed = events, scope, known, printed
        self._highest: dict[TableKey, int] = {}
        self._generation = generation
        self.chains: set[ChainKey] = set()
        self.more = False

    @property
    def any(self) -> bool:
        """Whether anything was touched."""
        return self.more or bool(self.chains)

    def forget(self) -> None:
        """Start again with no touches: what was touched is going to be printed anew."""
        self.chains.clear()
        self.more = False

    def take(self) -> None:
        """Look at the events that have come."""
        self._see(self._events.take())

    def take_until(self, generation: int) -> None:
        """Wait for the events of a generation that is in force already."""
        while not self._reached(generation) and not self.more:
            came = self._events.take(wait=True)
            self._see(came or None)

    def saw_handle(self, table: TableKey, handle: int) -> None:
        """Take note of a chain's or rule's number: what is made later in its table has a higher one."""
        self._highest[table] = max(handle, self._highest.get(table, 0))

    def _reached(self, generation: int) -> bool:
        """Generations are 32 bits wide and wrap around."""
        return (self._generation - generation) % (1 << 32) < 1 << 31

    def _see(self, messages: list[Message] | None) -> None:
        if messages is None:
            self.more = True
        for message in messages or ():
            announced = generation_told(message)
            if announced is not None:
                self._generation = announced
            else:
                self._touch(message)

    def _touch(self, message: Message) -> None:
        told = dict(attributes_of(message))
        if TABLE_ATTRIBUTE not in told:
            return
        table = self._scope.key(message.family, text_of(told[TABLE_ATTRIBUTE]), self._printed)
        if table is None:
            return
        if message.kind in _OF_TABLES or self._is_of_set(message.kind):
            self.more = True
        elif message.kind in _NAME_IN and _NAME_IN[message.kind] in told:
            key = table.chain(text_of(told[_NAME_IN[message.kind]]))
            handle = told.get(_HANDLE_IN.get(message.kind, 0))
            self._touch_chain(message.kind, key, 0 if handle is None else int.from_bytes(handle, "big"))

    def _is_of_set(self, kind: int) -> bool:
        """Sets and elements are part of native rules; those of iptables-nft come with their rule."""
        return self._scope.backend == "native" and kind in _OF_SETS

    def _touch_chain(self, kind: int, key: ChainKey, handle: int) -> None:
        """A chain that is new by name and old by number was renamed, and nothing tells its old name."""
        table = TableKey(*key[:3])
        if kind == _NEW_CHAIN and key not in self._known and handle <= self._highest.get(table, 0):
            self.more = True
        self.chains.add(key)
        self.saw_handle(table, handle)

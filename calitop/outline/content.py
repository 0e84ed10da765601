"""What a row of the chain tree is, and what any place below an open row must answer."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal, Protocol

from calitop.model.rules import Chain, ChainKey, MapKey, Rule

View = Literal["hook", "chain"]
Kind = Literal["hook", "group", "chain", "rule", "policy", "reference", "missing", "note", "map", "element"]
RowId = tuple[int, ...]
"""Places from the top downwards, unfiltered; valid for one structure."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the widgets draw it."""

    id: RowId
    kind: Kind
    depth: int
    key: ChainKey | None
    """The row's chain: a rule's own, a reference's the one it refers to; None for groups, sets, elements."""
    rule_index: int | None
    rule: Rule | None
    openable: bool
    is_open: bool
    title: str
    """Chain or group in words; a rule's text."""
    targets: tuple[ChainKey, ...] = ()
    """Chains that the rule leads to; `rule.verb` tells jump from goto."""
    chain: Chain | None = None
    """The chain behind hook, chain and policy rows."""
    map: MapKey | None = None
    """The set or map of a map row, of an element, and of a rule that follows its verdicts."""
    element: int | None = None
    """Place of an element in its set or map, from 0."""


class Content(Protocol):
    """What stands below an open row."""

    count: int

    def row(self, at: int, row_id: RowId, is_open: bool) -> Row:
        """The row of the child at that place."""
        ...

    def below(self, at: int) -> Content | None:
        """What stands below that child when it is open; None when it cannot be opened."""
        ...

    def token(self, at: int) -> Hashable:
        """A name for the child that survives rules inserted above it."""
        ...

    def find(self, tokens: set[Hashable]) -> dict[Hashable, int]:
        """The places of the children with those names."""
        ...

    def chain_at(self, at: int) -> ChainKey | None:
        """The one chain whose rules stand right below that child; None for all others."""
        ...


@dataclass(frozen=True, slots=True)
class Above:
    """The chains that are open above a row, innermost first."""

    key: ChainKey
    further: Above | None

    def holds(self, key: ChainKey) -> bool:
        """Whether the chain is open above."""
        above: Above | None = self
        while above is not None:
            if above.key == key:
                return True
            above = above.further
        return False

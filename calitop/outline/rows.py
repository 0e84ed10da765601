"""The rows of the chain tree and what stands below each: made on demand, never stored."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from calitop.cni.index import NodeIndex
from calitop.model.rules import Chain, ChainKey, Rule

View = Literal["hook", "chain"]
Kind = Literal["hook", "group", "chain", "rule", "policy", "reference", "missing", "note"]
RowId = tuple[int, ...]
"""Places from the top downwards, unfiltered; valid for one structure."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the widgets draw it."""

    id: RowId
    kind: Kind
    depth: int
    key: ChainKey | None
    """The row's chain: a rule's own, a reference's the one it refers to; None for a group."""
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


class Names:
    """Titles of chains, with family and backend only where the node has several."""

    def __init__(self, index: NodeIndex) -> None:
        self._families = {key.family for key in index.chains}
        self._backends = {key.backend for key in index.chains}

    def chain(self, key: ChainKey) -> str:
        """A chain's title, as `filter FORWARD` or `filter FORWARD ipv6 legacy`."""
        words = [key.table, key.chain]
        if len(self._families) > 1:
            words.append(key.family)
        if len(self._backends) > 1:
            words.append(key.backend)
        return " ".join(word for word in words if word)


class Chains:
    """Rows that stand for a chain each: the hooks, a group's chains, a rule's several targets."""

    def __init__(self, scene: Scene, keys: Sequence[ChainKey], kind: Kind, above: Above | None) -> None:
        self._scene, self._keys, self._kind, self._above = scene, keys, kind, above
        self.count = len(keys)

    def row(self, at: int, row_id: RowId, is_open: bool) -> Row:
        """The chain's row; of a chain that is not in the text, kind missing."""
        key = self._keys[at]
        chain = self._scene.index.chains[key]
        kind: Kind = self._kind if chain.present else "missing"
        title = self._scene.names.chain(key)
        return Row(row_id, kind, len(row_id) - 1, key, None, None, chain.present, is_open, title, (), chain)

    def below(self, at: int) -> Content | None:
        """The chain's rules."""
        key = self._keys[at]
        return self._scene.rules(key, self._above) if self._scene.index.chains[key].present else None

    def token(self, at: int) -> Hashable:
        """The chain's key."""
        return self._keys[at]

    def find(self, tokens: set[Hashable]) -> dict[Hashable, int]:
        """The places of those keys."""
        return {key: at for at, key in enumerate(self._keys) if key in tokens}

    def chain_at(self, at: int) -> ChainKey | None:
        """The chain itself."""
        return self._keys[at]


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


class Rules:
    """A chain's rules, its policy, and a note where rules are or may be missing."""

    def __init__(self, scene: Scene, key: ChainKey, above: Above | None) -> None:
        self._scene, self.key, self._further = scene, key, above
        self.chain = scene.index.chains[key]
        self.targets = scene.index.rules.targets(key) if scene.nested else {}
        self.has_policy = self.chain.builtin and self.chain.policy is not None
        self._note = _note(self.chain)
        self.count = len(self.chain.rules) + self.has_policy + bool(self._note)

    def row(self, at: int, row_id: RowId, is_open: bool) -> Row:
        """A rule, the policy or the note."""
        depth, rules = len(row_id) - 1, self.chain.rules
        if at < len(rules):
            rule, openable = rules[at], at in self.targets
            leads_to = self.targets.get(at) or self._scene.index.rules.targets(self.key).get(at, ())
            return Row(row_id, "rule", depth, self.key, at, rule, openable, is_open, rule.text, leads_to)
        if at == len(rules) and self.has_policy:
            title = f"policy {self.chain.policy}"
            return Row(row_id, "policy", depth, self.key, None, None, False, False, title, (), self.chain)
        return Row(row_id, "note", depth, self.key, None, None, False, False, self._note)

    def below(self, at: int) -> Content | None:
        """The rules of the chain that the rule leads to; of several, the chains."""
        targets = self.targets.get(at)
        if targets is None:
            return None
        above = Above(self.key, self._further)
        if len(targets) > 1:
            return Chains(self._scene, targets, "chain", above)
        return self._scene.rules(targets[0], above)

    def token(self, at: int) -> Hashable:
        """The rule's text and which of its equals it is."""
        if at >= len(self.chain.rules):
            return at - len(self.chain.rules)
        return self._tokens[at]

    def find(self, tokens: set[Hashable]) -> dict[Hashable, int]:
        """The places of the rules with those texts."""
        found: dict[Hashable, int] = {
            token: at for at, token in enumerate(self._tokens) if tokens and token in tokens
        }
        ends = {at - len(self.chain.rules): at for at in range(len(self.chain.rules), self.count)}
        return found | {token: at for token, at in ends.items() if token in tokens}

    @cached_property
    def _tokens(self) -> list[tuple[str, int]]:
        """Each rule's text and which of its equals it is, in one pass over the chain."""
        seen: dict[str, int] = {}
        tokens = []
        for rule in self.chain.rules:
            tokens.append((rule.text, seen.get(rule.text, 0)))
            seen[rule.text] = tokens[-1][1] + 1
        return tokens

    def chain_at(self, at: int) -> ChainKey | None:
        """The one chain that the rule leads to."""
        targets = self.targets.get(at, ())
        return targets[0] if len(targets) == 1 else None


class Single:
    """One row in place of a chain: already open above, or not in this text."""

    count = 1

    def __init__(self, kind: Kind, key: ChainKey, title: str) -> None:
        self._kind, self._key, self._title = kind, key, title

    def row(self, at: int, row_id: RowId, is_open: bool) -> Row:
        """That row."""
        return Row(row_id, self._kind, len(row_id) - 1, self._key, None, None, False, False, self._title)

    def below(self, at: int) -> Content | None:
        """Nothing."""
        return None

    def token(self, at: int) -> Hashable:
        """The kind of the row."""
        return self._kind

    def find(self, tokens: set[Hashable]) -> dict[Hashable, int]:
        """The row itself."""
        return {self._kind: 0} if self._kind in tokens else {}

    def chain_at(self, at: int) -> ChainKey | None:
        """None: the chain stands elsewhere or nowhere."""
        return None


class Tops:
    """The top rows: hooks one by one, then groups of chains."""

    def __init__(self, scene: Scene, hooks: Sequence[ChainKey], groups: dict[str, list[ChainKey]]) -> None:
        self._scene = scene
        self._hooks = Chains(scene, hooks, "hook", None)
        self._names = list(groups)
        self._groups = groups
        self.count = self._hooks.count + len(groups)

    def row(self, at: int, row_id: RowId, is_open: bool) -> Row:
        """A hook's base chain, or a group."""
        if at < self._hooks.count:
            return self._hooks.row(at, row_id, is_open)
        name = self._names[at - self._hooks.count]
        return Row(row_id, "group", len(row_id) - 1, None, None, None, True, is_open, name)

    def below(self, at: int) -> Content | None:
        """The base chain's rules, or the group's chains."""
        if at < self._hooks.count:
            return self._hooks.below(at)
        return Chains(self._scene, self._groups[self._names[at - self._hooks.count]], "chain", None)

    def token(self, at: int) -> Hashable:
        """The chain's key or the group's name."""
        return self._hooks.token(at) if at < self._hooks.count else self._names[at - self._hooks.count]

    def find(self, tokens: set[Hashable]) -> dict[Hashable, int]:
        """The places of those hooks and groups."""
        groups: dict[Hashable, int] = {
            name: at + self._hooks.count for at, name in enumerate(self._names) if name in tokens
        }
        return {**self._hooks.find(tokens), **groups}

    def chain_at(self, at: int) -> ChainKey | None:
        """The base chain; None for a group."""
        return self._hooks.chain_at(at) if at < self._hooks.count else None

    def members(self, at: int) -> list[ChainKey]:
        """The chains of a group; none for a hook."""
        return [] if at < self._hooks.count else self._groups[self._names[at - self._hooks.count]]


class Scene:
    """What all rows of one outline share.

    Attributes:
        index: Lookups over the node.
        names: Titles.
        nested: Whether a rule's target opens below it.
    """

    def __init__(self, index: NodeIndex, nested: bool) -> None:
        self.index, self.nested = index, nested
        self.names = Names(index)

    def rules(self, key: ChainKey, above: Above | None) -> Content:
        """What stands below a chain: its rules, or why it is not shown here."""
        if not self.index.chains[key].present:
            return Single("missing", key, f"{key.chain}: not in this text")
        if above is not None and above.holds(key):
            return Single("reference", key, f"{key.chain}: already open above")
        return Rules(self, key, above)


def _note(chain: Chain) -> str:
    if chain.complete is False:
        return "rules are missing: the text was cut"
    return "" if chain.rules else "no rules"

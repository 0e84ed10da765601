"""The rows of the chain tree and what stands below each: made on demand, never stored."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property

from calitop.cni.index import NodeIndex
from calitop.model.rules import Chain, ChainKey, MapKey, VerdictMap
from calitop.outline.content import Above, Content, Kind, Row, RowId
from calitop.outline.map_rows import Elements, Maps

MAPS = "sets and maps"
"""Title of the group of named nft sets and maps."""


class Names:
    """Titles of chains, with family and backend only where the node has several."""

    def __init__(self, index: NodeIndex) -> None:
        self._families = {key.family for key in index.chains}
        self._backends = {key.backend for key in index.chains}

    def chain(self, key: ChainKey) -> str:
        """A chain's title, as `filter FORWARD` or `filter FORWARD ipv6 legacy`."""
        return self._title([key.table, key.chain], key.family, key.backend)

    def map(self, key: MapKey, one: VerdictMap) -> str:
        """A set's or map's title, as `calico cali40all-hosts-net  set of ipv4_addr  3 elements`."""
        name = self._title([key.table.table, key.name], key.table.family, None)
        elements = "1 element" if len(one.elements) == 1 else f"{len(one.elements):,} elements"
        return f"{name}  {'map' if one.is_map else 'set of'} {one.type}  {elements}"

    def _title(self, words: list[str | None], family: str | None, backend: str | None) -> str:
        words += [family] if len(self._families) > 1 else []
        words += [backend] if len(self._backends) > 1 else []
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


class Rules:
    """A chain's rules, its policy, and a note where rules are or may be missing."""

    def __init__(self, scene: Scene, key: ChainKey, above: Above | None) -> None:
        self._scene, self.key, self._further = scene, key, above
        self.chain = scene.index.chains[key]
        self.targets = scene.index.rules.targets(key) if scene.nested else {}
        self.maps = scene.index.maps.deciding_in(key)
        self.has_policy = self.chain.builtin and self.chain.policy is not None
        self._note = _note(self.chain)
        self.count = len(self.chain.rules) + self.has_policy + bool(self._note)

    def row(self, at: int, row_id: RowId, is_open: bool) -> Row:
        """A rule, the policy or the note."""
        depth, rules = len(row_id) - 1, self.chain.rules
        if at < len(rules):
            rule, openable = rules[at], at in self.targets or at in self.maps
            leads_to = self.targets.get(at) or self._scene.index.rules.targets(self.key).get(at, ())
            decided_by = self.maps.get(at)
            return Row(
                *(row_id, "rule", depth, self.key, at, rule, openable, is_open, rule.text, leads_to),
                map=decided_by,
            )
        if at == len(rules) and self.has_policy:
            title = f"policy {self.chain.policy}"
            return Row(row_id, "policy", depth, self.key, None, None, False, False, title, (), self.chain)
        return Row(row_id, "note", depth, self.key, None, None, False, False, self._note)

    def below(self, at: int) -> Content | None:
        """The rules of the chain that the rule leads to; of several, the chains; of a map, its elements."""
        targets, above = self.targets.get(at), Above(self.key, self._further)
        if at in self.maps:
            return Elements(self._scene, self.maps[at], above, opens=self._scene.nested)
        if targets is None:
            return None
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
        """The one chain that the rule leads to; below a map's rule stand its elements."""
        targets = self.targets.get(at, ())
        return targets[0] if len(targets) == 1 and at not in self.maps else None


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
    """The top rows: hooks one by one, then groups of chains, then the sets and maps."""

    def __init__(self, scene: Scene, hooks: Sequence[ChainKey], groups: dict[str, list[ChainKey]]) -> None:
        self._scene = scene
        self._hooks = Chains(scene, hooks, "hook", None)
        self._groups = groups
        self._maps = Maps(scene, list(scene.index.maps.maps))
        self._names = [*groups, *([MAPS] if self._maps.count else [])]
        self.count = self._hooks.count + len(self._names)

    def row(self, at: int, row_id: RowId, is_open: bool) -> Row:
        """A hook's base chain, or a group."""
        if at < self._hooks.count:
            return self._hooks.row(at, row_id, is_open)
        name = self._names[at - self._hooks.count]
        return Row(row_id, "group", len(row_id) - 1, None, None, None, True, is_open, name)

    def below(self, at: int) -> Content | None:
        """The base chain's rules, the group's chains, or the sets and maps."""
        if at < self._hooks.count:
            return self._hooks.below(at)
        if self.is_maps(at):
            return self._maps
        return Chains(self._scene, self.members(at), "chain", None)

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
        name = None if at < self._hooks.count else self._names[at - self._hooks.count]
        return self._groups.get(name, []) if name is not None else []

    def is_maps(self, at: int) -> bool:
        """Whether the sets and maps stand below that row."""
        return self._maps.count > 0 and at == self.count - 1


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

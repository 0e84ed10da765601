"""Which rows pass a filter: the rules that match and the path of parents to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from calitop.cni.index import NodeIndex
from calitop.model.rules import ChainKey, MapKey
from calitop.outline.content import Content
from calitop.outline.map_rows import Elements, Maps
from calitop.outline.rows import Chains, Rules, Single, Tops

Test = Callable[[ChainKey, "int | None"], bool]
"""Whether a rule (or the policy, index None) is to be kept."""


class Filter:
    """The matches of a test, found once for all places where a chain may be open.

    A barred rule is one by which nothing can have come: the matches below it are shown
    at the chain's other callers, as long as there is one that is not barred.

    Attributes:
        reach: Chains in or below which something matches.
    """

    def __init__(
        self,
        index: NodeIndex,
        test: Test,
        nested: bool,
        pinned: set[ChainKey | MapKey],
        barred: Test | None = None,
    ) -> None:
        self._ways = _Ways(index, barred)
        self._hits = {key: _hits(index, key, test) for key in index.chains}
        self._maps = {key for key in pinned if isinstance(key, MapKey)}
        self.reach = {key for key, hits in self._hits.items() if hits}
        self.reach |= {key for key in pinned if not isinstance(key, MapKey)}
        if nested:
            self.reach = _callers_too(self._ways, self.reach)

    def shown(self, content: Content) -> Sequence[int] | None:
        """The places of a content's rows that pass; None for all."""
        if isinstance(content, Rules):
            return self._shown_rules(content)
        if isinstance(content, Single) or (isinstance(content, Elements) and content.key in self._maps):
            return None
        return [at for at in range(content.count) if self.leads_on(content, at)]

    def leads_on(self, content: Content, at: int) -> bool:
        """Whether something below that row passes."""
        if isinstance(content, Tops) and content.is_maps(at):
            return bool(self._maps)
        if isinstance(content, Maps):
            return content.keys[at] in self._maps
        if isinstance(content, Tops) and content.chain_at(at) is None:
            return any(key in self.reach for key in content.members(at))
        if isinstance(content, Rules):
            return any(
                key in self.reach and self._ways.open_to(key, content.key, at)
                for key in content.targets.get(at, ())
            )
        return isinstance(content, (Tops, Chains, Elements)) and content.chain_at(at) in self.reach

    def _shown_rules(self, content: Rules) -> list[int]:
        hits = self._hits[content.key]
        return sorted(hits | {at for at in content.targets if self.leads_on(content, at)})


def _hits(index: NodeIndex, key: ChainKey, test: Test) -> set[int]:
    chain = index.chains[key]
    hits = {at for at in range(len(chain.rules)) if test(key, at)}
    if chain.builtin and chain.policy is not None and test(key, None):
        hits.add(len(chain.rules))
    return hits


class _Ways:
    """By which rules a chain can be come to."""

    def __init__(self, index: NodeIndex, barred: Test | None) -> None:
        self._index = index
        self._barred = barred
        self._have_way: dict[ChainKey, bool] = {}

    def open_to(self, target: ChainKey, key: ChainKey, at: int) -> bool:
        """Whether that rule leads to the target; barred ones do where no other rule does."""
        return self._barred is None or not self._barred(key, at) or not self._has_way(target)

    def callers(self, target: ChainKey) -> list[ChainKey]:
        """The chains whose rules lead there."""
        return [ref.key for ref in self._index.callers(target) if self.open_to(target, ref.key, ref.index)]

    def _has_way(self, target: ChainKey) -> bool:
        if target not in self._have_way:
            refs = self._index.callers(target)
            self._have_way[target] = any(
                self._barred is None or not self._barred(ref.key, ref.index) for ref in refs
            )
        return self._have_way[target]


def _callers_too(ways: _Ways, keys: set[ChainKey]) -> set[ChainKey]:
    found, pending = set(keys), list(keys)
    while pending:
        for key in ways.callers(pending.pop()):
            if key not in found:
                found.add(key)
                pending.append(key)
    return found

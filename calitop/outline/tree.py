"""The chain tree: which rows are open, which pass the filter, where each one stands."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from calitop.cni.index import NodeIndex
from calitop.cni.names import GROUPS
from calitop.cni.rule_index import RuleRef
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey, MapKey
from calitop.outline.blocks import Block
from calitop.outline.content import Row, RowId, View
from calitop.outline.filter import Filter, Test
from calitop.outline.order import base_chains, first_callers
from calitop.outline.rows import MAPS, Rules, Scene, Tops

Path = tuple[Hashable, ...]
"""Names of the rows from the top downwards; it outlives a structure, a row id does not."""

ORPHANS = "orphans"
"""Title of the group of chains that no hook reaches (by hook)."""


class Outline:
    """The rows of one structure in one view.

    By hook, a rule's target chain opens below the rule, so one chain may stand in several
    places; a chain that is open above itself is a reference. By chain, each stands once.
    No object is kept for a rule; rows are made when asked for.
    """

    def __init__(self, state: NodeState, view: View, index: NodeIndex) -> None:
        self.view = view
        self._index = index
        self._scene = Scene(index, nested=view == "hook")
        self._bases = base_chains(state) if view == "hook" else []
        # A pod's chains are shown where forwarded packets meet them, not on the way to this host.
        forward_first = sorted(self._bases, key=lambda key: index.chains[key].hook != "FORWARD")
        self._first = first_callers(index, forward_first)
        self._tops = Tops(self._scene, self._bases, self._groups())
        self._top = Block(self._tops, None, 0)
        self._test: Test | None = None
        self._barred: Test | None = None
        self._filter: Filter | None = None
        self._pinned: set[tuple[ChainKey, int | None]] = set()
        self._pinned_chains: set[ChainKey | MapKey] = set()
        self._unfiltered: frozenset[Path] = frozenset()
        self._shut: set[RowId] = set()

    def __len__(self) -> int:
        return self._top.lines

    def row(self, y: int) -> Row:
        """The row at line y, from 0.

        Raises:
            IndexError: There is no such line.
        """
        if not 0 <= y < len(self):
            raise IndexError(f"line {y} of {len(self)}")
        block, at = self._top.locate(y)
        return block.content.row(at, (*block.path(), at), at in block.opened)

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """The rows of those lines."""
        for y in range(start, min(len(self), len(self) if stop is None else stop)):
            yield self.row(y)

    def line_of(self, row_id: RowId) -> int | None:
        """The line of a row; None while a closed parent or the filter hides it."""
        block, line = self._top, 0
        for depth, at in enumerate(row_id):
            if not 0 <= at < block.content.count:
                return None
            within = block.line_within(at)
            if within is None:
                return None
            line += within
            if depth == len(row_id) - 1:
                return line
            if at not in block.opened:
                return None
            block, line = block.opened[at], line + 1
        return None

    def parent_line(self, row_id: RowId) -> int | None:
        """The line of the row above which a row hangs; None at the top."""
        return self.line_of(row_id[:-1]) if len(row_id) > 1 else None

    def toggle(self, row: Row) -> None:
        """Open a closed row, close an open one."""
        self.set_open(row, not row.is_open)

    def set_open(self, row: Row, is_open: bool) -> None:
        """Open or close one row; what was open below it is open again when it opens."""
        block = self._block_of(row.id)
        if block is None:
            return
        if is_open:
            self._open(block, row.id[-1])
            self._shut.discard(row.id)
        elif block.opened.pop(row.id[-1], None) and self._filter is not None:
            self._shut.add(row.id)
        block.measure_upwards()

    def open_below(self, row: Row | None, is_open: bool) -> None:
        """Open or close everything below a row, itself included; without a row, everything.

        By hook a chain is opened once, at the first place in order, and stays closed at all
        others: opening it everywhere would grow with the product of its callers.
        """
        if row is None:
            places = [(self._top, at) for at in range(self._top.content.count)]
        else:
            block = self._block_of(row.id)
            places = [] if block is None else [(block, row.id[-1])]
        seen: set[ChainKey] = set()
        for block, at in places:
            if is_open:
                self._open_all(block, at, seen)
            else:
                block.opened.pop(at, None)
        if places:
            places[0][0].measure_upwards()

    def reveal(self, key: ChainKey, rule_index: int | None = None) -> int:
        """Open what is above a chain or rule and answer its line.

        By hook it is the first place at which a forwarded packet meets the chain, else the first
        in order; a chain that no hook reaches stands among the orphans. The chain itself is opened
        too. A row that the filter would hide is let through it. An index behind the last rule
        means the policy.

        Raises:
            KeyError: The node has no such chain.
        """
        if key not in self._index.chains:
            raise KeyError(key)
        self._let_through(key, rule_index)
        row_id = self._open_way(key)
        if rule_index is not None:
            row_id = (*row_id, rule_index)
        line = self.line_of(row_id)
        return line if line is not None else self.line_of(row_id[:-1]) or 0

    def reveal_map(self, key: MapKey, element: int | None = None) -> int:
        """Open what is above a set or map, or one of its elements, and answer its line.

        A row that the filter would hide is let through it.

        Raises:
            KeyError: The node has no such set or map.
        """
        if key not in self._index.maps.maps:
            raise KeyError(key)
        if self._test is not None:
            self._pinned_chains.add(key)
            self._refilter()
        row_id = self._open_steps([MAPS, key])
        if element is not None:
            row_id = (*row_id, element)
        return self.line_of(row_id) or 0

    def keep(self, test: Test | None, barred: Test | None = None) -> None:
        """Show only the rules (index None: policies) that pass the test, and the way to them.

        By hook, no way leads through a barred rule (one that surely counted nothing) where
        another rule leads to the same chain.

        The way is opened, at the first place of each chain; rows that the user closed since
        the filter was set stay closed when it is set anew. None ends the filter and opens
        what was open before it.
        """
        if self._test is None and test is not None:
            self._unfiltered = self.opened()
        had_filter, self._test, self._barred = self._test is not None, test, barred
        if test is None:
            self._pinned.clear()
            self._pinned_chains.clear()
            self._shut.clear()
            self._filter = None
            if had_filter:
                self._top = Block(self._tops, None, 0)
                self.restore(self._unfiltered)
            return
        self._refilter()
        self._open_matches()

    def opened(self) -> frozenset[Path]:
        """The open rows by names that outlive this structure."""
        names: dict[int, Path] = {id(self._top): ()}
        for block in self._top.descendants():
            assert block.parent is not None
            names[id(block)] = (*names[id(block.parent)], block.parent.content.token(block.at))
        return frozenset(path for path in names.values() if path)

    def restore(self, opened: Iterable[Path]) -> None:
        """Open the rows of those names, as far as they are there."""
        trie: dict[Hashable, Any] = {}
        for path in opened:
            node = trie
            for token in path:
                node = node.setdefault(token, {})
        blocks, pending = [self._top], [(self._top, trie)]
        while pending:
            block, wanted = pending.pop()
            for token, at in block.content.find(set(wanted)).items():
                inner = self._open(block, at)
                if inner is not None and wanted[token]:
                    blocks.append(inner)
                    pending.append((inner, wanted[token]))
        for block in reversed(blocks):
            block.measure()

    def path_of(self, row_id: RowId) -> Path:
        """A row's name that outlives this structure, for `line_of_path`."""
        path: list[Hashable] = []
        block = self._top
        for at in row_id:
            path.append(block.content.token(at))
            if at not in block.opened:
                break
            block = block.opened[at]
        return tuple(path)

    def line_of_path(self, path: Path) -> int | None:
        """The line of the row with that name, or of the nearest one above it that is shown."""
        block, line = self._top, None
        row_id: RowId = ()
        for token in path:
            at = block.content.find({token}).get(token)
            found = None if at is None else self.line_of((*row_id, at))
            if at is None or found is None:
                break
            row_id, line = (*row_id, at), found
            if at not in block.opened:
                break
            block = block.opened[at]
        return line

    def _groups(self) -> dict[str, list[ChainKey]]:
        chains = self._index.chains
        if self.view == "hook":
            orphans = [key for key, chain in chains.items() if chain.present and key not in self._first]
            return {ORPHANS: orphans} if orphans else {}
        groups: dict[str, list[ChainKey]] = {group: [] for group in GROUPS}
        for key in chains:
            groups[self._index.role_of_chain(key).group].append(key)
        return {group: keys for group, keys in groups.items() if keys}

    def _block_of(self, row_id: RowId) -> Block | None:
        """The block in which a row stands; None when it is not open any more."""
        block: Block | None = self._top
        for at in row_id[:-1]:
            block = None if block is None else block.opened.get(at)
        return block if row_id else None

    def _open(self, block: Block, at: int) -> Block | None:
        inner = block.open(at)
        if inner is not None and self._filter is not None:
            inner.shown = self._filter.shown(inner.content)
            inner.measure()
        return inner

    def _open_all(self, block: Block, at: int, seen: set[ChainKey], only: Filter | None = None) -> None:
        """Open a row and all below it, depth first, each chain at its first place; iterative."""
        if not self._opens(block, at, seen, only):
            return
        inner = self._open(block, at)
        pending = [(inner, iter(_openable(inner)))] if inner is not None else []
        while pending:
            inner, places = pending[-1]
            place = next(places, None)
            if place is None:
                if inner.opened:
                    inner.measure()
                pending.pop()
            elif self._opens(inner, place, seen, only):
                below = self._open(inner, place)
                if below is not None:
                    pending.append((below, iter(_openable(below))))

    def _opens(self, block: Block, at: int, seen: set[ChainKey], only: Filter | None) -> bool:
        if only is not None and (not only.leads_on(block.content, at) or (*block.path(), at) in self._shut):
            return False
        key = block.content.chain_at(at)
        if key is None:
            return True
        if key in seen:
            return False
        seen.add(key)
        return True

    def _open_way(self, key: ChainKey) -> RowId:
        """Open the rows down to a chain and the chain itself; answer the row that opens it."""
        return self._open_steps(self._way(key))

    def _open_steps(self, steps: Iterable[Hashable]) -> RowId:
        """Open the rows of those names, each below the one before; answer the last."""
        block: Block | None = self._top
        row_id: RowId = ()
        for step in steps:
            at = None if block is None else block.content.find({step}).get(step)
            if block is None or at is None:
                break
            row_id = (*row_id, at)
            inner = self._open(block, at)
            block.measure_upwards()
            block = inner
        return row_id

    def _way(self, key: ChainKey) -> list[Hashable]:
        if self.view == "chain":
            return [self._index.role_of_chain(key).group, key]
        steps: list[Hashable] = []
        here = key
        while (caller := self._first.get(here)) is not None:
            steps += self._steps_of_call(caller, here)
            here = caller.key
        steps += [here] if here in self._first else [here, ORPHANS]
        return steps[::-1]

    def _steps_of_call(self, caller: RuleRef, key: ChainKey) -> list[Hashable]:
        """The names of the rows that a call opens, innermost first."""
        rules = Rules(self._scene, caller.key, None)
        rule = rules.token(caller.index)
        return [rule] if rules.chain_at(caller.index) == key else [key, rule]

    def _let_through(self, key: ChainKey, rule_index: int | None) -> None:
        if self._test is None:
            return
        last = len(self._index.chains[key].rules)
        if rule_index is None:
            self._pinned_chains.add(key)
        else:
            self._pinned.add((key, rule_index if rule_index < last else None))
        self._refilter()

    def _refilter(self) -> None:
        test, pinned = self._test, self._pinned
        if test is None:
            return
        self._filter = Filter(
            self._index,
            (lambda key, at: (key, at) in pinned or test(key, at)) if pinned else test,
            self._scene.nested,
            self._pinned_chains,
            self._barred,
        )
        blocks = [self._top, *self._top.descendants()]
        for block in blocks:
            block.shown = self._filter.shown(block.content)
        for block in reversed(blocks):
            block.measure()

    def _open_matches(self) -> None:
        seen: set[ChainKey] = set()
        for at in range(self._top.content.count):
            self._open_all(self._top, at, seen, self._filter)
        self._top.measure()


def _openable(block: Block) -> Iterable[int]:
    content = block.content
    places: Iterable[int] = content.targets if isinstance(content, Rules) else range(content.count)
    return [at for at in places if block.position(at) is not None]

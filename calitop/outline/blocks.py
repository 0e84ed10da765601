"""Lines of nested open rows, counted: from a line to its row and back in O(depth * log n)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from calitop.outline.content import Content


class Block:
    """The rows below one open row, and the blocks of those that are open themselves.

    Attributes:
        content: What the rows are.
        parent: The block of the open row; None at the top.
        at: Place of the open row in its parent's content.
        opened: Open rows by their place.
        shown: Places that pass the filter, rising; None for all.
        lines: Lines of the whole block; right after `measure`.
    """

    __slots__ = ("_blocks", "_order", "_starts", "at", "content", "lines", "opened", "parent", "shown")

    def __init__(self, content: Content, parent: Block | None, at: int) -> None:
        self.content, self.parent, self.at = content, parent, at
        self.opened: dict[int, Block] = {}
        self.shown: Sequence[int] | None = None
        self._order: Sequence[int] = ()
        self._starts: Sequence[int] = ()
        self._blocks: Sequence[Block] = ()
        self.lines: int = content.count

    @property
    def size(self) -> int:
        """Rows of this block itself that pass the filter."""
        return self.content.count if self.shown is None else len(self.shown)

    def measure(self) -> None:
        """Count the lines; the open blocks below must have been measured."""
        if not self.opened:
            self._order = self._starts = ()
            self._blocks = ()
            self.lines = self.size
            return
        places = [(self.position(at), self.opened[at]) for at in sorted(self.opened)]
        self._lie([(position, block) for position, block in places if position is not None])

    def _lie(self, opened: Sequence[tuple[int, Block]]) -> None:
        """Remember where the open rows stand, by their positions among the shown rows, rising."""
        below = 0
        starts = []
        for position, block in opened:
            starts.append(position + below)
            below += block.lines
        self._order = [position for position, _ in opened]
        self._starts = starts
        self._blocks = [block for _, block in opened]
        self.lines = self.size + below

    def measure_upwards(self) -> None:
        """Count the lines of this block and of all above it."""
        block: Block | None = self
        while block is not None:
            block.measure()
            block = block.parent

    def position(self, at: int) -> int | None:
        """Which of the shown rows the one at that place is; None when the filter hides it."""
        if self.shown is None:
            return at
        position = bisect_left(self.shown, at)
        return position if position < len(self.shown) and self.shown[position] == at else None

    def locate(self, line: int) -> tuple[Block, int]:
        """The block and place of the row at that line, 0 <= line < lines."""
        block = self
        while True:
            nearest = bisect_right(block._starts, line) - 1
            if nearest < 0:
                return block, block._place(line)
            offset = line - block._starts[nearest]
            inner = block._blocks[nearest]
            if offset == 0 or offset > inner.lines:
                position = block._order[nearest] + (offset - inner.lines if offset else 0)
                return block, block._place(position)
            block, line = inner, offset - 1

    def line_within(self, at: int) -> int | None:
        """Line of the row at that place, counted from this block's first; None when hidden."""
        position = self.position(at)
        if position is None:
            return None
        before = bisect_left(self._order, position) - 1
        if before < 0:
            return position
        inner = self._starts[before] - self._order[before] + self._blocks[before].lines
        return position + inner

    def path(self) -> tuple[int, ...]:
        """Places from the top down to the open row that this block stands below."""
        places = []
        block = self
        while block.parent is not None:
            places.append(block.at)
            block = block.parent
        return tuple(reversed(places))

    def open(self, at: int) -> Block | None:
        """Open the row at that place, without counting lines; None when it cannot be opened."""
        if at not in self.opened:
            content = self.content.below(at)
            if content is None:
                return None
            self.opened[at] = Block(content, self, at)
        return self.opened[at]

    def descendants(self) -> Iterator[Block]:
        """All open blocks below, each before those below it."""
        pending = list(self.opened.values())
        while pending:
            block = pending.pop()
            yield block
            pending.extend(block.opened.values())

    def _place(self, position: int) -> int:
        return position if self.shown is None else self.shown[position]

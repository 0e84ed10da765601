"""A pane of lines without a life of their own: laid out anew for every width."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from widgets.facts import Fact
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.virtual_rows import VirtualRows

L = TypeVar("L", bound=Hashable)


class LineList(VirtualRows, Generic[L]):
    """Lines by their numbers; a subclass says what they are in a given width, and how one is drawn."""

    HAS_HEADS = False

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.lines: Sequence[L] = ()

    def lay_out(self, width: int) -> Sequence[L]:
        """The lines for rows of that many cells."""
        raise NotImplementedError

    def fill(self) -> None:
        """Lay out anew: the content or the width is another one."""
        self.lines = self.lay_out(self.rows_width)
        self.forget_strips()
        self.rows_changed()

    def on_resize(self) -> None:
        """Lay out anew for the new width."""
        self.fill()
        super().on_resize()

    def row_count(self) -> int:
        """Number of lines."""
        return len(self.lines)

    def row_id(self, line: int) -> Hashable:
        """Its number."""
        return line

    def row_face(self, line: int) -> Hashable:
        """The line itself."""
        return self.lines[line]

    def line_of(self, row_id: Hashable) -> int | None:
        """The line of that number while there is one."""
        return row_id if isinstance(row_id, int) and row_id < len(self.lines) else None


class FactList(LineList[Fact]):
    """Lines that are facts, in one look each."""

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The line, one cell off the edge."""
        fact = self.lines[line]
        return [Piece(" "), Piece(fact.text, fact.look, fact.sign)]

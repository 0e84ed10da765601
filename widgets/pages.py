"""Pages of lines to read, one at a time."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from widgets.facts import Fact
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import wrap
from widgets.virtual_rows import VirtualRows

Page = tuple[str, Sequence[Fact]]
"""A title and its lines."""


class Pages(VirtualRows):
    """Pages with a title each."""

    HAS_HEADS = False

    def __init__(
        self,
        pages: Sequence[tuple[str, Sequence[Fact]]],
        *,
        signs: Signs = UNICODE,
        css_id: str | None = None,
    ) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self._pages = pages
        self._at = 0
        self._lines: list[Fact] = []

    def turn(self, step: int) -> None:
        """Show the next or previous page, around the ends."""
        self._at = (self._at + step) % len(self._pages)
        self._fill()
        self.move_to(0)

    def on_resize(self) -> None:
        """Wrap anew for the new width."""
        self._fill()

    def _fill(self) -> None:
        width = max(20, self.rows_width - 2)
        self._lines = [piece for fact in self._pages[self._at][1] for piece in hung(fact, width)]
        self.forget_strips()
        self.rows_changed()

    def row_count(self) -> int:
        """Number of lines."""
        return len(self._lines)

    def row_id(self, line: int) -> Hashable:
        """Page and line."""
        return (self._at, line)

    def row_face(self, line: int) -> Hashable:
        """The line itself."""
        return self._lines[line]

    def line_of(self, row_id: Hashable) -> int | None:
        """Lines do not move."""
        return None

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The line."""
        fact = self._lines[line]
        return [Piece(fact.text, fact.look)]

    def pane_title(self) -> str:
        """Title, number of the page, and how to turn it."""
        title = self._pages[self._at][0]
        return f"{title}   page {self._at + 1} of {len(self._pages)}   tab next page   escape close"


def hung(fact: Fact, width: int) -> list[Fact]:
    """A line whose continuation hangs below its second column."""
    text = fact.text
    if len(text) <= width:
        return [fact]
    gap = text.find("  ", len(text) - len(text.lstrip()))
    start = len(text) - len(text[gap:].lstrip()) if gap > 0 else 2
    first, *rest = wrap(text[start:], max(10, width - start))
    return [Fact(text[:start] + first, fact.look), *(Fact(" " * start + line, fact.look) for line in rest)]

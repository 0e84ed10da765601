"""Pages of lines to read, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from widgets.facts import Fact
from widgets.lines import LineList
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import wrap

Page = tuple[str, Sequence[Fact]]
"""A title and its lines."""


class Pages(LineList[Fact]):
    """Pages with a title each."""

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

    def turn(self, step: int) -> None:
        """Show the next or previous page, around the ends."""
        self._at = (self._at + step) % len(self._pages)
        self.fill()
        self.move_to(0)

    def lay_out(self, width: int) -> Sequence[Fact]:
        """The lines of the page that is turned to."""
        room = max(20, width - 2)
        return [piece for fact in self._pages[self._at][1] for piece in hung(fact, room)]

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The line; where it has two columns, the look is that of the first."""
        fact = self.lines[line]
        gap = _gap(fact.text)
        if gap <= 0 or not fact.look:
            return [Piece(fact.text, fact.look)]
        indent = len(fact.text) - len(fact.text.lstrip())
        name = Piece(fact.text[indent:gap], fact.look)
        return [Piece(" " * indent), name, Piece(fact.text[gap:])]

    @property
    def text(self) -> str:
        """The page as text."""
        title, facts = self._pages[self._at]
        return "\n".join([title, *(fact.text for fact in facts)])

    @property
    def page(self) -> str:
        """Title of the page that is turned to."""
        return self._pages[self._at][0]

    def pane_title(self) -> str:
        """Title, number of the page, and how to turn it."""
        title = self._pages[self._at][0]
        return f"{title}   page {self._at + 1} of {len(self._pages)}   tab next page   escape close"


def hung(fact: Fact, width: int) -> list[Fact]:
    """A line whose continuation hangs below its second column."""
    text = fact.text
    if len(text) <= width:
        return [fact]
    gap = _gap(text)
    start = len(text) - len(text[gap:].lstrip()) if gap > 0 else 2
    first, *rest = wrap(text[start:], max(10, width - start))
    look = fact.look if gap <= 0 else ""
    return [Fact(text[:start] + first, fact.look), *(Fact(" " * start + line, look) for line in rest)]


def _gap(text: str) -> int:
    """Where the blanks before the second column begin; -1 where there is one column."""
    return text.find("  ", len(text) - len(text.lstrip()))

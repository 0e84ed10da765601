"""The selected thing in full: wrapped, with rows that lead on to what belongs to it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from widgets.facts import Fact
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import wrap
from widgets.view import Subject
from widgets.virtual_rows import VirtualRows


def wrapped(facts: Sequence[Fact], width: int) -> list[Fact]:
    """The facts in lines of at most `width` cells; each line still leads where its fact does."""
    return [
        Fact(("" if number == 0 else "  ") + line, fact.look, fact.target)
        for fact in facts
        for number, line in enumerate(wrap(fact.text, max(8, width - 2)))
    ]


class Detail(VirtualRows):
    """Pane of the selected thing."""

    HAS_HEADS = False
    SHOWS_BLURRED_CURSOR = False

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.empty_because = ""
        self._headline = ""
        self._subject: Subject | None = None
        self._facts: Sequence[Fact] = ()
        self._lines: list[Fact] = []

    def show_facts(self, subject: Subject | None, headline: str, facts: Sequence[Fact]) -> None:
        """Show another thing, or new numbers of the same."""
        if subject == self._subject and headline == self._headline and facts == self._facts:
            return
        is_same = subject == self._subject
        self._subject, self._headline, self._facts = subject, headline, facts
        self._lines = wrapped(facts, self.rows_width)
        self.forget_strips()
        self.rows_changed()
        if not is_same:
            self.move_to(0)
            self.scroll_home(animate=False, force=True, immediate=True)

    @property
    def text(self) -> str:
        """All of it as text, for the clipboard."""
        return "\n".join([self._headline, *(fact.text for fact in self._facts)])

    def target(self, line: int) -> Subject | None:
        """Where the line leads."""
        return self._lines[line].target

    def on_resize(self) -> None:
        """Wrap anew for the new width."""
        self._lines = wrapped(self._facts, self.rows_width)
        self.forget_strips()
        super().on_resize()

    def row_count(self) -> int:
        """Number of wrapped lines."""
        return len(self._lines)

    def row_id(self, line: int) -> Hashable:
        """Its number: lines have no life of their own."""
        return line

    def row_face(self, line: int) -> Hashable:
        """The line itself."""
        return self._lines[line]

    def line_of(self, row_id: Hashable) -> int | None:
        """The line of that number while there is one."""
        return row_id if isinstance(row_id, int) and row_id < len(self._lines) else None

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The line."""
        fact = self._lines[line]
        return [Piece(" "), Piece(fact.text, fact.look)]

    def pane_title(self) -> str:
        """What is selected."""
        return self._headline or "Nothing selected"

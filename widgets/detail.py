"""The selected thing in full: wrapped, with rows that lead on to what belongs to it."""

from __future__ import annotations

from collections.abc import Sequence

from widgets.facts import Fact
from widgets.lines import FactList
from widgets.signs import UNICODE, Signs
from widgets.text import wrap
from widgets.view import Subject

EDGE = 2
"""Cells that stand before each line: the cursor's, and a blank."""
INDENT = "  "
"""In front of every line of a fact but the first."""


def wrapped(facts: Sequence[Fact], width: int) -> list[Fact]:
    """The facts in lines of at most `width` cells; each line still leads where its fact does."""
    return [
        fact._replace(text=line) if number == 0 else Fact(f"{INDENT}{line}", fact.look, fact.target)
        for fact in facts
        for number, line in enumerate(_lines(fact.text, max(8, width - EDGE)))
    ]


def _lines(text: str, room: int) -> list[str]:
    """The text in one line, or in lines that leave room for the indent."""
    lines = wrap(text, room)
    return lines if len(lines) == 1 else wrap(text, room - len(INDENT))


class Detail(FactList):
    """Pane of the selected thing."""

    SHOWS_BLURRED_CURSOR = False

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.empty_because = ""
        self._headline = ""
        self._subject: Subject | None = None
        self._facts: Sequence[Fact] = ()

    def show_facts(self, subject: Subject | None, headline: str, facts: Sequence[Fact]) -> None:
        """Show another thing, or new numbers of the same."""
        if subject == self._subject and headline == self._headline and facts == self._facts:
            return
        is_same = subject == self._subject
        self._subject, self._headline, self._facts = subject, headline, facts
        self.fill()
        if not is_same:
            self.move_to(0)
            self.scroll_home(animate=False, force=True, immediate=True)

    @property
    def facts(self) -> Sequence[Fact]:
        """What is known, before it is wrapped."""
        return self._facts

    @property
    def text(self) -> str:
        """All of it as text, for the clipboard."""
        return "\n".join([self._headline, *(fact.text for fact in self._facts)])

    def target(self, line: int) -> Subject | None:
        """Where the line leads."""
        return self.lines[line].target

    def lay_out(self, width: int) -> Sequence[Fact]:
        """The facts, wrapped."""
        return wrapped(self._facts, width)

    def pane_title(self) -> str:
        """What is selected."""
        return self._headline or "Nothing selected"

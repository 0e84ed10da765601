"""One row of the checks in full: proof that leads to its place, reason, what to do, source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from calitop.check.catalogue import CROSS_CHECKS, NODE_CHECKS
from calitop.check.records import Evidence, Finding, KnownFault
from widgets.check_list import CheckRow, standing_words
from widgets.lines import LineList
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import wrap

LABEL = 10
"""Cells of the labels in front of the words."""
READABLE = 110
"""Cells of a line of prose; longer ones are hard to read."""
NARROWEST = 30

NOT_BY_ITSELF = "calitop changes nothing on a node: this is left to you."
KNOWN: dict[str, KnownFault] = {one.id: one for one in (*NODE_CHECKS, *CROSS_CHECKS)}


class DetailLine(NamedTuple):
    """One line, and which evidence it shows."""

    pieces: tuple[Piece, ...]
    evidence: int | None = None


def detail_lines(row: CheckRow, width: int, signs: Signs) -> Iterator[DetailLine]:
    """Everything of a row in lines of at most that width."""
    room = min(width, READABLE)
    for line in wrap(row.words, room - 1):
        yield DetailLine((Piece(f" {line}", "strong"),))
    yield DetailLine(())
    if row.finding is not None:
        yield from _finding_lines(row.finding, width, signs)
    elif row.standing == "unchecked":
        yield from _waiting_lines(row, room)
    else:
        yield from _labelled("", _of_node(row), room)


def _finding_lines(found: Finding, width: int, signs: Signs) -> Iterator[DetailLine]:
    for number, each in enumerate(found.evidence):
        yield from _evidence_lines(number, each, width, signs)
    room = min(width, READABLE)
    yield from _labelled("why", found.explain, room)
    yield from _labelled("do", found.fix, room)
    yield from _labelled("", NOT_BY_ITSELF, room, "dim")
    yield from _labelled("source", found.source, room)


def _evidence_lines(number: int, each: Evidence, width: int, signs: Signs) -> Iterator[DetailLine]:
    where = f"on {each.node}: " if each.node else ""
    head = f"{signs.jump} {each.kind:<6} "
    lead = Piece(head, "dim", "jump")
    label = "evidence" if number == 0 else ""
    for at, line in enumerate(wrap(where + each.text, max(NARROWEST, width - LABEL - len(head) - 1))):
        first = Piece(f" {label if at == 0 else '':<{LABEL}}", "dim")
        yield DetailLine(
            (first, lead if at == 0 else lead._replace(text=" " * len(head), sign=""), Piece(line)), number
        )


def _waiting_lines(row: CheckRow, room: int) -> Iterator[DetailLine]:
    yield from _labelled("", "Whether these faults are there is not known:", room)
    for each in row.waiting:
        yield DetailLine((Piece(f" {'':<{LABEL}}{each}", "strong"),))
        yield from _labelled("", f"  {KNOWN[each].explain}" if each in KNOWN else "", room, "dim")


def _of_node(row: CheckRow) -> str:
    if row.is_well:
        return "Every check was done, and nothing above information was found."
    return "What was found stands above; the inputs that were missing, if any, stand below."


def _labelled(label: str, words: str, room: int, look: str = "") -> Iterator[DetailLine]:
    for at, line in enumerate(wrap(words, max(NARROWEST, room - LABEL - 1)) if words else ()):
        yield DetailLine((Piece(f" {label if at == 0 else '':<{LABEL}}", "dim"), Piece(line, look)))


class FindingDetail(LineList[DetailLine]):
    """Pane of one row in full."""

    SHOWS_BLURRED_CURSOR = False

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.empty_because = ""
        self._row: CheckRow | None = None

    def show_row(self, row: CheckRow | None) -> None:
        """Show another row, or the same anew; the cursor begins at the first evidence."""
        is_same = row is not None and self._row is not None and row.id == self._row.id
        self._row = row
        self.fill()
        if not is_same:
            self.scroll_home(animate=False, force=True, immediate=True)
            self.move_to(next((n for n, line in enumerate(self.lines) if line.evidence is not None), 0))

    def evidence(self, line: int) -> Evidence | None:
        """What the line shows."""
        number = self.lines[line].evidence if line < len(self.lines) else None
        found = None if self._row is None else self._row.finding
        return None if number is None or found is None else found.evidence[number]

    @property
    def text(self) -> str:
        """All of it as text."""
        return "\n".join("".join(piece.text for piece in line.pieces).rstrip() for line in self.lines)

    def lay_out(self, width: int) -> Sequence[DetailLine]:
        """The lines."""
        room = max(NARROWEST + LABEL, width - 1)
        return [] if self._row is None else list(detail_lines(self._row, room, self.signs))

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The line."""
        return self.lines[line].pieces

    def pane_title(self) -> str:
        """Which check, how bad and where."""
        row = self._row
        if row is None:
            return ""
        return f"{row.check}  {standing_words(row.standing, self.signs)} on {row.node}".strip()

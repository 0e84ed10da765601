"""What the checks tell, a row each: the findings, then how much of each node was checked and what not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from calitop.check.records import Checked, Finding, NodeChecks, Severity
from calitop.report.check_text import severity_words
from calitop.report.text import plural
from widgets.columns import Column, fit
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import cell, plain, width_of
from widgets.virtual_rows import VirtualRows

Standing = Severity | Literal["checked", "unchecked"]

LOOKS: dict[Standing, str] = {
    "error": "alarm",
    "warning": "hot",
    "info": "",
    "checked": "dim",
    "unchecked": "warm",
}
UNTOLD = "?"
"""A node whose name nothing tells, as the command prints it."""


@dataclass(frozen=True)
class CheckRow:
    """One row."""

    standing: Standing
    node: str
    words: str
    """What is the matter, in one line."""
    check: str = ""
    """Id of the check, of a finding."""
    finding: Finding | None = None
    waiting: tuple[str, ...] = ()
    """Ids of the checks that lacked this input."""
    is_well: bool = False
    """Whether every check of the node was done and none found more than information."""

    @property
    def id(self) -> Hashable:
        """What the row tells, whatever else there is."""
        return self.standing, self.node, self.check, self.words

    def text(self) -> str:
        """All of its words, to search in."""
        told = [self.standing, self.node, self.words, self.check, *self.waiting]
        if self.finding is not None:
            told += [self.finding.explain, self.finding.fix, self.finding.source]
            told += [each.text for each in self.finding.evidence]
        return " ".join(told).lower()


def check_rows(checked: Checked) -> Iterator[CheckRow]:
    """The findings as they come, the worst first; then the nodes; then what was not checked."""
    for found in checked.findings:
        yield CheckRow(found.severity, found.node or UNTOLD, found.title, found.id, found)
    yield from (_node_row(each, checked) for each in checked.nodes)
    for (node, needs), ids in checked.waiting().items():
        words = f"{plural(len(ids), 'check')} not done: needs {needs}"
        yield CheckRow("unchecked", node or UNTOLD, words, waiting=tuple(ids))


def _node_row(node: NodeChecks, checked: Checked) -> CheckRow:
    found = Counter(each.severity for each in checked.findings if each.node == node.name)
    is_quiet = not (found["error"] or found["warning"])
    told = "no error, no warning" if is_quiet else severity_words(found.elements())
    of = "" if not node.not_done else f" of {node.done + node.not_done}"
    words = f"{plural(node.done, 'check')}{of} done: {told}"
    if node.not_done:
        words += f"; {node.not_done} not done"
    return CheckRow("checked", node.name or UNTOLD, words, is_well=is_quiet and not node.not_done)


def standing_words(standing: Standing, signs: Signs) -> str:
    """A sign and a word: the colour says nothing that they do not."""
    done = "·" if signs == UNICODE else "-"
    return {
        "error": f"{signs.alarm} ERROR",
        "warning": "! WARNING",
        "info": "i INFO",
        "checked": f"{done} CHECKED",
        "unchecked": "? UNCHECKED",
    }[standing]


class CheckList(VirtualRows):
    """Pane of the findings."""

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.rows: Sequence[CheckRow] = ()
        self.note = ""
        """What else the title says: since when, or that it is being looked at again."""
        self._summary = ""
        self._columns: Sequence[Column] = ()

    def say(self, why: str) -> None:
        """Show no rows, and why."""
        self.empty_because = plain(why)
        self._show((), "")

    def show_checked(self, checked: Checked) -> None:
        """Show what was found; the cursor stays on what it is on, while that is told."""
        nodes = checked.nodes[0].name or UNTOLD if len(checked.nodes) == 1 else f"{len(checked.nodes)} nodes"
        severities = severity_words(each.severity for each in checked.findings)
        self._show(tuple(check_rows(checked)), f"{nodes}: {severities}")

    def _show(self, rows: Sequence[CheckRow], summary: str) -> None:
        keep = self.current_id()
        self.rows, self._summary = rows, summary
        self._columns = _columns(rows)
        self.forget_strips()
        self.rows_changed(keep)

    def say_beside(self, note: str) -> None:
        """Add a note to the title."""
        self.note = note
        self.title_changed()

    def current(self) -> CheckRow | None:
        """The row with the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def find(self, words: str) -> list[int]:
        """Lines of the rows that hold all of the words."""
        wanted = words.lower().split()
        told = ((line, row.text()) for line, row in enumerate(self.rows)) if wanted else ()
        return [line for line, text in told if all(word in text for word in wanted)]

    def row_count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def row_id(self, line: int) -> Hashable:
        """What the row tells."""
        return self.rows[line].id

    def row_face(self, line: int) -> Hashable:
        """Its words are its identity; the widths may be others."""
        return self.rows[line].is_well

    def line_of(self, row_id: Hashable) -> int | None:
        """The row that tells the same now."""
        return next((line for line, row in enumerate(self.rows) if row.id == row_id), None)

    def columns(self) -> Sequence[Column]:
        """How bad, where, what; the check where there is room."""
        return self._columns

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The row's cells."""
        row = self.rows[line]
        look = "accept" if row.is_well else LOOKS[row.standing]
        texts = {
            "standing": (standing_words(row.standing, self.signs), look),
            "node": (row.node, ""),
            "words": (row.words, "dim" if row.standing == "checked" and not row.is_well else ""),
            "check": (row.check, "dim"),
        }
        for number, placed in enumerate(fit(self._columns, width)):
            text, look = texts[placed.column.id]
            yield Piece(" " if number else "")
            sign = "alarm" if placed.column.id == "standing" and row.standing == "error" else ""
            yield Piece(cell(text, placed.width, lose="end", cut=self.signs.cut), look, sign)

    def pane_title(self) -> str:
        """How many there are."""
        return "  ".join(part for part in ("Checks", self._summary, self.note) if part)


_STANDING = len("? UNCHECKED")


def _columns(rows: Sequence[CheckRow]) -> list[Column]:
    """The node is named where there are several."""

    def widest(texts: Iterable[str], least: int) -> int:
        return max([least, *(width_of(plain(text)) for text in texts)])

    node = widest((row.node for row in rows), 4)
    words = widest((row.words for row in rows), 8)
    check = widest((row.check for row in rows), 5)
    return [
        Column("standing", "severity", 0, _STANDING, _STANDING),
        *([Column("node", "node", 1, min(node, 12), node)] if len({row.node for row in rows}) > 1 else []),
        Column("words", "finding", 2, 20, words),
        Column("check", "check", 10, 12, check),
    ]

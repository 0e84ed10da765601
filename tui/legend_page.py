"""The legend of one screen at one moment: what is painted there, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Label

from tui.legend import COLUMNS, HEAT, LOOKS_OF, SIGNS, SIGNS_OF, STATUS, WORDS, Entry
from tui.legend_names import names_on
from widgets.facts import Fact
from widgets.pane_tabs import PaneTabs
from widgets.pieces import Piece
from widgets.signs import Signs
from widgets.status_line import StatusLine
from widgets.text import cell, plain, width_of
from widgets.view import View
from widgets.virtual_rows import VirtualRows
from widgets.wording import OWNER_SIGNS

SAMPLE = 16
"""Cells of a text that shows a look at most: the rest of the line says what it means."""
NAME = 24
"""The same for a name that means something itself."""
SHORT = 14
"""Cells of a sign with its words that is shown as it stands on screen."""

TITLES = {
    "routes": "Routes",
    "links": "Interfaces",
    "chains": "Chains",
    "detail": "Detail",
    "answer": "The answer",
    "path": "The path",
    "checks": "Checks",
    "finding": "The finding",
    "members": "Members",
    "files": "Files",
}
NOTHING = "Nothing here has a sign or a colour of its own."


def legend(screen: Screen[object], signs: Signs, view: View | None) -> list[Fact]:
    """What is on the screen, the pane with the cursor first.

    Args:
        screen: The screen whose signs are to be named.
        signs: Signs of this terminal.
        view: The node shown, whose rules say what marks and sets are; None before it was read.
    """
    panes = _panes(screen)
    page = _Page(signs)
    for pane in panes:
        page.pane(pane, has_cursor=pane is screen.focused)
        if pane is panes[0]:
            page.section("Names on screen", names_on(panes, view, signs))
    for label in screen.query(Label):
        if label.id is not None and _is_painted(label):
            page.label(label.id, Piece(str(label.content)))
    page.section("Top line", _status(screen))
    return page.facts[1:] or [Fact(NOTHING, "note")]


def _panes(screen: Screen[object]) -> list[VirtualRows]:
    """The panes that are painted, that with the cursor first."""
    shown = [pane for pane in screen.query(VirtualRows) if _is_painted(pane)]
    return sorted(shown, key=lambda pane: pane is not screen.focused)


def _is_painted(widget: Widget) -> bool:
    return widget.display and widget.size.area > 0


def _kind(pane: VirtualRows) -> str:
    """Key of the pane in the tables of the legend."""
    return (pane.id or "").partition("-")[0]


@dataclass
class _Page:
    """The lines; what was named once is not named again."""

    signs: Signs
    facts: list[Fact] = field(default_factory=list)
    named: set[str] = field(default_factory=set)

    def section(self, title: str, facts: Iterable[Fact], most: int = NAME) -> None:
        """Lines `name, two blanks, meaning` below a heading, in columns."""
        found = list(facts)
        if not found:
            return
        widest = min(most, max(width_of(plain(fact.text.partition("\t")[0])) for fact in found))
        self.facts += [Fact(""), Fact(title, "strong")]
        for fact in found:
            name, _, means = fact.text.partition("\t")
            self.facts.append(Fact(f"  {cell(name, widest, cut=self.signs.cut)}  {means}", fact.look))

    def pane(self, pane: VirtualRows, *, has_cursor: bool) -> None:
        """Everything of one pane that was not named before."""
        pieces = [*pane.title_pieces(), *(piece for row in pane.painted() for piece in row)]
        kind = _kind(pane)
        here = ": the cursor is here" if has_cursor else ""
        told = [
            *self._signs(kind, pieces),
            *self._words(kind, pieces),
            *self._looks(kind, pieces),
            *self._owners(pieces),
            *self._columns(pane.painted_heads()),
        ]
        self.section(f"{TITLES.get(kind, 'Here')}{here}", told, SAMPLE)

    def label(self, name: str, piece: Piece) -> None:
        """The words of a line that is no row."""
        self.section("Here", self._words(name, [piece]))

    def _is_new(self, *name: str) -> bool:
        key = " ".join(name)
        is_new = key not in self.named
        self.named.add(key)
        return is_new

    def _signs(self, kind: str, pieces: Sequence[Piece]) -> Iterator[Fact]:
        """Each sign as it stands there, in the order of the table; those beside a word go with the word."""
        found: dict[str, Piece] = {}
        for piece in pieces:
            is_told = piece.sign not in ("", "part") and self._word(kind, piece) is not None
            for sign in () if is_told else signs_in(piece, self.signs):
                found.setdefault(sign, piece)
        for entry in _table(SIGNS, SIGNS_OF.get(kind, ())):
            if entry.name in found and self._is_new("sign", entry.name, entry.means):
                yield self._sign(entry, found[entry.name])

    def _word(self, kind: str, piece: Piece) -> Entry | None:
        text = _without_sign(piece, self.signs)
        return next((entry for entry in WORDS.get(kind, ()) if re.search(entry.name, text)), None)

    def _sign(self, entry: Entry, piece: Piece) -> Fact:
        """With the words beside it where they are short, and the look of its row."""
        text = piece.text.strip()
        is_short = piece.sign == entry.name and width_of(text) <= SHORT and "  " not in text
        name = text if is_short else getattr(self.signs, entry.name)
        look = {"cursor": "cursor", "related": "related"}.get(entry.name, piece.look)
        return Fact(f"{name}\t{entry.means}", look)

    def _words(self, kind: str, pieces: Sequence[Piece]) -> Iterator[Fact]:
        """The words of the pane's own that are there, with the sign before them."""
        found = {entry: piece for piece in reversed(pieces) if (entry := self._word(kind, piece))}
        for entry in WORDS.get(kind, ()):
            if entry in found and self._is_new("word", entry.name):
                piece = found[entry]
                match = re.search(entry.name, _without_sign(piece, self.signs))
                sign = f"{getattr(self.signs, piece.sign)} " if piece.sign not in ("", "part") else ""
                yield Fact(f"{sign}{match[0] if match else ''}\t{entry.means}", piece.look if sign else "")

    def _looks(self, kind: str, pieces: Sequence[Piece]) -> Iterator[Fact]:
        for entry in _table(HEAT, LOOKS_OF.get(kind, ())):
            texts = [" ".join(piece.text.split()) for piece in pieces if self._has_look(piece, entry.name)]
            if entry.name == "plain":
                texts = [text for text in texts if kind == "chains" and text.startswith("+")]
            if texts and self._is_new("look", entry.name, entry.means):
                text = "0" if entry.name == "dim" and "0" in texts else texts[0]
                yield Fact(f"{text}\t{entry.means}", "" if entry.name == "plain" else entry.name)

    def _has_look(self, piece: Piece, look: str) -> bool:
        """Whether something without a sign is painted so: a sign says the same."""
        is_sign = bool(piece.sign) or piece.text.strip() in ("", self.signs.unknown, self.signs.still)
        return piece.look == ("" if look == "plain" else look) and not is_sign

    def _owners(self, pieces: Sequence[Piece]) -> Iterator[Fact]:
        """The owners whose colour is there, by the shortest text that has it."""
        for owner in (*OWNER_SIGNS, "other"):
            texts = [piece.text.strip() for piece in pieces if piece.look == owner and piece.text.strip()]
            if texts and self._is_new("owner", owner):
                means = "other owners, by their first letters" if owner == "other" else f"made by {owner}"
                yield Fact(f"{min(texts, key=width_of)}\t{means}", owner)

    def _columns(self, heads: Sequence[str]) -> Iterator[Fact]:
        for entry in COLUMNS:
            words = [entry.name] if entry.name in heads else _of_column(entry.name, heads)
            if words and self._is_new("column", entry.name):
                yield Fact(f"{' '.join(words)}\t{entry.means}", "heads")


def _table(usual: Sequence[Entry], own: Sequence[Entry]) -> list[Entry]:
    """The usual entries with a pane's own in the place of theirs."""
    named = {entry.name: entry for entry in own}
    return [named.get(entry.name, entry) for entry in usual]


def _of_column(name: str, heads: Sequence[str]) -> list[str]:
    """The heads that an entry for several columns tells of (`rx + tx +`)."""
    return [head for head in re.findall(r"\S+(?: \+)?", name) if head in heads]


def _without_sign(piece: Piece, signs: Signs) -> str:
    """The words of a piece; of a bar of signs, those behind it."""
    text = piece.text.strip()
    return text.lstrip(getattr(signs, piece.sign)).strip() if piece.sign else text


def signs_in(piece: Piece, signs: Signs) -> Iterator[str]:
    """Fields of the signs that a piece shows: its own, those that fill a cell, and that of a cut text."""
    text = _without_sign(piece, signs)
    if piece.sign:
        yield piece.sign
    if text == signs.unknown:
        yield "unknown"
    elif text == signs.still:
        yield "still"
    elif text.startswith(signs.at_least) and text.removeprefix(signs.at_least)[:1].isdigit():
        yield "at_least"
    if signs.cut in text:
        yield "cut"


def _status(screen: Screen[object]) -> Iterator[Fact]:
    """The parts of the lines above the panes."""
    for line in screen.query(StatusLine):
        parts = {part.name: part for part in line.painted()}
        for entry in STATUS:
            if entry.name in parts:
                yield Fact(f"{parts[entry.name].text}\t{entry.means.replace('`', '')}")
    if any(_is_painted(tabs) for tabs in screen.query(PaneTabs)):
        yield Fact("[ ]\tin brackets: the pane that is shown")

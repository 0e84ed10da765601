"""The chain tree: rules in the order a packet meets them, or chain by chain, with their counters."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import partial
from typing import Literal

from calitop.model.rules import ChainKey
from calitop.outline import Outline, Row
from widgets import numbers
from widgets.columns import Column, Placed, fit
from widgets.signs import UNICODE, Signs
from widgets.text import cell, plain, shorten_end, shorten_middle, width_of
from widgets.view import ChainId, Figures, RuleId, View
from widgets.virtual_rows import Piece, VirtualRows
from widgets.wording import VERDICTS, is_loud, rule_action, rule_comment, rule_conditions

Arrangement = Literal["hook", "chain"]

_LABEL = Column("label", "", 0, 26, 10_000)
_SINCE = Column("since", "since", 1, 7, 9, right=True)
_RATE = Column("rate", "/s", 2, 5, 6, right=True)
_PACKETS = Column("packets", "packets", 3, 7, 12, right=True)
_BYTES = Column("bytes", "bytes", 4, 7, 14, right=True)


def row_place(row: Row) -> RuleId | None:
    """Whose counter the row shows; None for a row that counts nothing itself."""
    if row.key is None:
        return None
    if row.rule_index is not None:
        return RuleId(row.key, row.rule_index)
    return RuleId(row.key, None) if row.kind == "policy" else None


def row_target(view: View, row: Row) -> ChainKey | None:
    """The chain that the row's rule leads to."""
    if row.key is None or row.rule is None or row.rule.target is None:
        return None
    target = ChainKey(row.key.family, row.key.backend, row.key.table, row.rule.target)
    return target if target in view.chains else None


class RowWords:
    """Text of one row of the tree; knows no terminal."""

    def __init__(self, view: View, signs: Signs) -> None:
        self.view = view
        self.signs = signs

    def label(self, row: Row) -> list[Piece]:
        """The row without its numbers, as long as it is."""
        indent = Piece("  " * row.depth)
        opener = Piece(self._opener(row), "dim")
        if row.rule is not None:
            return [indent, opener, *self._rule(row)]
        return [indent, opener, *self._chain(row)]

    def _opener(self, row: Row) -> str:
        if not row.openable:
            return "  "
        return (self.signs.opened if row.is_open else self.signs.closed) + " "

    def _rule(self, row: Row) -> Iterable[Piece]:
        rule = row.rule
        assert rule is not None
        yield Piece(f"{self.signs.unknown if rule.number is None else rule.number} ", "dim")
        target = row_target(self.view, row)
        if target is not None:
            yield Piece(f"{self.signs.goto if rule.verb == 'goto' else self.signs.jump} ", "strong")
            yield Piece(plain(target.chain), owner_of(self.view, target))
        elif action := plain(rule_action(rule)):
            yield Piece(action, VERDICTS.get(rule.target or "", ""))
        yield from self._marks(row, target)
        if conditions := plain(rule_conditions(rule)):
            yield Piece("  " + conditions)
        if comment := plain(rule_comment(rule)):
            yield Piece(f'  "{comment}"', "note")

    def _marks(self, row: Row, target: ChainKey | None) -> Iterable[Piece]:
        if row.kind == "reference":
            yield Piece(f" {self.signs.above} open above", "dim")
        elif row.kind == "missing" or (target is not None and not self.view.chains[target].present):
            yield Piece(f" {self.signs.missing} not in this text", "note")
        elif target is not None and not row.is_open:
            yield from self._moved(target)

    def _moved(self, key: ChainKey) -> Iterable[Piece]:
        if moved := self.view.moved_in(key):
            yield Piece(f"  {moved} moved", "warm")

    def _chain(self, row: Row) -> Iterable[Piece]:
        if row.kind in ("hook", "group"):
            yield Piece(plain(row.title), "strong")
        elif row.kind == "policy":
            policy = self.view.chains[row.key].policy if row.key in self.view.chains else None
            yield Piece(plain(row.title), "deny" if policy == "DROP" else "accept" if policy else "")
            return
        elif row.kind == "note" or row.key is None:
            yield Piece(plain(row.title), "note")
            return
        else:
            yield Piece(plain(row.title), owner_of(self.view, row.key))
        if row.key is not None:
            yield from self._chain_facts(row, row.key)

    def _chain_facts(self, row: Row, key: ChainKey) -> Iterable[Piece]:
        chain = self.view.chains.get(key)
        if chain is not None and not chain.present:
            yield Piece(f"  {self.signs.missing} not in this text", "note")
            return
        if chain is not None and chain.policy:
            yield Piece(f"  policy {chain.policy}", "deny" if chain.policy == "DROP" else "dim")
        words = self.view.index.role_of_chain(key).words
        if words:
            yield Piece(f"  {plain(words)}", "dim")
        if not row.is_open:
            yield from self._moved(key)

    def number(self, row: Row, column: str, width: int) -> str:
        """Text of one of the number columns."""
        place = row_place(row)
        if place is None:
            return ""
        figures = self.view.figures(place)
        if column == "since":
            return self._since(row, figures, width)
        if column == "rate":
            return numbers.per_second(figures.per_s, width, self.signs)
        number = figures.packets if column == "packets" else figures.bytes
        return numbers.count(number, width, self.signs)

    def _since(self, row: Row, figures: Figures, width: int) -> str:
        sign = ""
        if (figures.since_packets or 0) > 0:
            sign = self.signs.alarm if self.is_alarm(row) else self.signs.hot if figures.heat >= 3 else ""
        text = numbers.since(figures.since_packets, figures.exact, width - width_of(sign), self.signs)
        return sign + text

    def is_alarm(self, row: Row) -> bool:
        """Whether the row throws packets away and did so since the baseline."""
        place = row_place(row)
        if place is None or (self.view.figures(place).since_packets or 0) <= 0:
            return False
        if row.rule is not None:
            return is_loud(row.rule)
        chain = self.view.chains.get(place.key)
        return chain is not None and chain.policy == "DROP"

    def number_look(self, row: Row, column: str) -> str:
        """Look of a number: loud, hot, warm, or dim when nothing moved."""
        place = row_place(row)
        if place is None or column in ("packets", "bytes"):
            return "dim"
        figures = self.view.figures(place)
        if not figures.since_packets:
            return "dim"
        if self.is_alarm(row):
            return "alarm"
        return {3: "hot", 2: "warm"}.get(figures.heat, "")


def owner_of(view: View, key: ChainKey) -> str:
    """Look of the chain's owner; empty for nobody's chain."""
    owner = view.index.owner_of_chain(key)
    return "" if owner is None else owner


def fit_label(pieces: Sequence[Piece], width: int, cut: str) -> list[Piece]:
    """Pieces cut and filled to exactly `width` cells."""
    fitted: list[Piece] = []
    room = width
    for piece in pieces:
        if room <= 0:
            break
        taken = shorten_end(piece.text, room, cut)
        fitted.append(Piece(taken, piece.look))
        room -= width_of(taken)
    return [*fitted, Piece(" " * max(0, room))]


class ChainTree(VirtualRows):
    """Pane of the chains."""

    def __init__(self, *, signs: Signs = UNICODE, id: str | None = None) -> None:
        super().__init__(signs=signs, id=id)
        self.view: View | None = None
        self.outline: Outline | None = None
        self.arrangement: Arrangement = "hook"
        self.hits_only = False
        self._words: RowWords | None = None

    # What it shows ------------------------------------------------------------

    def show_outline(self, view: View, outline: Outline) -> None:
        """Take over other rules; the cursor stays on its row where that is still there."""
        keep = self.current_id()
        self.outline = outline
        self.arrangement = outline.view
        self.show_view(view, repaint=False)
        self._filter()
        self.forget_strips()
        self.rows_changed(keep)

    def show_view(self, view: View, *, repaint: bool = True) -> None:
        """Take over new numbers of the same rules."""
        self.view = view
        self._words = RowWords(view, self.signs)
        if not repaint:
            return
        if self.hits_only:
            keep = self.current_id()
            self._filter()
            self.rows_changed(keep)
        else:
            self.numbers_changed()
            self.title_changed()

    def filter_hits(self, hits_only: bool) -> None:
        """Show only rules that counted since the baseline, or all again."""
        keep = self.current_id()
        self.hits_only = hits_only
        self._filter()
        self.rows_changed(keep)

    def _filter(self) -> None:
        if self.outline is not None and self.view is not None:
            self.outline.keep(partial(has_moved, self.view) if self.hits_only else None)

    # Opening and closing ------------------------------------------------------

    def row(self, line: int) -> Row:
        """The row at that line."""
        assert self.outline is not None
        return self.outline.row(line)

    def current_row(self) -> Row | None:
        """The row with the cursor."""
        return self.row(self.cursor) if self.row_count() else None

    def action_open_below(self) -> None:
        """Open everything below the row, or close it when it is open."""
        row = self.current_row()
        if row is not None and self.outline is not None:
            self.outline.open_below(row, not row.is_open)
            self.rows_changed(row.id)

    def set_open(self, row: Row, is_open: bool) -> None:
        """Open or close one row."""
        if self.outline is not None and row.openable and row.is_open != is_open:
            self.outline.set_open(row, is_open)
            self.rows_changed(row.id)

    def action_side(self, how: str) -> bool:
        """Left closes or goes to the parent, right opens or goes inside; False when neither can be."""
        row = self.current_row()
        if row is None:
            return False
        if row.openable and row.is_open == (how == "left"):
            self.set_open(row, how == "right")
            return True
        line = self.parent_line(self.cursor) if how == "left" else self.child_line(self.cursor)
        if line is not None:
            self.move_to(line)
        return line is not None

    def parent_line(self, line: int) -> int | None:
        """Line of the row that this one stands below."""
        depth = self.row(line).depth
        return next((above for above in range(line - 1, -1, -1) if self.row(above).depth < depth), None)

    def child_line(self, line: int) -> int | None:
        """Line of the first row below, where the row is open."""
        below = line + 1
        if below < self.row_count() and self.row(below).depth > self.row(line).depth:
            return below
        return None

    def toggle_at(self, line: int, x: int) -> bool:
        """Open or close the row when its opener was clicked."""
        row = self.row(line)
        on_opener = 1 + 2 * row.depth <= x < 3 + 2 * row.depth
        if row.openable and on_opener:
            self.set_open(row, not row.is_open)
        return row.openable and on_opener

    def reveal(self, key: ChainKey, index: int | None = None) -> bool:
        """Open what hides a chain or rule and put the cursor there; False where it is not shown."""
        if self.outline is None:
            return False
        line = self.outline.reveal(key, index)
        if line is None:
            return False
        self.rows_changed()
        self.move_to(line, centre=True)
        return True

    # Rows ---------------------------------------------------------------------

    def row_count(self) -> int:
        """Number of rows that are open to view."""
        return 0 if self.outline is None else len(self.outline)

    def row_id(self, line: int) -> Hashable:
        """The outline's identity of the row."""
        return self.row(line).id

    def light_id(self, line: int) -> Hashable:
        """The chain that the row stands for: its own, or the one its rule leads to."""
        row = self.row(line)
        if row.key is None or self.view is None:
            return None
        if row.rule is None:
            return ChainId(row.key)
        target = row_target(self.view, row)
        if target is not None and ChainId(target) in self.light.related | self.light.leads:
            return ChainId(target) if not row.is_open or ChainId(target) in self.light.related else None
        return RuleId(row.key, row.rule_index)

    def row_face(self, line: int) -> Hashable:
        """Opening and numbers of the row."""
        row = self.row(line)
        place = row_place(row)
        if self.view is None:
            return None
        figures = None if place is None else self.view.figures(place)._replace(age_s=0.0)
        below = row.key if row.rule is None else row_target(self.view, row)
        moved = self.view.moved_in(below) if below is not None and not row.is_open else 0
        return (row.is_open, row.openable, row.depth, figures, moved)

    def line_of(self, row_id: Hashable) -> int | None:
        """Line of the row; None when it is closed away or gone."""
        return None if self.outline is None else self.outline.line_of(row_id)

    def columns(self) -> Sequence[Column]:
        """The number columns; rates only where there are any."""
        rate = [_RATE] if self.view is None or self.view.live else []
        return [_LABEL, _PACKETS, _BYTES, _SINCE, *rate]

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """Label, then the numbers that fit."""
        words = self._words
        if words is None:
            return []
        row = self.row(line)
        return [piece for placed in fit(self.columns(), width) for piece in self._cell(words, row, placed)]

    def _cell(self, words: RowWords, row: Row, placed: Placed) -> Iterable[Piece]:
        column = placed.column.id
        if column == "label":
            yield from fit_label(words.label(row), placed.width, self.signs.cut)
            return
        yield Piece(" ")
        text = words.number(row, column, placed.width)
        blanks = " " * (placed.width - width_of(text))
        yield Piece(blanks)
        yield Piece(text, words.number_look(row, column))

    def pane_title(self) -> str:
        """The view in use, and what moved in it."""
        arrangement = "by hook" if self.arrangement == "hook" else "by chain"
        chains = 0 if self.view is None else sum(1 for chain in self.view.chains.values() if chain.present)
        only = "  hits only" if self.hits_only else ""
        return f"Chains {chains}  {arrangement}{only}"

    def heads_text(self, width: int) -> str:
        """Column heads; the label has none."""
        placed = fit(self.columns(), width)
        return " " + " ".join(cell(one.column.title, one.width, one.column.right) for one in placed)


def has_moved(view: View, key: ChainKey, index: int | None) -> bool:
    """Whether the rule or policy has counted since the baseline."""
    return (view.figures(RuleId(key, index)).since_packets or 0) > 0


__all__ = ["Arrangement", "ChainTree", "RowWords", "fit_label", "has_moved", "row_place", "shorten_middle"]

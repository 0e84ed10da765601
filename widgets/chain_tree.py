"""The chain tree: rules in the order a packet meets them, or chain by chain, with their counters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from textual.cache import LRUCache

from calitop.model.rules import ChainKey, TableKey
from calitop.outline import Outline, Row
from widgets.chain_words import RowWords, fit_label, row_place
from widgets.columns import Column, Placed, fit
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import width_of
from widgets.view import UNKNOWN, ChainId, Figures, MapId, RuleId, View
from widgets.virtual_rows import VirtualRows

Arrangement = Literal["hook", "chain"]
Path = tuple[Hashable, ...]

WHOLE_NAME = 36
"""Cells of a label that shows a workload's chain with its number, some levels deep."""

CACHED_ROWS = 512
"""More than any screen has lines: every poll asks for each of them."""

NARROW = 64
"""Cells below which levels are indented by one cell only."""

NO_HITS = "no rule was hit since the baseline; i shows all rules"
NO_BASELINE = "there is no baseline to count hits from; i shows all rules"

_LABEL = Column("label", "", 0, 26, 10_000)
_SINCE = Column("since", "since", 1, 6, 9, right=True)
_RATE = Column("rate", "/s", 2, 5, 6, right=True)
_PACKETS = Column("packets", "packets", 3, 7, 12, right=True)
_BYTES = Column("bytes", "bytes", 4, 7, 14, right=True)


class ChainTree(VirtualRows):
    """Pane of the chains."""

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.view: View | None = None
        self.outline: Outline | None = None
        self.arrangement: Arrangement = "hook"
        self.hits_only = False
        self._words: RowWords | None = None
        self._rows: LRUCache[int, Row] = LRUCache(CACHED_ROWS)
        """Rows by their lines, since lines last came or went."""
        self._present = 0
        """Chains that the text holds."""

    # What it shows ------------------------------------------------------------

    def show_outline(self, view: View, outline: Outline) -> None:
        """Take over other rules; the cursor stays on its row where that is still there."""
        path = self.current_path() if self.arrangement == outline.view else None
        self.outline = outline
        self.arrangement = outline.view
        self.view = view
        self._words = RowWords(view, self.signs)
        self._present = sum(chain.present for chain in view.chains.values())
        self._filter()
        self.forget_strips()
        line = None if path is None else outline.line_of_path(path)
        self.rows_changed()
        self.move_to(self.cursor if line is None else line)

    def show_view(self, view: View) -> None:
        """Take over new numbers of the same rules."""
        had = None if self.view is None else self.view.hits
        self.view = view
        self._words = RowWords(view, self.signs)
        if self.hits_only and had != view.hits:
            self._keep_row(self._filter)
        else:
            self.numbers_changed()

    def filter_hits(self, hits_only: bool) -> None:
        """Show only rules that counted since the baseline, or all again."""
        self.hits_only = hits_only
        self._keep_row(self._filter)
        self.title_changed()

    def _filter(self) -> None:
        if self.outline is None or self.view is None:
            return
        if not self.hits_only:
            return self.outline.keep(None)
        hits = self.view.hits
        self.outline.keep(lambda key, index: (key, index) in hits, barred=self._surely_quiet)

    def empty_words(self) -> str:
        """That the filter hides all there is, or why there is nothing."""
        if not self.hits_only or self.view is None or not self._present:
            return super().empty_words()
        return NO_BASELINE if self.view.counts is None else NO_HITS

    def _surely_quiet(self, key: ChainKey, index: int | None) -> bool:
        """Nothing came this way: a packet below was counted on another way to the same chain."""
        figures = UNKNOWN if self.view is None else self.view.figures(RuleId(key, index))
        return figures.since_packets == 0 and figures.exact

    def _keep_row(self, change: Callable[[], None]) -> None:
        path = self.current_path()
        change()
        line = None if path is None or self.outline is None else self.outline.line_of_path(path)
        self.rows_changed()
        self.move_to(0 if line is None else line)

    def current_path(self) -> Path | None:
        """A name of the row with the cursor that outlives new rules."""
        row = self.current_row()
        return None if row is None or self.outline is None else self.outline.path_of(row.id)

    def return_to(self, path: Path) -> None:
        """Put the cursor on the row of that name, opening what hides it."""
        if self.outline is not None:
            self.outline.restore([path[:-1]] if len(path) > 1 else [])
            self.rows_changed()
            self.move_to(self.outline.line_of_path(path) or 0)

    # Opening and closing ------------------------------------------------------

    def row(self, line: int) -> Row:
        """The row at that line."""
        assert self.outline is not None
        row = self._rows.get(line)
        if row is None:
            row = self._rows[line] = self.outline.row(line)
        return row

    def rows_changed(self, keep: Hashable | None = None) -> None:
        """See `VirtualRows.rows_changed`."""
        self._rows.clear()
        super().rows_changed(keep)

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

    def open_current(self) -> None:
        """Open the row with the cursor."""
        row = self.current_row()
        if row is not None:
            self.set_open(row, True)

    def action_side(self, how: str) -> bool:
        """Left closes or goes to the parent, right opens or goes inside; False when neither can be."""
        row = self.current_row()
        if row is None:
            return False
        if row.openable and row.is_open == (how == "left"):
            self.set_open(row, how == "right")
            return True
        line = self._parent_line(row) if how == "left" else self.child_line(self.cursor)
        if line is not None:
            self.move_to(line)
        return line is not None

    def _parent_line(self, row: Row) -> int | None:
        return None if self.outline is None else self.outline.parent_line(row.id)

    def child_line(self, line: int) -> int | None:
        """Line of the first row below, where the row is open."""
        below = line + 1
        if below < self.row_count() and self.row(below).depth > self.row(line).depth:
            return below
        return None

    @property
    def indent(self) -> int:
        """Cells a level; less where there is little room."""
        return 1 if self.rows_width < NARROW else 2

    def toggle_at(self, line: int, x: int) -> bool:
        """Open or close the row when its opener was clicked."""
        row = self.row(line)
        start = 1 + self.indent * row.depth
        on_opener = start <= x < start + 2
        if row.openable and on_opener:
            self.set_open(row, not row.is_open)
        return row.openable and on_opener

    def tables_in_view(self) -> frozenset[TableKey]:
        """Tables of the rows on screen."""
        rows = [self.row(line) for line in self.visible_lines()]
        chains = {TableKey(*row.key[:3]) for row in rows if row.key is not None}
        return frozenset(chains | {row.map.table for row in rows if row.map is not None})

    def reveal(self, key: ChainKey, index: int | None = None) -> bool:
        """Open what hides a chain or rule and put the cursor there; False where there is none.

        An index behind the last rule means the policy.
        """
        if self.outline is None or self.view is None or key not in self.view.chains:
            return False
        line = self.outline.reveal(key, index)
        self.rows_changed()
        self.move_to(line, centre=True)
        return True

    def reveal_rule(self, place: RuleId) -> bool:
        """The same for a rule or, without an index, the chain's policy."""
        chain = None if self.view is None else self.view.chains.get(place.key)
        return chain is not None and self.reveal(
            place.key, len(chain.rules) if place.at is None else place.at
        )

    def reveal_map(self, place: MapId) -> bool:
        """The same for a named set or map, or one of its elements."""
        if self.outline is None or self.view is None or place.key not in self.view.index.maps.maps:
            return False
        line = self.outline.reveal_map(place.key, place.at)
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

    def lit(self, line: int) -> int:
        """2 for a row that belongs to the selection elsewhere, 1 for a closed one above such a row."""
        row = self.row(line)
        own: tuple[Hashable, ...]
        if row.key is None:
            places = () if row.map is None else (MapId(row.map, row.element),)
            own = (*places, *map(ChainId, row.targets))
        elif row.rule is None:
            own = (ChainId(row.key),) if row.kind != "policy" else ()
        else:
            own = (RuleId(row.key, row.rule_index), *map(ChainId, row.targets))
        if not self.light.related.isdisjoint(own):
            return 2
        return 1 if not row.is_open and not self.light.leads.isdisjoint(own) else 0

    def row_face(self, line: int) -> Hashable:
        """Opening and numbers of the row."""
        row = self.row(line)
        if self.view is None:
            return None
        place = row_place(row)
        figures = None if place is None else self.view.figures(place)._replace(age_s=0.0)
        below = () if row.is_open else row.targets if row.rule or row.key is None else (row.key,)
        return (row.is_open, row.openable, figures, sum(map(self.view.moved_in, below)))

    def line_of(self, row_id: Hashable) -> int | None:
        """Line of the row; None when it is closed away or gone."""
        if self.outline is None or not isinstance(row_id, tuple):
            return None
        return self.outline.line_of(row_id)

    def columns(self) -> Sequence[Column]:
        """The number columns; differences and rates only where there are any."""
        rate = [_RATE] if self.view is None or self.view.live else []
        since = [_SINCE] if self.view is None or self.view.counts is not None else []
        width = self.rows_width - 1  # without the gutter
        least = WHOLE_NAME if width > WHOLE_NAME + _SINCE.least else _LABEL.least
        label = replace(_LABEL, least=max(least, width * 11 // 20))
        return [label, _PACKETS, _BYTES, *since, *rate]

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """Label, then the numbers that fit."""
        words = self._words
        if words is None:
            return []
        row = self.row(line)
        figures = words.figures(row)
        if figures is None:
            return fit_label(words.label(row, self.indent), width, self.signs.cut)
        return [
            piece
            for placed in fit(self.columns(), width)
            for piece in self._cell(words, row, figures, placed)
        ]

    def _cell(self, words: RowWords, row: Row, figures: Figures, placed: Placed) -> Iterable[Piece]:
        column = placed.column.id
        if column == "label":
            yield from fit_label(words.label(row, self.indent), placed.width, self.signs.cut)
            return
        yield Piece(" ")
        text = words.number(row, figures, column, placed.width)
        blanks = " " * (placed.width - width_of(text))
        yield Piece(blanks)
        sign = words.number_sign(row, figures, column)
        yield Piece(text, words.number_look(row, figures, column), sign)

    def title_pieces(self) -> Iterator[Piece]:
        """The view in use, what is left out of it, and whether rules are all there is."""
        yield Piece(f"Chains {self._present}")
        yield Piece("by hook" if self.arrangement == "hook" else "by chain")
        if self.hits_only:
            yield Piece("hits only")
        if self.view is not None and self.view.index.bpf is not None:
            yield Piece(f"{self.signs.bpf} BPF decides", sign="bpf")

    def pane_title(self) -> str:
        """The same as text."""
        return "  ".join(piece.text for piece in self.title_pieces())

"""Rows drawn one line at a time: the base of every pane, whatever its size.

No object is kept per row. A subclass says how many rows there are, what identifies one and
which pieces of text it shows; cursor, scrolling, mouse, cache and colours are here.
Keys are not: the application binds them in one table and calls the actions.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.columns import Column, fit
from widgets.looks import LOOKS, LOOKS_CSS
from widgets.pieces import NO_LIGHT, Light, Piece, cropped
from widgets.scrollbar import PlainScrollBar
from widgets.signs import ASCII, UNICODE, Signs
from widgets.text import cell, plain, shorten_end, wrap

CACHED_STRIPS = 2048
"""More than the rows of any screen, so that scrolling back is free."""

ROWS_REPAINTED_SINGLY = 20
"""Above this many changed rows one repaint of the pane is cheaper (measured)."""


class RowMessage(Message):
    """Something about one row of a pane."""

    def __init__(self, rows: VirtualRows, line: int) -> None:
        super().__init__()
        self.rows = rows
        self.line = line

    @property
    def control(self) -> VirtualRows:
        """The pane that sent it."""
        return self.rows


class VirtualRows(ScrollView, can_focus=True, inherit_bindings=False):
    """A scrolling pane of rows with a title line, column heads and a cursor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"rows--{look}" for look in LOOKS}

    DEFAULT_CSS = f"""
    VirtualRows {{
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 1 1;
        scrollbar-gutter: stable;
{LOOKS_CSS}
    }}
    """

    SHOWS_BLURRED_CURSOR: ClassVar[bool] = True
    """Whether the cursor row is marked while the focus is elsewhere."""

    HAS_HEADS: ClassVar[bool] = True
    """Whether column heads stand below the title, above the rows that scroll."""

    cursor: reactive[int] = reactive(0, repaint=False)
    """Row that the cursor is on, from 0."""

    class Highlighted(RowMessage):
        """The cursor moved to another row."""

        def can_replace(self, message: Message) -> bool:
            """Only the newest place of a cursor matters."""
            return isinstance(message, VirtualRows.Highlighted) and message.rows is self.rows

    class Entered(RowMessage):
        """The operator asks to go where the row leads."""

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(id=css_id)
        self.signs = signs
        self.empty_because = "reading" + signs.cut
        self.light = NO_LIGHT
        self.titled = True
        self._strips: LRUCache[Hashable, Strip] = LRUCache(CACHED_STRIPS)
        self._looks: dict[str, Style] = {}
        self._drawn: dict[int, Hashable] = {}

    def on_mount(self) -> None:
        """A scrollbar that this terminal can show."""
        if self.signs is ASCII:
            self.vertical_scrollbar.renderer = PlainScrollBar  # type: ignore[misc]  # read by the instance

    # What a subclass answers -------------------------------------------------

    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def row_id(self, line: int) -> Hashable:
        """What the row shows, whatever its numbers are now; stable over polls."""
        raise NotImplementedError

    def row_face(self, line: int) -> Hashable:
        """Everything that changes the look of the row besides cursor, light and width."""
        raise NotImplementedError

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The row's text in order, exactly as wide as told or shorter."""
        raise NotImplementedError

    def line_of(self, row_id: Hashable) -> int | None:
        """The row's place now; None when it is not there any more."""
        raise NotImplementedError

    def pane_title(self) -> str:
        """Name of the pane with its counts."""
        return ""

    def title_pieces(self) -> Iterable[Piece]:
        """The title in parts, where some have a sign."""
        return [Piece(self.pane_title())]

    def columns(self) -> Sequence[Column]:
        """Columns for the heads; the gutter is not one of them."""
        return ()

    def empty_words(self) -> str:
        """Why there is no row."""
        return self.empty_because

    def toggle_at(self, line: int, x: int) -> bool:
        """Whether a click at that cell opened or closed something."""
        return False

    # What changes ------------------------------------------------------------

    def rows_changed(self, keep: Hashable | None = None) -> None:
        """Draw all anew after rows came or went; the cursor stays on row `keep` if it is there."""
        self._set_height()
        line = None if keep is None else self.line_of(keep)
        self._place(self.cursor if line is None else line, scroll=line is None or line != self.cursor)
        self.refresh()

    def forget_strips(self) -> None:
        """Drop what was drawn of former rows: identities may be used again by new ones."""
        self._strips.clear()

    def numbers_changed(self) -> None:
        """Repaint the visible rows that look different now, and only those."""
        changed = [line for line in self.visible_lines() if self._drawn.get(line) != self._face(line)]
        if len(changed) > ROWS_REPAINTED_SINGLY:
            self.refresh()
            return
        for line in changed:
            self.refresh_line(line + self.head_lines)

    def light_up(self, light: Light) -> None:
        """Show which rows belong to the selection of another pane."""
        if light != self.light:
            self.light = light
            self.numbers_changed()

    def show_title(self, titled: bool) -> None:
        """Show the title, or leave it to a line of tabs."""
        if titled != self.titled:
            self.titled = titled
            self._set_height()
            self.refresh()

    @property
    def head_lines(self) -> int:
        """Lines above the rows that scroll."""
        return self.titled + self.HAS_HEADS

    def title_changed(self) -> None:
        """Repaint the title line alone."""
        self.refresh_line(self.scroll_offset.y)

    # Cursor -------------------------------------------------------------------

    def move_to(self, line: int, *, centre: bool = False) -> None:
        """Put the cursor on a row and bring it into view, with room below when `centre` is set."""
        self._place(line, centre=centre)

    def show_line(self, line: int) -> None:
        """Bring a row into view without moving the cursor."""
        self._scroll_into_view(line, centre=False)

    def validate_cursor(self, line: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(line, self.row_count() - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        """Repaint both rows and tell the screen."""
        for line in (before, now):
            self.refresh_line(line + self.head_lines)
        if self.row_count():
            self.post_message(self.Highlighted(self, now))

    def action_cursor(self, how: str) -> None:
        """Move the cursor: up, down, page_up, page_down, home or end."""
        page = max(1, self._room() - 1)
        steps = {"up": -1, "down": 1, "page_up": -page, "page_down": page}
        ends = {"home": 0, "end": self.row_count() - 1}
        self._place(ends[how] if how in ends else self.cursor + steps[how])

    def action_enter(self) -> None:
        """Ask to go where the row leads."""
        if self.row_count():
            self.post_message(self.Entered(self, self.cursor))

    def current_id(self) -> Hashable | None:
        """Identity of the row with the cursor; None in an empty pane."""
        return self.row_id(self.cursor) if self.row_count() else None

    def _place(self, line: int, *, scroll: bool = True, centre: bool = False) -> None:
        self.cursor = line
        if scroll:
            self._scroll_into_view(self.cursor, centre)

    @property
    def rows_width(self) -> int:
        """Cells of a row, beside the scrollbar."""
        return self.scrollable_content_region.width

    def _room(self) -> int:
        return max(0, self.size.height - self.head_lines)

    def _scroll_into_view(self, line: int, centre: bool) -> None:
        room, top = self._room(), self.scroll_offset.y
        if room <= 0 or top <= line < top + room:
            return
        wanted = line - room // 4 if centre else line if line < top else line - room + 1
        self.scroll_to(y=max(0, wanted), animate=False, force=True, immediate=True)

    def visible_lines(self) -> range:
        """Rows on screen."""
        top = self.scroll_offset.y
        return range(top, min(self.row_count(), top + self._room()))

    def _set_height(self) -> None:
        self.virtual_size = Size(self.size.width, self.row_count() + self.head_lines)

    # Events -------------------------------------------------------------------

    def on_resize(self) -> None:
        """Keep the cursor in view in the new size."""
        self._set_height()
        self._scroll_into_view(self.cursor, centre=False)

    def notify_style_update(self) -> None:
        """Forget strips drawn in the former colours."""
        super().notify_style_update()
        self._strips.clear()
        self._looks.clear()

    def on_focus(self) -> None:
        """Show the focus in the title and on the cursor row."""
        self.refresh()

    def on_blur(self) -> None:
        """Show that the focus is elsewhere."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Cursor to the row; a second click, or one on its opener, does what enter does."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.head_lines:
            return
        line = offset.y - self.head_lines + self.scroll_offset.y
        if line >= self.row_count():
            return
        self._place(line)
        if not self.toggle_at(line, offset.x) and event.chain == 2:
            self.action_enter()

    # Drawing ------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Strip of one line of the pane; drawing changes nothing but the cache."""
        width = self.rows_width
        if y < self.head_lines:
            return self._head_strip(y, width)
        line = y - self.head_lines + self.scroll_offset.y
        if line >= self.row_count():
            return self._empty_strip(y - self.head_lines, width)
        face = self._face(line)
        self._drawn[line] = face
        key = (face, width)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._row_strip(line, width)
        return strip

    def _face(self, line: int) -> Hashable:
        row_id = self.row_id(line)
        return (row_id, self.row_face(line), self._marks_cursor(line), self.has_focus, self.lit(line))

    def _marks_cursor(self, line: int) -> bool:
        return line == self.cursor and (self.has_focus or self.SHOWS_BLURRED_CURSOR)

    def lit(self, line: int) -> int:
        """2 for a row that belongs to the selection elsewhere, 1 for one that hides such a row."""
        return 2 if self.row_id(line) in self.light.related else 0

    def _gutter(self, line: int) -> Piece:
        lit = self.lit(line)
        if self._marks_cursor(line) and (self.has_focus or not lit):
            return Piece(self.signs.cursor, "strong" if self.has_focus else "dim", "cursor")
        sign = ("", "leads", "related")[lit]
        return Piece(getattr(self.signs, sign) if sign else " ", "strong", sign)

    def _row_strip(self, line: int, width: int) -> Strip:
        base = self.rich_style + self._row_style(line)
        pieces = (self._gutter(line), *self.row_pieces(line, width - 1))
        segments = [Segment(piece.text, base + self._look(piece.look)) for piece in pieces]
        return Strip(segments).adjust_cell_length(width, base).simplify()

    def _row_style(self, line: int) -> Style:
        style = self._look("related") if self.lit(line) == 2 else Style.null()
        if self._marks_cursor(line):
            style += self._look("cursor" if self.has_focus else "cursor-blurred")
        return style

    def _look(self, name: str) -> Style:
        if not name:
            return Style.null()
        if name not in self._looks:
            self._looks[name] = self._compute_look(name)
        return self._looks[name]

    def _compute_look(self, name: str) -> Style:
        known = name if name in LOOKS else "other"
        return self.get_component_rich_style(f"rows--{known}", partial=True)

    def _head_strip(self, y: int, width: int) -> Strip:
        if y == 0 and self.titled:
            look = "title-focused" if self.has_focus else "title"
            text = " " + plain(self.pane_title())
        else:
            look, text = "heads", self.heads_text(width - 1)
        style = self.rich_style + self._look(look)
        return Strip([Segment(shorten_end(text, width, self.signs.cut), style)]).adjust_cell_length(
            width, style
        )

    def painted(self) -> Iterator[list[Piece]]:
        """What stands on screen now, row by row."""
        width = self.rows_width
        for line in self.visible_lines():
            yield list(cropped((self._gutter(line), *self.row_pieces(line, width - 1)), width))

    def painted_heads(self) -> list[str]:
        """The column heads on screen."""
        placed = fit(self.columns(), self.rows_width - 1) if self.HAS_HEADS else []
        return [one.column.title for one in placed]

    def heads_text(self, width: int) -> str:
        """Column heads above the columns of the rows."""
        heads = (
            cell(placed.column.title, placed.width, placed.column.right)
            for placed in fit(self.columns(), width)
        )
        return " " + " ".join(heads)

    def _empty_strip(self, y: int, width: int) -> Strip:
        lines = [] if self.row_count() else self._reasons(max(1, width - 2))
        text = f"  {lines[y]}" if y < len(lines) else ""
        style = self.rich_style + self._look("note")
        return Strip([Segment(text, style)] if text else []).adjust_cell_length(width, self.rich_style)

    def _reasons(self, width: int) -> list[str]:
        return [line for part in self.empty_words().splitlines() for line in wrap(part, width)]

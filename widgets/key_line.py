"""The line of keys at the bottom; each can be clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from widgets.text import plain, width_of


class KeyHint(NamedTuple):
    """One key with its word."""

    id: str
    key: str
    label: str


def fit_hints(hints: Sequence[KeyHint], width: int) -> list[KeyHint]:
    """As many of the first hints as fit; the last two (help, quit) always stay."""
    first, last = hints[:-2], hints[-2:]
    room = width - sum(map(_width, last))
    kept = []
    for hint in first:
        room -= _width(hint)
        if room < 0:
            break
        kept.append(hint)
    return [*kept, *last]


def _width(hint: KeyHint) -> int:
    return width_of(hint.key) + 1 + width_of(hint.label) + 2


class KeyLine(Widget):
    """The line at the bottom: keys of the focused pane."""

    COMPONENT_CLASSES = {"keys--key"}

    DEFAULT_CSS = """
    KeyLine {
        height: 1;
        color: $rows-dim;
        & > .keys--key { color: $foreground; text-style: bold; }
    }
    """

    class KeyClicked(Message):
        """A key was clicked instead of pressed."""

        def __init__(self, key_id: str) -> None:
            super().__init__()
            self.key_id = key_id

    def __init__(self, *, css_id: str | None = None) -> None:
        super().__init__(id=css_id)
        self._hints: Sequence[KeyHint] = ()

    def show_hints(self, hints: Sequence[KeyHint]) -> None:
        """Show other keys."""
        if hints != self._hints:
            self._hints = hints
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Do what the clicked key does."""
        offset = event.get_content_offset(self)
        end = 1
        for hint in fit_hints(self._hints, self.size.width - 1) if self._hints else ():
            end += _width(hint)
            if offset is not None and offset.x < end:
                self.post_message(self.KeyClicked(hint.id))
                return

    def render_line(self, y: int) -> Strip:
        """The line."""
        base = self.rich_style
        key_style = base + self.get_component_rich_style("keys--key", partial=True)
        segments = [Segment(" ", base)]
        for hint in fit_hints(self._hints, self.size.width - 1) if self._hints else ():
            segments += [Segment(plain(hint.key), key_style), Segment(f" {hint.label}  ", base)]
        return Strip(segments).adjust_cell_length(self.size.width, base)

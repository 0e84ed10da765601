"""The names of the panes on one line, for terminals that show one pane at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from widgets.text import width_of


class Tab(NamedTuple):
    """One pane's name."""

    pane: str
    title: str


class PaneTabs(Widget):
    """The line of names; the active one stands in brackets too."""

    COMPONENT_CLASSES = {"tabs--active"}

    DEFAULT_CSS = """
    PaneTabs {
        height: 1;
        color: $rows-dim;
        background: $rows-title;
        & > .tabs--active { color: $rows-focus-text; background: $rows-focus; text-style: bold; }
    }
    """

    class TabClicked(Message):
        """A name was clicked."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, *, css_id: str | None = None) -> None:
        super().__init__(id=css_id)
        self._tabs: Sequence[Tab] = ()
        self._active = ""

    def show_tabs(self, tabs: Sequence[Tab], active: str) -> None:
        """Show these names, one of them active."""
        if (tabs, active) != (self._tabs, self._active):
            self._tabs, self._active = tabs, active
            self.refresh()

    def _texts(self) -> list[tuple[Tab, str]]:
        return [
            (tab, f"[{tab.title}]" if tab.pane == self._active else f" {tab.title} ") for tab in self._tabs
        ]

    def on_click(self, event: events.Click) -> None:
        """Go to the pane whose name was clicked."""
        offset, end = event.get_content_offset(self), 0
        for tab, text in self._texts():
            end += width_of(text) + 1
            if offset is not None and offset.x < end:
                self.post_message(self.TabClicked(tab.pane))
                return

    def render_line(self, y: int) -> Strip:
        """The line."""
        base = self.rich_style
        active = base + self.get_component_rich_style("tabs--active", partial=True)
        segments = []
        for tab, text in self._texts():
            segments += [Segment(text, active if tab.pane == self._active else base), Segment(" ", base)]
        return Strip(segments).adjust_cell_length(self.size.width, base)

"""One of a few words on one line; left and right change it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from widgets.text import width_of


class Choice(Widget, can_focus=True):
    """Words side by side; the chosen one stands in brackets."""

    COMPONENT_CLASSES = {"choice--chosen"}

    DEFAULT_CSS = """
    Choice {
        height: 1;
        color: $rows-dim;
        & > .choice--chosen { color: $foreground; text-style: bold; }
        &:focus > .choice--chosen { color: $rows-cursor-text; background: $rows-cursor; }
    }
    """

    BINDINGS = [
        Binding("left,h", "step(-1)", show=False),
        Binding("right,l,space", "step(1)", show=False),
    ]

    class Changed(Message):
        """Another word was chosen."""

    def __init__(self, words: Sequence[str], chosen: str, *, css_id: str | None = None) -> None:
        super().__init__(id=css_id)
        self.words = tuple(words)
        self.chosen = chosen
        self.styles.width = sum(map(_width, self.words))

    def choose(self, word: str) -> None:
        """Choose one of the words."""
        if word != self.chosen:
            self.chosen = word
            self.refresh()
            self.post_message(self.Changed())

    def action_step(self, step: int) -> None:
        """The next or previous word, around the end."""
        self.choose(self.words[(self.words.index(self.chosen) + step) % len(self.words)])

    def on_click(self, event: events.Click) -> None:
        """Choose the word that was clicked."""
        end = 0
        for word in self.words:
            end += _width(word)
            if event.x < end:
                self.choose(word)
                return

    def render_line(self, y: int) -> Strip:
        """The words."""
        base = self.rich_style
        chosen = base + self.get_component_rich_style("choice--chosen", partial=True)
        segments = [
            Segment(f"[{word}]", chosen) if word == self.chosen else Segment(f" {word} ", base)
            for word in self.words
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)


def _width(word: str) -> int:
    return width_of(word) + 2

"""The line to search with: every keystroke is a search."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class SearchBox(Horizontal):
    """Hidden until it is opened; enter keeps the place found, escape goes back."""

    BINDINGS = [Binding("escape", "leave", "Leave the search", show=False)]

    DEFAULT_CSS = """
    SearchBox {
        height: 1;
        display: none;
        background: $rows-title;
        &.-open { display: block; }
        & > Label { width: auto; padding: 0 1; }
        & > Input { width: 1fr; border: none; padding: 0; height: 1; background: $rows-title; }
    }
    """

    class Searched(Message):
        """The words changed."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

        def can_replace(self, message: Message) -> bool:
            """Only the newest words matter."""
            return isinstance(message, SearchBox.Searched)

    class Closed(Message):
        """The search is over."""

        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.kept = kept
            """True: stay where the search led; False: go back."""

    def compose(self) -> ComposeResult:
        """A prompt, the words, and how many places were found."""
        yield Label("/", id="search-prompt")
        yield Input(id="search-words", compact=True)
        yield Label("", id="search-found", markup=False)

    @property
    def is_open(self) -> bool:
        """Whether it is on screen."""
        return self.has_class("-open")

    def open(self) -> None:
        """Show it and take the keys; the former words stand selected."""
        self.add_class("-open")
        words = self.query_one(Input)
        words.focus()
        words.action_select_all()

    def show_found(self, text: str) -> None:
        """Say how many places were found."""
        self.query_one("#search-found", Label).update(text)

    def action_leave(self) -> None:
        """Close it and go back."""
        self._close(kept=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search for what stands there now."""
        event.stop()
        self.post_message(self.Searched(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close it and stay where the search led."""
        event.stop()
        self._close(kept=True)

    def _close(self, kept: bool) -> None:
        self.remove_class("-open")
        self.post_message(self.Closed(kept))

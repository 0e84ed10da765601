"""Dialog: where something is saved."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label


class SaveScreen(ModalScreen[str]):
    """Asks for a path; answers "" when the operator thinks better of it."""

    BINDINGS = [Binding("escape", "leave", "leave", show=False)]

    def __init__(
        self,
        proposed: str,
        title: str = "Save a snapshot of this node to",
        words: str = "a folder, or one file when it ends in .tar.gz; it must not exist yet",
    ) -> None:
        super().__init__()
        self._proposed = proposed
        self._title = title
        self._words = words

    def compose(self) -> ComposeResult:
        """The question and its line."""
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog-title", markup=False)
            yield Input(self._proposed, id="dest", compact=True)
            yield Label(self._words, markup=False)
            yield Label("enter save   escape leave", classes="dialog-keys")

    def on_mount(self) -> None:
        """Ready to type."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Save there."""
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Save nothing."""
        self.dismiss("")

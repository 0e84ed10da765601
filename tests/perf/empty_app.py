"""The yardstick: an empty Textual application, painted once."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static


class EmptyApp(App[None]):
    """Shows one word."""

    def compose(self) -> ComposeResult:
        """One line of text."""
        yield Static("EMPTY-APP")


if __name__ == "__main__":
    EmptyApp().run()

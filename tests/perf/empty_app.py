"""The yardstick: an empty Textual application, painted once, and once more for each key."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static


class EmptyApp(App[None]):
    """Shows one word, and how many keys were pressed."""

    keys = 0

    def compose(self) -> ComposeResult:
        """One line of text."""
        yield Static("EMPTY-APP")

    def on_key(self) -> None:
        """Paint another number."""
        self.keys += 1
        self.query_one(Static).update(f"EMPTY-APP {self.keys}")


if __name__ == "__main__":
    EmptyApp().run()

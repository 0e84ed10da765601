"""Dialog: the files that were read."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen

from calitop.counters.counts import Reset
from calitop.model.node import NodeState
from tui.bindings import BY_ID
from tui.clipboard import copy
from widgets.file_list import FileList
from widgets.signs import Signs

MOVING_BESIDE_TYPING = [
    Binding("up", "cursor('up')", show=False),
    Binding("down", "cursor('down')", show=False),
    Binding("pageup", "cursor('page_up')", show=False),
    Binding("pagedown", "cursor('page_down')", show=False),
]
"""Keys that leave a text field's own alone."""
MOVING = [
    *MOVING_BESIDE_TYPING,
    Binding("k", "cursor('up')", show=False),
    Binding("j", "cursor('down')", show=False),
    Binding("home,g", "cursor('home')", show=False),
    Binding("end,G", "cursor('end')", show=False),
]
HELP = Binding(BY_ID["help"].keys, "app.explain_keys", id="help", show=False)
BESIDE = [HELP, Binding(BY_ID["copy"].keys, "copy", id="copy", show=False)]
"""What every screen has: the legend, and copying."""


class FilesScreen(ModalScreen[None]):
    """All files with their problems; any of the leaving keys closes it."""

    BINDINGS = [Binding("escape,q,f,enter,backspace", "dismiss", "close", show=False), *MOVING, *BESIDE]

    def __init__(
        self, state: NodeState, resets: Sequence[Reset], signs: Signs, at: str | None = None
    ) -> None:
        """Over the files of a node; the cursor begins at the file of that name."""
        super().__init__()
        self._at = at
        self._resets = resets
        self._state = state
        self._signs = signs

    def compose(self) -> ComposeResult:
        """The list, over everything else."""
        yield FileList(self._state, self._resets, signs=self._signs, css_id="files")

    def on_mount(self) -> None:
        """The list has the keys."""
        files = self.query_one(FileList)
        files.focus()
        if self._at is not None:
            self.call_after_refresh(files.go_to, self._at)

    def action_cursor(self, how: str) -> None:
        """Move in the list."""
        self.query_one(FileList).action_cursor(how)

    def action_copy(self) -> None:
        """The file or problem of the line."""
        files = self.query_one(FileList)
        copy(self.app, files.text_of(files.cursor), files.words_of(files.cursor))

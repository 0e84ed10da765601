"""Dialog: which moment is counted from."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from tui.clipboard import copy
from tui.desk import Desk
from tui.screens.files import BESIDE


class CompareScreen(ModalScreen[bool]):
    """Moments before the one shown; answers whether another baseline was chosen."""

    BINDINGS = [
        Binding("escape,q,d,backspace", "leave", "close", show=False),
        Binding("j", "app.simulate_key('down')", show=False),
        Binding("k", "app.simulate_key('up')", show=False),
        *BESIDE,
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def compose(self) -> ComposeResult:
        """A question and the moments."""
        with Vertical(classes="dialog"):
            yield Label("Count from which moment?", classes="dialog-title")
            yield OptionList(*self._options(), id="moments", markup=False)
            yield Label("enter choose   escape leave", classes="dialog-keys")

    def _options(self) -> list[Option]:
        last = self._desk.choice.moment
        earlier = [Option(self._desk.moment_words(number), id=str(number)) for number in range(last)]
        return [*earlier, Option("nothing: show the counters as they are", id="none")]

    def on_mount(self) -> None:
        """The present baseline is highlighted."""
        moments = self.query_one(OptionList)
        baseline = self._desk.choice.baseline
        moments.highlighted = (
            moments.option_count - 1 if baseline is None else min(baseline, moments.option_count - 1)
        )
        moments.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Count from it."""
        chosen = event.option.id
        self._desk.choose_baseline(None if chosen in (None, "none") else int(chosen))
        self.dismiss(True)

    def action_copy(self) -> None:
        """The highlighted moment."""
        option = self.query_one(OptionList).highlighted_option
        copy(self.app, "" if option is None else str(option.prompt), "the line")

    def action_leave(self) -> None:
        """Leave all as it is."""
        self.dismiss(False)

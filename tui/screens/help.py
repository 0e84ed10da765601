"""Help: first what the signs on screen mean, then every key; made from the tables, never by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen

from tui.bindings import BY_ID, KEYS, keys_in_use
from tui.clipboard import copy
from tui.screens.files import MOVING
from widgets.facts import Fact
from widgets.pages import Pages
from widgets.signs import Signs


def key_facts(keymap: Mapping[str, str]) -> list[Fact]:
    """Every key in its group, with the operator's own keys."""
    names = keys_in_use(keymap)
    facts: list[Fact] = []
    for group, keys in groupby(KEYS, key=lambda key: key.group):
        facts += [Fact(""), Fact(group, "strong")]
        for key in keys:
            own = "  (your key)" if key.id in keymap else ""
            facts.append(Fact(f"  {names[key.id]:<22} {key.help}{own}"))
    facts += [
        Fact(""),
        Fact("  Keys are changed in ~/.config/calitop/config.toml by the ids in docs/reference.md."),
    ]
    return facts[1:]


class HelpScreen(ModalScreen[None]):
    """Two pages: signs, keys."""

    BINDINGS = [
        Binding("escape,q,question_mark,f1,backspace", "dismiss", "close", show=False),
        Binding("tab,right,l,enter", "page(1)", "next page", show=False),
        Binding("shift+tab,left,h", "page(-1)", "previous page", show=False),
        Binding(BY_ID["copy"].keys, "copy", id="copy", show=False),
        *MOVING,
    ]

    def __init__(self, keymap: Mapping[str, str], signs: Signs, legend: Sequence[Fact]) -> None:
        """Over what the legend of the screen below says."""
        super().__init__()
        self._pages = [("What is on screen", legend), ("Keys", key_facts(keymap))]
        self._signs = signs

    def compose(self) -> ComposeResult:
        """The pages, over everything else."""
        yield Pages(self._pages, signs=self._signs, css_id="help")

    def on_mount(self) -> None:
        """The page has the keys."""
        self.query_one(Pages).focus()

    def action_cursor(self, how: str) -> None:
        """Move on the page."""
        self.query_one(Pages).action_cursor(how)

    def action_copy(self) -> None:
        """The page."""
        pages = self.query_one(Pages)
        copy(self.app, pages.text, f"the page '{pages.page}'")

    def action_page(self, step: int) -> None:
        """The other page."""
        self.query_one(Pages).turn(step)

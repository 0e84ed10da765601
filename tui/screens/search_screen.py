"""Searching all panes as the operator types."""

from __future__ import annotations

from collections.abc import Mapping

from textual import on

from tui.finder import Finder, find, make_ready
from tui.history import Place
from tui.messages import SearchDone
from tui.screens.panes_screen import PanesScreen
from widgets.search_box import SearchBox
from widgets.view import ChainId, LinkId, MapId, RouteId, RuleId, SetId, Subject

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "routes": RouteId,
    "links": LinkId,
    "chains": (ChainId, RuleId, MapId),
}
"""What is found first when the search begins in that pane."""


class SearchScreen(PanesScreen):
    """The panes with a search over all of them."""

    _search_from = Place("routes", None)
    _asked = ""

    def on_mount(self) -> None:
        """Nothing was searched for yet."""
        self.finder = Finder[Subject]()

    # Finding ----------------------------------------------------------------------------

    def action_search(self) -> None:
        """Open the search line."""
        self._search_from = self.panes.place()
        shown = self.shown
        if shown is not None:
            self.run_worker(lambda: make_ready(shown.view), thread=True, group="search")
        self.query_one(SearchBox).open()

    @on(SearchBox.Searched)
    def _searched(self, message: SearchBox.Searched) -> None:
        shown, words = self.shown, message.words
        self._asked = words
        if shown is None:
            return
        if not words.strip():
            self._found(SearchDone(words, ()))
            return
        self.run_worker(
            lambda: self.post_message(SearchDone(words, find(shown.view, words))),
            thread=True,
            exclusive=True,
            group="search",
        )

    @on(SearchDone)
    def _found(self, message: SearchDone) -> None:
        if message.words != self._asked:
            return
        place = self.finder.take(message.words, message.places, KINDS[self._search_from.pane])
        with self.app.batch_update():
            if place is not None and not isinstance(place, SetId):
                self.panes.go(place)
                self._say_selection()
            self.query_one(SearchBox).show_found(self.finder.words_found())

    @on(SearchBox.Closed)
    def _search_closed(self, message: SearchBox.Closed) -> None:
        if not message.kept:
            self.panes.return_to(self._search_from)
        elif self.panes.place() != self._search_from:
            self.steps.history.leave(self._search_from)
        self._focus_active()
        if message.kept and isinstance(place := self.finder.current(), SetId):
            self.open_set(place.ipset)

    def action_search_step(self, step: int) -> None:
        """The next or previous place that was found."""
        place = self.finder.step(step)
        if place is None:
            self.tell("nothing was searched for, or nothing was found")
            return
        self.go(place)
        self.tell(f"{self.finder.words_found()}: {self.finder.words}")

"""What is asked of the node beside looking at it: the answer, a probe, a packet's path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tui.draft import Draft, Flow, PathDraft, with_selection
from tui.history import Place
from tui.pictures import Foreteller, Picture
from tui.screens.search_screen import SearchScreen
from tui.shown import Shown
from widgets.view import Subject

if TYPE_CHECKING:
    from calitop.cni.index import NodeIndex
    from calitop.hits.moved import NodeHits
    from calitop.probe.prober import Prober
    from calitop.probe.records import ProbeResult
    from tui.screens import trace
    from tui.screens.hits import HitsScreen
    from tui.screens.probe import Left
    from tui.screens.trace import TraceScreen
    from widgets import answer_line

ANSWER = Place("answer", None)
"""In the history of jumps: the answer, which knows its own cursor."""
PATH = Place("path", None)
"""The same for the predicted path."""


class AskingScreen(SearchScreen):
    """The panes with the screens that answer questions; jumps from those lead back to them."""

    prober: Prober | None = None
    """Probes the live node; set by the application, called in threads."""

    _draft = Draft()
    """The last probe, to begin the next one with."""

    _drafted_for: Subject | None = None
    """What was selected then: another selection is another source."""

    _path_draft = PathDraft()
    """The last packet whose path was asked for."""

    _path_drafted_for: Subject | None = None

    _go_then: tuple[Subject, Place] | None = None
    """Where to go when the node that was asked for is shown, and from which screen."""

    _answer: HitsScreen | None = None
    """Kept once it was asked for: the way back leads to it as it was left."""

    _path: TraceScreen | None = None
    """The same."""

    _path_from_answer = False
    """Whether the path was opened from the answer, to which it leads back."""

    def action_back(self) -> None:
        """Back to where the jump came from, which may be a line of the answer or of a path."""
        reopen: dict[Place, Callable[[], object]] = {ANSWER: self._open_answer, PATH: self._open_path}
        for place, open_it in reopen.items():
            if self.steps.leave_to(place):
                open_it()
                return
        super().action_back()

    def _newest(self) -> Shown:
        """The newest reading, even while the picture is held."""
        newest = self._waiting or self.shown
        assert newest is not None, "questions are asked of a node that was read"
        return newest

    def _index(self) -> NodeIndex:
        return self._newest().view.index

    # The answer --------------------------------------------------------------------------

    def action_answer(self) -> None:
        """What moved, and where packets were lost."""
        self._answer_about(None)

    def _answer_about(self, probed: ProbeResult | None) -> None:
        if self._answer is None:
            from tui.screens.hits import HitsScreen

            self._answer = HitsScreen(self._moved, self.signs, probed)
            self.app.install_screen(self._answer, "answer")
        else:
            self._answer.begin(probed)
        self._open_answer()

    def _open_answer(self) -> None:
        self.app.push_screen("answer", self._answered)

    def _moved(self) -> Sequence[NodeHits]:
        """In a thread: what moved on each node."""
        if self.feed is not None:
            return [self.feed.hits()]
        return [] if self.desk is None else self.desk.hits()

    def _answered(self, left: answer_line.Place | Flow | None) -> None:
        if isinstance(left, Flow):
            self._path_draft = self._path_draft.of_flow(left)
            self._path_drafted_for = self.panes.subject()
            self._path_from_answer = True
            self._ask_path()
        elif left is not None:
            self._leave_for(left, ANSWER)

    def _leave_for(self, place: answer_line.Place, by: Place) -> None:
        """Go to a place on one of the nodes; back leads to the screen that named it."""
        if self.desk is None or self.desk.number_of(place.node) == self.desk.choice.node:
            self._go_by(place.subject, by)
            return
        self._go_then = place.subject, by
        self.choose_node(self.desk.number_of(place.node))

    def choose_node(self, number: int) -> bool:
        """Show another of the opened nodes, counted from 0; False where there is none."""
        if self.desk is None or not self.desk.choose_node(number):
            return False
        self.steps.forget()
        self.prepare()
        return True

    def _show(self, shown: Shown) -> None:
        super()._show(shown)
        wanted, self._go_then = self._go_then, None
        if wanted is not None:
            self._go_by(*wanted)

    def _go_by(self, subject: Subject, by: Place) -> None:
        if not self.steps.jump(subject, by=by):
            self.steps.history.leave(by)
        self._focus_active()

    # A probe -----------------------------------------------------------------------------

    def action_probe(self) -> None:
        """Send a few packets, after asking; the answer when they were sent."""
        from tui.screens.probe import ProbeScreen

        if self.shown is None:
            self.tell("the node was not read yet")
            return
        subject = self.panes.subject()
        if subject != self._drafted_for:
            self._draft = with_selection(self._draft, self.shown.view, subject, self.panes.route())
            self._drafted_for = subject
        self.app.push_screen(ProbeScreen(self._index, self.prober, self._draft, self.signs), self._probed)

    def _probed(self, left: Left | None) -> None:
        if left is None:
            return
        self._draft, result = left
        self._path_draft = self._path_draft.of_flow(self._draft)
        self._path_drafted_for = self._drafted_for
        if result is not None:
            self._answer_about(result)

    # A packet's path -----------------------------------------------------------------------

    def action_trace(self) -> None:
        """Predict the path of a packet from what is selected."""
        if self.shown is None:
            self.tell("the node was not read yet")
            return
        subject = self.panes.subject()
        if subject != self._path_drafted_for:
            draft = with_selection(self._path_draft, self.shown.view, subject, self.panes.route())
            moved = draft.source != self._path_draft.source
            self._path_draft = replace(draft, at="") if moved else draft
            self._path_drafted_for = subject
        self._ask_path()

    def _ask_path(self) -> None:
        if self._path is None:
            from tui.screens.trace import TraceScreen

            rebase = None if self.feed is None else self.feed.poller.rebase
            self._path = TraceScreen(
                Foreteller(self._pictures), self._path_draft, self.signs, self._serial, rebase
            )
            self.app.install_screen(self._path, "path")
        else:
            self._path.begin(self._path_draft)
        self._open_path()

    def _open_path(self) -> None:
        self.app.push_screen("path", self._path_left)

    def _pictures(self) -> Sequence[Picture]:
        """In a thread: the nodes to predict from."""
        if self.desk is not None:
            return self.desk.pictures()
        newest = self._newest()
        return [Picture(newest.status.node, newest.view.state, newest.view.counts)]

    def _serial(self) -> int | None:
        """Rises when something counted on the live node."""
        counts = self._newest().view.counts if self.feed is not None else None
        return None if counts is None else counts.serial

    def _path_left(self, left: trace.Left | None) -> None:
        from_answer, self._path_from_answer = self._path_from_answer, False
        if left is None:
            return
        self._path_draft = left.draft
        if left.place is not None:
            self._leave_for(left.place, PATH)
        elif from_answer:
            self._open_answer()

"""The explorer: one node with all its keys; dialogs open from here, and are loaded when they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on

from calitop.errors import CalitopError
from tui.bindings import bindings
from tui.draft import Draft, with_selection
from tui.history import Place
from tui.messages import Told
from tui.screens.search_screen import SearchScreen
from tui.shown import Shown
from widgets.status_line import StatusLine
from widgets.view import Subject

if TYPE_CHECKING:
    from calitop.cni.index import NodeIndex
    from calitop.hits.moved import NodeHits
    from calitop.probe.prober import Prober
    from calitop.probe.records import ProbeResult
    from tui.screens.hits import HitsScreen
    from tui.screens.probe import Left
    from widgets import answer_line

ANSWER = Place("answer", None)
"""In the history of jumps: the answer, which knows its own cursor."""
OFFLINE = "a snapshot is not polled"


class Explorer(SearchScreen):
    """One node, live or saved."""

    BINDINGS = bindings()

    save: Callable[[Path], object] | None = None
    """Saves the live node; set by the application, called in a thread."""

    prober: Prober | None = None
    """Probes the live node; set by the application, called in threads."""

    _draft = Draft()
    """The last probe, to begin the next one with."""

    _drafted_for: Subject | None = None
    """What was selected then: another selection is another source."""

    _go_then: Subject | None = None
    """Where to go when the node that was asked for is shown."""

    _answer: HitsScreen | None = None
    """Kept once it was asked for: the way back leads to it as it was left."""

    # Counting ------------------------------------------------------------------------------

    def action_baseline(self) -> None:
        """Count from now on."""
        if self.feed is not None:
            self.feed.poller.rebase()
        elif self.desk is not None:
            self.desk.choose_baseline(self.desk.choice.moment)
            self.prepare()

    def action_hits(self) -> None:
        """Only rules hit since the baseline, or all."""
        chains = self.panes.chains
        chains.filter_hits(not chains.hits_only)
        self._say_selection()

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

    def action_back(self) -> None:
        """Back to where the jump came from, which may be a line of the answer."""
        if self.steps.leave_to(ANSWER):
            self._open_answer()
        else:
            super().action_back()

    def _moved(self) -> Sequence[NodeHits]:
        """In a thread: what moved on each node."""
        if self.feed is not None:
            return [self.feed.hits()]
        return [] if self.desk is None else self.desk.hits()

    def _answered(self, place: answer_line.Place | None) -> None:
        if place is None:
            return
        if self.desk is None or self.desk.number_of(place.node) == self.desk.choice.node:
            self._go_from_answer(place.subject)
            return
        self._go_then = place.subject
        self.action_node(self.desk.number_of(place.node) + 1)

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

    def _index(self) -> NodeIndex:
        """Of the newest reading, even while the picture is held."""
        newest = self._waiting or self.shown
        assert newest is not None, "the dialog opens over a node that was read"
        return newest.view.index

    def _probed(self, left: Left | None) -> None:
        if left is None:
            return
        self._draft, result = left
        if result is not None:
            self._answer_about(result)

    def _show(self, shown: Shown) -> None:
        super()._show(shown)
        subject, self._go_then = self._go_then, None
        if subject is not None:
            self._go_from_answer(subject)

    def _go_from_answer(self, subject: Subject) -> None:
        self.steps.jump(subject, by=ANSWER)
        self._focus_active()

    def action_pause(self) -> None:
        """Hold the picture, or show the newest."""
        if self.feed is None:
            self.tell("a snapshot does not move: nothing to pause")
            return
        self.paused = not self.paused
        if not self.paused and self._waiting is not None:
            self._show(self._waiting)
        self._say_status()

    def action_faster(self) -> None:
        """Poll faster."""
        if self.feed is None:
            self.tell(OFFLINE)
        else:
            self.feed.poller.faster()

    def action_slower(self) -> None:
        """Poll slower."""
        if self.feed is None:
            self.tell(OFFLINE)
        else:
            self.feed.poller.slower()

    def action_automatic(self) -> None:
        """Poll as often as costs little."""
        if self.feed is None:
            self.tell(OFFLINE)
        else:
            self.feed.poller.automatic()

    def action_poll_now(self) -> None:
        """Poll now, or read the snapshots again."""
        if self.feed is not None:
            self.feed.poller.poll_now()
        elif self.reread is not None:
            self.run_worker(self.reread, thread=True, exclusive=True, group="reread")
        else:
            self.tell(OFFLINE)

    def action_compare(self) -> None:
        """Choose the moment counted from."""
        if self.desk is None:
            self.tell("live, b takes a new baseline; with two saved moments d chooses which to count from")
        elif len(self.desk.moments) < 2:
            self.tell("there is one moment of this node: open two to compare them")
        else:
            from tui.screens.compare import CompareScreen

            self.app.push_screen(CompareScreen(self.desk), self._compared)

    def _compared(self, chosen: bool | None) -> None:
        if chosen:
            self.prepare()

    # Showing ---------------------------------------------------------------------------

    def action_open_below(self) -> None:
        """Expand or collapse all below."""
        self.panes.chains.action_open_below()

    def action_arrangement(self) -> None:
        """Chains by hook, or by chain."""
        chains, shown = self.panes.chains, self.shown
        if shown is None:
            return
        subject = self.panes.subject() if self.panes.active == "chains" else None
        chains.arrangement = "chain" if chains.arrangement == "hook" else "hook"
        with self.app.batch_update():
            chains.show_outline(shown.view, shown.outlines[chains.arrangement])
            if subject is not None:
                self.panes.go(subject)
            self._say_status()

    def action_node(self, number: int) -> None:
        """Another node of the opened snapshots."""
        if self.desk is None or not self.desk.choose_node(number - 1):
            self.tell(f"there is no node {number} here")
            return
        self.steps.forget()
        self.prepare()

    def action_moment(self, step: int) -> None:
        """An earlier or later moment of the node."""
        if self.desk is None or not self.desk.step_moment(step):
            self.tell("there is no earlier moment" if step < 0 else "there is no later moment")
            return
        self.prepare()

    def action_files(self) -> None:
        """Every file that was read, and its problems."""
        if self.shown is not None:
            from tui.screens.files import FilesScreen

            view = self.shown.view
            resets = () if view.counts is None else view.counts.resets
            self.app.push_screen(FilesScreen(view.state, resets, self.signs))

    @on(StatusLine.FilesRequested)
    def _files_requested(self) -> None:
        self.action_files()

    def action_help(self) -> None:
        """The signs on screen, then all keys."""
        from tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.keymap, self.signs, live=self.feed is not None))

    # Taking away ---------------------------------------------------------------------------

    def action_copy(self) -> None:
        """The selected thing as text, to the terminal's clipboard."""
        text = self.panes.detail.text
        self.app.copy_to_clipboard(text)
        self.tell(f"copied {len(text.splitlines())} lines")

    def action_save(self) -> None:
        """Ask where to, then save the live node."""
        if self.save is None or self.shown is None:
            self.tell("a snapshot is saved already: s saves a live node")
        else:
            from tui.screens.save import SaveScreen

            name = self.shown.view.state.name or "node"
            proposed = f"{name}-{self.clock.now():%Y%m%d-%H%M%S}.tar.gz"
            self.app.push_screen(SaveScreen(proposed), self._save_to)

    def _save_to(self, dest: str | None) -> None:
        if dest:
            self.tell(f"saving to {dest}")
            self.run_worker(partial(self._save, Path(dest)), thread=True, group="save")

    def _save(self, dest: Path) -> None:
        """In a thread: collect and write."""
        if self.save is None:
            return
        try:
            self.save(dest)
        except CalitopError as error:
            self.post_message(Told(str(error), is_failure=True))
        except OSError as error:
            self.post_message(Told(f"cannot save to '{dest}': {error}", is_failure=True))
        else:
            self.post_message(Told(f"saved to {dest}"))

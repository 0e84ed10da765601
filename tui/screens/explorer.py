"""The explorer: one node with all its keys; dialogs open from here, and are loaded when they do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from textual import on

from calitop.errors import CalitopError
from tui.bindings import bindings
from tui.clipboard import copy
from tui.messages import Told
from tui.screens.checking_screen import CheckingScreen
from widgets.status_line import StatusLine

OFFLINE = "a snapshot is not polled"


class Explorer(CheckingScreen):
    """One node, live or saved."""

    BINDINGS = bindings()

    save: Callable[[Path], object] | None = None
    """Saves the live node; set by the application, called in a thread."""

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
        self._say_status()
        self._say_selection()

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
        if not self.choose_node(number - 1):
            self.tell(f"there is no node {number} here")

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
        from tui.legend_page import legend
        from tui.screens.help import HelpScreen

        view = None if self.shown is None else self.shown.view
        self.app.push_screen(HelpScreen(self.keymap, self.signs, legend(self.app.screen, self.signs, view)))

    # Taking away ---------------------------------------------------------------------------

    def action_copy(self) -> None:
        """The selected thing in its program's words; in the detail pane all that is known of it."""
        from widgets.copied import Copied, copied

        detail, subject = self.panes.detail, self.panes.subject()
        if self.shown is None or subject is None:
            taken = Copied("nothing", "")
        elif self.focused_rows() is detail:
            taken = Copied(f"all that is known of {detail.pane_title()}", detail.text)
        else:
            taken = copied(self.shown.view, subject, self.panes.route(), detail.facts)
        copy(self.app, taken.text, taken.what)

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

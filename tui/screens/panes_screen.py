"""The panes of one node on the screen: what is shown, what is selected, moving and jumping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Resize
from textual.screen import Screen

from calitop.cni.index import NodeIndex
from calitop.model.node import NodeState
from tui.bindings import BY_ID, KEYS, keys_in_use
from tui.desk import Desk
from tui.linked import related_to, sets_behind
from tui.live import LiveFeed
from tui.messages import PollCompleted, SnapshotsReread, Told
from tui.panes import MAIN, Panes
from tui.reasons import why_empty
from tui.sets import read_set
from tui.shown import Shown
from tui.steps import Steps
from tui.wall import Clock, status_now
from widgets.chain_tree import ChainTree
from widgets.detail import Detail
from widgets.key_line import KeyHint, KeyLine
from widgets.link_table import LinkTable
from widgets.pane_tabs import PaneTabs, Tab
from widgets.route_table import RouteTable
from widgets.search_box import SearchBox
from widgets.signs import Signs
from widgets.status_line import StatusLine
from widgets.subject_facts import facts_of, headline
from widgets.view import SetId, Subject
from widgets.virtual_rows import VirtualRows

WIDE = 120
"""Columns from which the three panes stand side by side."""

HUGE = 170
"""Columns from which routes and interfaces have all they need and the chains get the rest."""


class PanesScreen(Screen[None]):
    """Routes, interfaces, chains and detail, linked with each other."""

    reread: Callable[[], None] | None = None
    """Reads the snapshots, or reads them again; set by the application, called in a thread."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide"), (HUGE, "-huge")]

    def __init__(self, *, desk: Desk | None, feed: LiveFeed | None, signs: Signs, clock: Clock) -> None:
        super().__init__(id="explorer")
        self.desk = desk
        self.feed = feed
        self.signs = signs
        self.clock = clock
        self.panes = Panes(
            RouteTable(signs=signs, css_id="routes"),
            LinkTable(signs=signs, css_id="links"),
            ChainTree(signs=signs, css_id="chains"),
            Detail(signs=signs, css_id="detail"),
        )
        self.steps = Steps(self.panes, self.tell)
        self.shown: Shown | None = None
        self.paused = False
        self._waiting: Shown | None = None
        self._lit_for: tuple[Subject | None, NodeIndex] | None = None

    def compose(self) -> ComposeResult:
        """Status, panes, detail, keys."""
        yield StatusLine(signs=self.signs)
        yield PaneTabs()
        with Horizontal(id="panes"):
            yield self.panes.routes
            yield self.panes.links
            yield self.panes.chains
        yield self.panes.detail
        yield SearchBox()
        yield KeyLine()

    def on_mount(self) -> None:
        """Paint first, read afterwards."""
        self.panes.activate("routes")
        self.panes.routes.focus()
        self.set_interval(1.0, self._say_status)
        self._say_keys("routes")
        self.call_after_refresh(self._begin)

    def on_resize(self, event: Resize) -> None:
        """One pane at a time has its title among the tabs."""
        self.panes.show_titles(event.size.width >= WIDE)

    def _begin(self) -> None:
        if self.feed is not None:
            self.feed.start(self.post_message)
        elif self.desk is not None and self.desk.snapshots:
            self.prepare()
        elif self.reread is not None:
            self.run_worker(self.reread, thread=True, group="reread")

    def prepare(self) -> None:
        """Make the chosen moment ready in a thread; an older request is dropped."""
        desk = self.desk
        if desk is not None and desk.snapshots:
            self.run_worker(
                lambda: self.post_message(PollCompleted(desk.prepare())),
                thread=True,
                exclusive=True,
                group="prepare",
            )

    # What arrives ---------------------------------------------------------------

    @on(PollCompleted)
    def _take(self, message: PollCompleted) -> None:
        if self.paused and self.shown is not None:
            self._waiting = message.shown
            self._say_status()
            return
        self._show(message.shown)

    def _show(self, shown: Shown) -> None:
        last, self.shown, self._waiting = self.shown, shown, None
        with self.app.batch_update():
            for name in MAIN:
                self.panes[name].empty_because = why_empty(name, shown.view.state, live=shown.view.live)
            self.panes.apply(shown, last)
            self._say_status()
            self._say_selection()
        if last is None or shown.view.index is not last.view.index:
            self.call_after_refresh(self._finish, shown)

    def _finish(self, shown: Shown) -> None:
        """Paint first, then make ready what keys may ask for."""
        self.run_worker(shown.finish, thread=True, exclusive=True, group="finish")

    @on(SnapshotsReread)
    def _reread(self, message: SnapshotsReread) -> None:
        if self.desk is not None:
            self.desk.replace_snapshots(message.snapshots)
            self.prepare()

    @on(Told)
    def _told(self, message: Told) -> None:
        self.tell(message.text, is_failure=message.is_failure)

    def tell(self, text: str, *, is_failure: bool = False) -> None:
        """A short note to the operator."""
        self.notify(text, severity="error" if is_failure else "information", timeout=5, markup=False)

    # What the lines say -----------------------------------------------------------

    def _say_status(self) -> None:
        if self.shown is not None:
            status = status_now(self.shown, self.paused, self.clock)
            self.query_one(StatusLine).show_status(status)
        if self.feed is not None:
            self.feed.look_at(self.panes.chains.tables_in_view())
        tabs = [Tab(name, self.panes[name].pane_title()) for name in MAIN]
        self.query_one(PaneTabs).show_tabs(tabs, self.panes.active)

    def _say_selection(self) -> None:
        """Detail and lights for what is selected now."""
        if self.shown is None:
            return
        view, subject, route = self.shown.view, self.panes.subject(), self.panes.route()
        if self._lit_for != (subject, view.index):
            self._lit_for = (subject, view.index)
            self.panes.light_up(related_to(view, subject, route).lights(view))
        facts = [] if subject is None else facts_of(view, subject, route, self.signs)
        self.panes.detail.show_facts(subject, "" if subject is None else headline(view, subject), facts)

    def _say_keys(self, pane: str) -> None:
        names = keys_in_use(self.keymap)
        hints = [
            KeyHint(key.id, names[key.id].split(" ")[0], key.label) for key in KEYS if pane in key.footer
        ]
        self.query_one(KeyLine).show_hints(hints)

    @property
    def keymap(self) -> Mapping[str, str]:
        """Keys that the operator chose."""
        return getattr(self.app, "chosen_keys", {})

    # What the panes ask -------------------------------------------------------------

    @on(VirtualRows.Highlighted)
    def _highlighted(self, message: VirtualRows.Highlighted) -> None:
        if message.rows is not self.panes.detail and self.panes.name_of(message.rows) == self.panes.active:
            self._say_selection()

    @on(VirtualRows.Entered)
    def _entered(self, message: VirtualRows.Entered) -> None:
        if self.shown is None:
            return
        if message.rows is not self.panes.detail:
            sets = sets_behind(self.shown.view, self.panes.subject())
            if sets:
                self.open_set(sets[0])
                return
            self.steps.enter(self.shown.view)
        elif (target := self.panes.detail.target(message.line)) is not None:
            self.go(target)
            return
        self._focus_active()

    def on_descendant_focus(self) -> None:
        """The focused pane is the active one, and its keys stand below."""
        if isinstance(self.focused, VirtualRows):
            name = self.panes.name_of(self.focused)
            self.panes.activate(name)
            self._say_keys(name)
            self._say_status()
            if name in MAIN:
                self._say_selection()

    def _focus_active(self) -> None:
        self.set_focus(self.panes[self.panes.active])
        self._say_status()
        self._say_selection()

    @on(PaneTabs.TabClicked)
    def _tab_clicked(self, message: PaneTabs.TabClicked) -> None:
        self.panes.activate(message.pane)
        self._focus_active()

    @on(KeyLine.KeyClicked)
    async def _key_clicked(self, message: KeyLine.KeyClicked) -> None:
        await self.run_action(BY_ID[message.key_id].action)

    # Moving ----------------------------------------------------------------------------

    def focused_rows(self) -> VirtualRows:
        """The pane that has the keys."""
        return self.focused if isinstance(self.focused, VirtualRows) else self.panes[self.panes.active]

    def action_cursor(self, how: str) -> None:
        """Move the cursor of the focused pane."""
        self.focused_rows().action_cursor(how)

    def action_side(self, how: str) -> None:
        """Close or open in the tree, else the pane to that side."""
        pane = self.focused_rows()
        if pane is self.panes.chains and self.panes.chains.action_side(how):
            return
        if pane is self.panes.detail:
            return
        place = MAIN.index(self.panes.name_of(pane)) + (1 if how == "right" else -1)
        if 0 <= place < len(MAIN):
            self.panes.activate(MAIN[place])
            self._focus_active()

    def action_pane(self, step: int) -> None:
        """The next or previous pane."""
        order = (*MAIN, "detail")
        name = order[(order.index(self.panes.name_of(self.focused_rows())) + step) % len(order)]
        self.panes.activate(name)
        self.set_focus(self.panes[name])  # at once: a second key may be there already

    def action_enter(self) -> None:
        """Go where the row leads."""
        self.focused_rows().action_enter()

    def action_back(self) -> None:
        """Back to where the jump came from."""
        self._stepped(self.steps.back(), "there is nothing to go back to")

    def action_forward(self) -> None:
        """Forward again."""
        self._stepped(self.steps.forward(), "there is nothing to go forward to")

    def _stepped(self, did: bool, else_say: str) -> None:
        if did:
            self._focus_active()
        else:
            self.tell(else_say)

    def go(self, subject: Subject) -> None:
        """Jump to something named from outside the panes (palette), or open what stands in none."""
        if isinstance(subject, SetId):
            self.open_set(subject.ipset)
            return
        self.steps.jump(subject)
        self._focus_active()

    def open_set(self, name: str) -> None:
        """Show the members of a set."""
        if self.shown is not None:
            self.open_set_of(self.shown.view.state, name)

    def open_set_of(self, state: NodeState, name: str) -> None:
        """Show the members of a set of that node over what is on screen."""
        from tui.screens.set_screen import SetScreen

        known = next((one for one in state.sets if one.name == name), None)
        expected = known.size if known is not None else None
        read = partial(read_set, state, self.feed, name)
        screen = SetScreen(name, expected, read, self.signs)
        self.app.push_screen(screen, partial(self._set_left, state))

    def _set_left(self, state: NodeState, other: str | None) -> None:
        if other is not None:
            self.open_set_of(state, other)

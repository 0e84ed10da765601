"""Known faults of all nodes over the whole screen: what was found, its proof, and what was not checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.screen import Screen

from calitop.check.catalogue import check
from calitop.check.records import Checked, Evidence
from calitop.errors import CalitopError
from calitop.model.node import NodeState
from calitop.report.check_text import finding_text
from tui.bindings import BY_ID, keys_in_use
from tui.clipboard import copy
from tui.finder import Finder
from tui.pictures import Picture
from tui.screens.files import MOVING
from tui.ticket import TICKET_WIDTH
from widgets.check_list import CheckList
from widgets.finding_detail import FindingDetail
from widgets.key_line import KeyHint, KeyLine
from widgets.search_box import SearchBox
from widgets.signs import Signs
from widgets.virtual_rows import VirtualRows

NO_NODE = "no node was read"

ACTIONS = {
    "enter": "enter",
    "next_pane": "pane",
    "previous_pane": "pane",
    "search": "search",
    "search_next": "search_step(1)",
    "search_previous": "search_step(-1)",
    "poll_now": "again",
    "copy": "copy",
    "help": "app.explain_keys",
    "checks": "leave",
    "back": "leave",
}
"""What the explorer's keys do here, by their ids: a key of the operator's own works in both."""


class Examined(NamedTuple):
    """What was found, and the states that it was found in."""

    states: Sequence[NodeState]
    checked: Checked

    def state_of(self, node: str | None) -> NodeState:
        """The state of the node of that name."""
        return next((state for state in self.states if state.name == node), self.states[0])


class Proof(NamedTuple):
    """Where the operator goes: a line of evidence, and the state in which it was found."""

    state: NodeState
    evidence: Evidence


class ExaminedNow(Message):
    """The checks are done, or the reason why they could not be."""

    def __init__(self, asked: int, examined: Examined | None, why: str = "") -> None:
        super().__init__()
        self.asked = asked
        self.examined = examined
        self.why = why


class ChecksScreen(Screen[None]):
    """Findings above, one of them in full below; evidence leads to its place.

    Args:
        to_check: Gives one moment of each node, in a thread; may raise CalitopError.
        go: Goes to a line of evidence.
        signs: Of this terminal.
        now: The wall clock.
    """

    BINDINGS = [
        Binding("escape,q", "leave", show=False),
        *(Binding(BY_ID[name].keys, action, id=name, show=False) for name, action in ACTIONS.items()),
        *MOVING,
    ]

    def __init__(
        self,
        to_check: Callable[[], Sequence[Picture]],
        go: Callable[[Proof], None],
        signs: Signs,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__()
        self._to_check = to_check
        self._go = go
        self._signs = signs
        self._now = now
        self._asked = 0
        self._examined: Examined | None = None
        self._finder = Finder[int]()
        self._search_from = 0

    def compose(self) -> ComposeResult:
        """The list, the chosen row in full, the keys."""
        yield CheckList(signs=self._signs, css_id="checks")
        yield FindingDetail(signs=self._signs, css_id="finding")
        yield SearchBox()
        yield KeyLine()

    def on_mount(self) -> None:
        """Check at once."""
        self.rows.focus()
        self._say_keys()
        self.action_again()

    @property
    def rows(self) -> CheckList:
        """The list."""
        return self.query_one(CheckList)

    @property
    def detail(self) -> FindingDetail:
        """The chosen row in full."""
        return self.query_one(FindingDetail)

    def _say_keys(self) -> None:
        """Below: what each key does now."""
        chosen: Mapping[str, str] = getattr(self.app, "chosen_keys", {})
        keys = {name: keys.split(" ")[0] for name, keys in keys_in_use(chosen).items()}
        other = "evidence" if self.focused is self.rows else "findings"
        labels = {
            "enter": "go to evidence",
            "next_pane": other,
            "search": "search",
            "poll_now": "check again",
            "copy": "copy",
            "help": "help",
        }
        hints = [KeyHint(name, keys[name], label) for name, label in labels.items()]
        self.query_one(KeyLine).show_hints([*hints, KeyHint("back", "escape", "back")])

    # Checking --------------------------------------------------------------------------

    def action_again(self) -> None:
        """Check in a thread; what was found before stays until then."""
        self._asked += 1
        if self._examined is None:
            self.rows.say("checking" + self._signs.cut)
        else:
            self.rows.say_beside("checking again" + self._signs.cut)
        self.run_worker(partial(self._work, self._asked), thread=True, exclusive=True, group="checks")

    def _work(self, asked: int) -> None:
        """In a thread."""
        try:
            given = self._to_check()
            states = [each.state for each in given]
            counts, lookups = [each.counts for each in given], [each.lookups for each in given]
            told = Examined(states, check(states, counts, lookups)) if given else None
            self.post_message(ExaminedNow(asked, told, NO_NODE))
        except CalitopError as error:
            self.post_message(ExaminedNow(asked, None, str(error)))

    @on(ExaminedNow)
    def _show(self, message: ExaminedNow) -> None:
        if message.asked != self._asked:
            return
        self._examined = message.examined
        if self._examined is None:
            self.rows.say(message.why)
            self.rows.say_beside("")
        else:
            self.rows.show_checked(self._examined.checked)
            self.rows.say_beside(f"at {self._now():%H:%M:%S}")
        self.rows.styles.max_height = max(2, self.rows.row_count()) + self.rows.head_lines
        self.detail.show_row(self.rows.current())

    # Moving ----------------------------------------------------------------------------

    def on_descendant_focus(self) -> None:
        """The keys stand below."""
        self._say_keys()

    @on(VirtualRows.Highlighted, "#checks")
    def _highlighted(self) -> None:
        self.detail.show_row(self.rows.current())

    def action_cursor(self, how: str) -> None:
        """Move in the list, or in what is shown in full."""
        (self.detail if self.focused is self.detail else self.rows).action_cursor(how)

    def action_pane(self) -> None:
        """The list, or the evidence of its row."""
        (self.detail if self.focused is self.rows else self.rows).focus()

    @on(KeyLine.KeyClicked)
    async def _key_clicked(self, message: KeyLine.KeyClicked) -> None:
        await self.run_action(ACTIONS[message.key_id])

    def action_enter(self) -> None:
        """Go to the evidence."""
        (self.detail if self.focused is self.detail else self.rows).action_enter()

    @on(VirtualRows.Entered, "#checks")
    def _row_entered(self) -> None:
        row = self.rows.current()
        proof = row.finding.evidence if row is not None and row.finding is not None else ()
        self._leave_for(proof[0] if proof else None)

    @on(VirtualRows.Entered, "#finding")
    def _line_entered(self, message: VirtualRows.Entered) -> None:
        self._leave_for(self.detail.evidence(message.line))

    def _leave_for(self, evidence: Evidence | None) -> None:
        row = self.rows.current()
        if evidence is None or row is None or row.finding is None or self._examined is None:
            self._tell("this line leads nowhere: lines of evidence do")
            return
        self._go(Proof(self._examined.state_of(evidence.node or row.finding.node), evidence))

    def action_leave(self) -> None:
        """Back to the explorer."""
        self.dismiss(None)

    # Finding ---------------------------------------------------------------------------

    def action_search(self) -> None:
        """Open the search line."""
        self._search_from = self.rows.cursor
        self.query_one(SearchBox).open()

    @on(SearchBox.Searched)
    def _searched(self, message: SearchBox.Searched) -> None:
        self._move_to(self._finder.take(message.words, self.rows.find(message.words)))
        self.query_one(SearchBox).show_found(self._finder.words_found())

    @on(SearchBox.Closed)
    def _search_closed(self, message: SearchBox.Closed) -> None:
        if not message.kept:
            self.rows.move_to(self._search_from)
        self.rows.focus()

    def action_search_step(self, step: int) -> None:
        """The next or previous row that was found."""
        line = self._finder.step(step)
        if line is None:
            self._tell("nothing was searched for, or nothing was found")
        self._move_to(line)

    def _move_to(self, line: int | None) -> None:
        if line is not None:
            self.rows.move_to(line)

    # Taking away -----------------------------------------------------------------------

    def action_copy(self) -> None:
        """The row as the command prints it, for a ticket."""
        row = self.rows.current()
        if row is None:
            return
        found = row.finding
        text = (
            f"{row.node}: {self.detail.text.strip()}" if found is None else finding_text(found, TICKET_WIDTH)
        )
        what = "what the row says" if found is None else f"the finding {found.id}"
        copy(self.app, text, what)

    def _tell(self, text: str) -> None:
        self.notify(text, timeout=5, markup=False)

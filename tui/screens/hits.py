"""The answer, over the whole screen: where packets were lost, and what moved on their way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Label

from calitop.errors import CalitopError
from tui.screens.files import MOVING
from widgets.hit_list import HitList, Place
from widgets.signs import Signs
from widgets.virtual_rows import VirtualRows

if TYPE_CHECKING:
    from calitop.hits.moved import NodeHits
    from calitop.verdict.answer import Answer

FIELDS = ("from", "to", "packets")
NEEDED = (
    "The answer needs two moments of a node: before and after the packets. Open both snapshots "
    "(calitop BEFORE AFTER), or choose with d which moment to count from."
)


class Answered(Message):
    """The answer is there, or the reason why there is none."""

    def __init__(self, answer: Answer | None, packets: int | None, why: str = "") -> None:
        super().__init__()
        self.answer = answer
        self.packets = packets
        self.why = why

    def can_replace(self, message: Message) -> bool:
        """Only the newest matters."""
        return isinstance(message, Answered)


class HitsScreen(Screen[Place]):
    """The answer; dismissed with the place that the operator goes to, None to go back."""

    BINDINGS = [
        Binding("escape,backspace,q,a", "leave", "back", show=False),
        Binding("enter", "enter", "go", show=False),
        Binding("y", "copy", "copy", show=False),
        *MOVING,
    ]

    def __init__(self, hits: Callable[[], Sequence[NodeHits]], signs: Signs) -> None:
        super().__init__()
        self._hits = hits
        self._signs = signs
        self._asked = 0
        self._found: tuple[Answer, int | None] | None = None

    def compose(self) -> ComposeResult:
        """The flow, the answer, the keys."""
        with Horizontal(id="flow"):
            for name in FIELDS:
                yield Label(f" {name} ")
                hint = "any" if name == "packets" else "pod or address"
                yield Input(id=f"flow-{name}", placeholder=hint, compact=True, select_on_focus=False)
        yield HitList(signs=self._signs, css_id="answer")
        keys = " enter to the rule   y copy   tab flow: who to whom, how many   escape back"
        yield Label(keys, id="answer-keys", markup=False)

    def on_mount(self) -> None:
        """Ask at once, for everything that moved."""
        self.rows.focus()
        self.ask()

    @property
    def rows(self) -> HitList:
        """The answer's lines."""
        return self.query_one(HitList)

    def ask(self) -> None:
        """Compute the answer in a thread; an older request is dropped."""
        source, target, packets = (self.query_one(f"#flow-{name}", Input).value.strip() for name in FIELDS)
        if packets and (not packets.isdecimal() or int(packets) < 1):
            self._asked += 1
            self._show(Answered(None, None, f"packets: '{packets}' is no number from 1"))
            return
        self.rows.say("computing" + self._signs.cut)
        sent = int(packets) if packets else None
        self._asked += 1
        work = partial(self._work, self._asked, source or None, target or None, sent)
        self.run_worker(work, thread=True, exclusive=True, group="answer")

    def _work(self, asked: int, source: str | None, target: str | None, packets: int | None) -> None:
        """In a thread; an answer to an older question is not shown."""
        answered = self._answered(source, target, packets)
        if asked == self._asked:
            self.post_message(answered)

    def _answered(self, source: str | None, target: str | None, packets: int | None) -> Answered:
        """In a thread: the engine's answer."""
        from calitop.hits.asked import asked_ends
        from calitop.verdict.answer import answer

        try:
            nodes = self._hits()
            if not nodes:
                return Answered(None, packets, NEEDED)
            return Answered(answer(nodes, asked_ends(nodes, source, target), packets), packets)
        except CalitopError as error:
            return Answered(None, packets, str(error))

    @on(Answered)
    def _show(self, message: Answered) -> None:
        if message.answer is None:
            self._found = None
            self.rows.say(message.why)
        else:
            self._found = (message.answer, message.packets)
            self.rows.show_answer(*self._found)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.rows.focus()
        self.ask()

    def action_cursor(self, how: str) -> None:
        """Move in the answer."""
        self.rows.action_cursor(how)

    def action_enter(self) -> None:
        """Go where the line leads."""
        self.rows.action_enter()

    @on(VirtualRows.Entered)
    def _entered(self, message: VirtualRows.Entered) -> None:
        place = self.rows.place(message.line)
        if place is not None:
            self.dismiss(place)

    def action_copy(self) -> None:
        """The whole answer, as `calitop hits` prints it, to the terminal's clipboard."""
        from calitop.report.hits_text import hits_text

        if self._found is None:
            return
        found, packets = self._found
        text = hits_text(found.nodes, found.verdict, found.flow, packets)
        self.app.copy_to_clipboard(text)
        self.notify(f"copied {len(text.splitlines())} lines", timeout=5, markup=False)

    def action_leave(self) -> None:
        """Back to the explorer."""
        self.dismiss(None)

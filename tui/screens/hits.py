"""The answer, over the whole screen: where packets were lost, and what moved on their way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from tui.bindings import BY_ID, keys_in_use
from tui.clipboard import copy
from tui.draft import Flow
from tui.screens.files import MOVING
from widgets.answer_line import Place
from widgets.hit_list import HitList, line_text
from widgets.key_line import KeyHint, KeyLine
from widgets.signs import UNICODE, Signs
from widgets.virtual_rows import VirtualRows

if TYPE_CHECKING:
    from calitop.hits.moved import NodeHits
    from calitop.probe.records import ProbeResult
    from calitop.verdict.answer import Answer

FIELDS = ("from", "to", "packets")
NEEDED = (
    "The answer needs two moments of a node: before and after the packets. Open both snapshots "
    "(calitop BEFORE AFTER), or choose with d which moment to count from."
)


ACTIONS = {
    "enter": "enter",
    "arrangement": "arrangement",
    "hits": "hits",
    "copy": "copy",
    "help": "app.explain_keys",
    "next_pane": "app.focus_next",
    "previous_pane": "app.focus_previous",
    "trace": "trace",
    "answer": "leave",
    "back": "leave",
}
"""What the explorer's keys do here, by their ids: a key of the operator's own works in both."""


class Answered(Message):
    """The answer is there, or the reason why there is none."""

    def __init__(self, answer: Answer | None, why: str = "") -> None:
        super().__init__()
        self.answer = answer
        self.why = why

    def can_replace(self, message: Message) -> bool:
        """Only the newest matters."""
        return isinstance(message, Answered)


class HitsScreen(Screen[Place | Flow]):
    """The answer; dismissed with where the operator goes, a flow whose path is asked for, None to go back."""

    BINDINGS = [
        Binding("escape,q", "leave", show=False),
        *(Binding(BY_ID[name].keys, action, id=name, show=False) for name, action in ACTIONS.items()),
        *MOVING,
    ]

    def __init__(
        self, hits: Callable[[], Sequence[NodeHits]], signs: Signs, probed: ProbeResult | None = None
    ) -> None:
        """Over what moved since the baseline; or over what a probe moved, see `begin`."""
        super().__init__()
        self._hits = hits
        self._probed = probed
        self._signs = signs
        self._asked = 0
        self._found: Answer | None = None

    def compose(self) -> ComposeResult:
        """The sender's account, the flow, the answer, the keys."""
        yield Label(id="probed", markup=False)
        with Horizontal(id="flow"):
            for name in FIELDS:
                yield Label(f" {name} ")
                hint = "any" if name == "packets" else "pod or address"
                yield Input(id=f"flow-{name}", placeholder=hint, compact=True, select_on_focus=False)
        yield HitList(signs=self._signs, css_id="answer")
        yield KeyLine()

    def on_mount(self) -> None:
        """Ask at once."""
        self.rows.focus()
        self.rows.flow_key = self._keys["hits"]
        self._say_keys()
        self.begin(self._probed)

    def begin(self, probed: ProbeResult | None) -> None:
        """Ask what moved since the baseline; or show the answer of a probe, and ask of what it moved."""
        former, self._probed = self._probed, probed
        account = self.query_one("#probed", Label)
        account.display = probed is not None
        if probed is not None:
            account.update(self._account(probed))
            self._name_flow(probed.origin.address, probed.target, probed.answer.sent or "")
            self._asked += 1
            self._show(Answered(probed.answer))
            return
        if former is not None:
            self._name_flow("", "", "")
        self.ask()

    def _account(self, probed: ProbeResult) -> str:
        from calitop.report.probe import account

        return account(probed, "→" if self._signs == UNICODE else "->")

    def _name_flow(self, *values: object) -> None:
        for name, value in zip(FIELDS, values, strict=True):
            self.query_one(f"#flow-{name}", Input).value = str(value)

    @property
    def _keys(self) -> dict[str, str]:
        """The first key of every id, as the operator has it."""
        chosen: Mapping[str, str] = getattr(self.app, "chosen_keys", {})
        return {name: keys.split(" ")[0] for name, keys in keys_in_use(chosen).items()}

    def _say_keys(self) -> None:
        """Below: what each key does now."""
        keys, rows = self._keys, self.rows
        labels = {
            "enter": "go",
            "arrangement": "in order" if rows.by_hook else "per hook",
            "hits": "all" if rows.only_flow else "only flow",
            "next_pane": "name flow",
            "trace": "path",
            "copy": "copy",
            "help": "help",
        }
        hints = [KeyHint(name, keys[name], label) for name, label in labels.items()]
        self.query_one(KeyLine).show_hints([*hints, KeyHint("back", "escape", "back")])

    @property
    def rows(self) -> HitList:
        """The answer's lines."""
        return self.query_one(HitList)

    def ask(self) -> None:
        """Compute the answer in a thread; an older request is dropped."""
        source, target, packets = (self.query_one(f"#flow-{name}", Input).value.strip() for name in FIELDS)
        if packets and (not packets.isdecimal() or int(packets) < 1):
            self._asked += 1
            self._show(Answered(None, f"packets: '{packets}' is no number from 1"))
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
            probed = self._probed
            nodes = self._hits() if probed is None else probed.answer.nodes
            if not nodes:
                return Answered(None, NEEDED)
            found = answer(nodes, asked_ends(nodes, source, target), packets)
        except CalitopError as error:
            return Answered(None, str(error))
        _ = found.hooks  # computed here, off the event loop
        return Answered(found)

    @on(Answered)
    def _show(self, message: Answered) -> None:
        self._found = message.answer
        if self._found is None:
            self.rows.say(message.why)
        else:
            self.rows.show_answer(self._found)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.rows.focus()
        self.ask()

    def action_cursor(self, how: str) -> None:
        """Move in the answer."""
        self.rows.action_cursor(how)

    def action_arrangement(self) -> None:
        """In order, or under the hooks' names."""
        self._arrange(by_hook=not self.rows.by_hook, only_flow=self.rows.only_flow)

    def action_hits(self) -> None:
        """Only what could be of the flow, or everything."""
        self._arrange(by_hook=self.rows.by_hook, only_flow=not self.rows.only_flow)
        if self.rows.only_flow and self._found is not None and self._found.flow is None:
            self.notify("no flow is named: tab, then from and to", timeout=5, markup=False)

    def _arrange(self, *, by_hook: bool, only_flow: bool) -> None:
        self.rows.show_as(by_hook=by_hook, only_flow=only_flow)
        self._say_keys()

    @on(KeyLine.KeyClicked)
    async def _key_clicked(self, message: KeyLine.KeyClicked) -> None:
        await self.run_action(ACTIONS[message.key_id])

    def action_enter(self) -> None:
        """Go where the line leads."""
        self.rows.action_enter()

    @on(VirtualRows.Entered)
    def _entered(self, message: VirtualRows.Entered) -> None:
        place = self.rows.place(message.line)
        if place is not None:
            self.dismiss(place)

    def action_copy(self) -> None:
        """What the line is about; from the verdict the whole answer, as the command prints it."""
        found = self._found
        if found is None:
            copy(self.app, "", "")
            return
        line = self.rows.lines[self.rows.cursor]
        if self.rows.cursor < self.rows.verdict_height or line.place is None:
            copy(self.app, self._text(found), "the whole answer")
        else:
            copy(self.app, line_text(found, line), "the line")

    def _text(self, found: Answer) -> str:
        """The answer in this arrangement."""
        from calitop.report.hits_text import hits_text
        from calitop.report.probe import probe_text

        probed = self._probed
        by_hook, only_flow = self.rows.by_hook, self.rows.only_flow
        if probed is not None and found is probed.answer:
            return probe_text(probed, by_hook=by_hook, only_flow=only_flow)
        return hits_text(found, by_hook=by_hook, only_flow=only_flow)

    def action_trace(self) -> None:
        """Predict the path of the flow that is named."""
        source, target = (self.query_one(f"#flow-{name}", Input).value.strip() for name in ("from", "to"))
        probed = self._probed
        if probed is None:
            self.dismiss(Flow(source, target))
            return
        port = "" if probed.request.port is None else str(probed.request.port)
        self.dismiss(Flow(source, target, probed.request.protocol, port))

    def action_leave(self) -> None:
        """Back to the explorer."""
        self.dismiss(None)

"""The fields of a probe: who sends, to whom, what; known ends are listed while typing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus, Resize
from textual.message import Message
from textual.widgets import Input, Label, OptionList

from calitop.probe.known import KnownEnd, matching
from calitop.probe.records import Protocol
from calitop.report.text import plural
from tui.draft import PROTOCOLS, Draft, can_be_typed
from widgets.choice import Choice
from widgets.signs import Signs
from widgets.text import cell, plain, shorten_end, width_of

LISTED = 50
"""Known ends that are listed; who needs another types more of it."""
_ENDS = {"source": "from", "target": "to"}
_HINTS = {"source": "pod, interface or address", "target": "pod or address"}


class ProbeForm(Vertical):
    """A draft that can be edited."""

    class Changed(Message):
        """Another draft stands here."""

    class Finished(Message):
        """Enter in a field after which nothing is left to be said."""

    def __init__(self, draft: Draft, signs: Signs) -> None:
        super().__init__()
        self._signs = signs
        self._given = draft
        self._known: dict[str, Sequence[KnownEnd]] = {}
        self._asking = "source"
        self._listed: list[KnownEnd] = []

    def compose(self) -> ComposeResult:
        """The fields, then the list of what is known."""
        given = self._given
        yield from self._end("source", given.source)
        yield from self._end("target", given.target)
        with Horizontal(classes="probe-field"):
            yield Label("protocol")
            yield Choice(PROTOCOLS, given.protocol, css_id="probe-protocol")
            yield Label("port", classes="probe-short")
            yield Input(given.port, id="probe-port", compact=True, disabled=given.protocol == "icmp")
            yield Label("count", classes="probe-short")
            yield Input(given.count, id="probe-count", compact=True)
        yield Label(id="known-title", markup=False)
        known = OptionList(id="known", markup=False, compact=True)
        known.can_focus = False
        yield known

    def _end(self, name: str, value: str) -> Iterator[Horizontal | Label | Input]:
        with Horizontal(classes="probe-field"):
            yield Label(_ENDS[name])
            yield Input(value, id=f"probe-{name}", placeholder=_HINTS[name], compact=True)

    def on_mount(self) -> None:
        """Where something is missing the operator can begin to type."""
        if not self._given.source:
            self._input("source").focus()
        elif not self._given.target:
            self._input("target").focus()
        else:
            self.post_message(self.Finished())

    def _input(self, name: str) -> Input:
        return self.query_one(f"#probe-{name}", Input)

    @property
    def draft(self) -> Draft:
        """What stands in the fields."""
        protocol = cast(Protocol, self.query_one(Choice).chosen)
        source, target, port, count = (
            self._input(name).value.strip() for name in ("source", "target", "port", "count")
        )
        return Draft(source, target, protocol, port, count)

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self._list_known()
        self.post_message(self.Changed())

    @on(Choice.Changed)
    def _chosen(self) -> None:
        self._input("port").disabled = self.query_one(Choice).chosen == "icmp"
        self.post_message(self.Changed())

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._take(self.query_one(OptionList).highlighted)
        if message.input.id == "probe-source" and not self._input("target").value:
            self.screen.set_focus(self._input("target"))  # at once: the next key may be on its way
        else:
            self.post_message(self.Finished())

    # Known ends ------------------------------------------------------------------------

    def show_known(self, sources: Sequence[KnownEnd], targets: Sequence[KnownEnd]) -> None:
        """Offer these, as far as they can be typed."""
        known = {"source": sources, "target": targets}
        self._known = {name: [end for end in ends if can_be_typed(end.name)] for name, ends in known.items()}
        self._list_known()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The list belongs to the field that was asked last."""
        name = (event.widget.id or "").removeprefix("probe-")
        if name in _ENDS:
            self._asking = name
            self._list_known()

    def on_resize(self, event: Resize) -> None:
        """Lay the list out anew."""
        self._list_known()

    def highlight(self, step: int) -> None:
        """Move in the list while the field keeps the keys."""
        if self._input(self._asking).has_focus and self._listed:
            known = self.query_one(OptionList)
            at = -1 if known.highlighted is None else known.highlighted
            known.highlighted = max(0, at + step) % len(self._listed)

    def _list_known(self) -> None:
        ends, typed = self._known.get(self._asking, ()), self._input(self._asking).value.strip()
        is_chosen = any(end.name == typed for end in ends)
        found = ends if is_chosen else matching(ends, typed)
        self._listed = list(found[:LISTED])
        known = self.query_one(OptionList)
        known.clear_options()
        known.add_options(self._rows(known.size.width - 1))
        self.query_one("#known-title", Label).update(self._title(len(found), len(ends)))

    def _title(self, found: int, of: int) -> str:
        if not self._known:
            return "looking for known ends" + self._signs.cut
        what = plural(of, f"known {'source' if self._asking == 'source' else 'destination'}")
        return what if found == of else f"{found} of {what}"

    def _rows(self, width: int) -> list[str]:
        """Names in a column, what is known of them beside it."""
        names = max((width_of(plain(end.name)) for end in self._listed), default=0)
        names, cut = max(1, min(names, width // 2)), self._signs.cut
        rest = max(0, width - names - 2)
        return [
            f"{cell(end.name, names, cut=cut)}  {shorten_end(plain(end.words), rest, cut)}"
            for end in self._listed
        ]

    @on(OptionList.OptionSelected)
    def _clicked(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self._take(message.option_index)

    def _take(self, at: int | None) -> None:
        if at is not None and at < len(self._listed):
            self._input(self._asking).value = self._listed[at].name

"""Fields of a flow: who sends, to whom, by which protocol; known ends are listed while typing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus, Resize
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, OptionList

from calitop.probe.known import KnownEnd, matching
from calitop.probe.records import Protocol
from calitop.report.text import plural
from tui.draft import PROTOCOLS, Flow, can_be_typed
from widgets.choice import Choice
from widgets.signs import Signs
from widgets.text import cell, plain, shorten_end, width_of

LISTED = 50
"""Known ends that are listed; who needs another types more of it."""
_ENDS = {"source": "from", "target": "to"}
_HINTS = {"source": "pod, interface or address", "target": "pod or address"}


class EndsForm(Vertical):
    """A flow that can be edited; a subclass says what else is asked, and puts the fields in order.

    Every field's id is the form's name and the field's: `probe-source`.
    """

    NAME = ""
    """Of the form."""

    class Changed(Message):
        """Another flow stands here."""

    class Finished(Message):
        """Enter in a field after which nothing is left to be said."""

    def __init__(self, given: Flow, signs: Signs) -> None:
        super().__init__(classes="ends-form")
        self._signs = signs
        self._given = given
        self._known: dict[str, Sequence[KnownEnd]] = {}
        self._asking = "source"
        self._listed: list[KnownEnd] = []

    # What a subclass puts together -------------------------------------------------------

    def end_fields(self, name: str) -> Iterator[Widget]:
        """Label and field of an end, `source` or `target`."""
        yield Label(_ENDS[name])
        yield self.field(name, getattr(self._given, name), _HINTS[name])

    def protocol_fields(self) -> Iterator[Widget]:
        """Protocol and port."""
        yield Label("protocol")
        yield Choice(PROTOCOLS, self._given.protocol, css_id=f"{self.NAME}-protocol")
        yield Label("port", classes="short")
        port = self.field("port", self._given.port)
        port.disabled = self._given.protocol == "icmp"
        yield port

    def field(self, name: str, value: str, hint: str = "") -> Input:
        """A line to type in."""
        return Input(value, id=f"{self.NAME}-{name}", placeholder=hint, compact=True)

    def known_list(self) -> ComposeResult:
        """The list of what is known of the end that is asked for."""
        with Vertical(classes="known-box"):
            yield Label(id="known-title", markup=False)
            known = OptionList(id="known", markup=False, compact=True)
            known.can_focus = False
            yield known

    def input(self, name: str) -> Input:
        """The line of that name."""
        return self.query_one(f"#{self.NAME}-{name}", Input)

    def typed(self, name: str) -> str:
        """What stands in a line."""
        return self.input(name).value.strip()

    @property
    def flow(self) -> Flow:
        """What stands in the fields."""
        protocol = cast(Protocol, self.query_one(Choice).chosen)
        return Flow(self.typed("source"), self.typed("target"), protocol, self.typed("port"))

    # What the operator does --------------------------------------------------------------

    def on_mount(self) -> None:
        """Where something is missing the operator can begin to type."""
        missing = self.missing
        if missing is not None:
            self.input(missing).focus()
        else:
            self.post_message(self.Finished())

    @property
    def missing(self) -> str | None:
        """The end of which nothing is said yet."""
        return next((name for name in _ENDS if not self.typed(name)), None)

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self._list_known()
        self.post_message(self.Changed())

    @on(Choice.Changed)
    def _chosen(self) -> None:
        self.input("port").disabled = self.query_one(Choice).chosen == "icmp"
        self.post_message(self.Changed())

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        name = (message.input.id or "").removeprefix(f"{self.NAME}-")
        if name == self._asking:
            self._take(self.query_one(OptionList).highlighted)
        missing = self.missing
        if missing is not None and missing != name:
            self.screen.set_focus(self.input(missing))  # at once: the next key may be on its way
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
        name = (event.widget.id or "").removeprefix(f"{self.NAME}-")
        self.set_class(name in _ENDS, "-asking")
        if name in _ENDS:
            self._asking = name
            self._list_known()

    def on_descendant_blur(self) -> None:
        """Nothing is asked for while the focus is elsewhere."""
        self.remove_class("-asking")

    def on_resize(self, event: Resize) -> None:
        """Lay the list out anew."""
        self._list_known()

    def highlight(self, step: int) -> bool:
        """Move in the list while the field keeps the keys; False where no field of an end has them."""
        if not self.input(self._asking).has_focus:
            return False
        if self._listed:
            known = self.query_one(OptionList)
            at = -1 if known.highlighted is None else known.highlighted
            known.highlighted = max(0, at + step) % len(self._listed)
        return True

    def _list_known(self) -> None:
        ends, typed = self._known.get(self._asking, ()), self.typed(self._asking)
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
            self.input(self._asking).value = self._listed[at].name


def row(*fields: Widget) -> Horizontal:
    """Fields side by side."""
    return Horizontal(*fields, classes="field-row")

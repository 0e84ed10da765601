"""The fields of a probe: the flow, and how many packets."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Label

from tui.draft import Draft
from tui.ends_form import EndsForm, row
from widgets.signs import Signs


class ProbeForm(EndsForm):
    """A draft of a probe that can be edited."""

    NAME = "probe"

    def __init__(self, draft: Draft, signs: Signs) -> None:
        super().__init__(draft, signs)
        self._count = draft.count

    def compose(self) -> ComposeResult:
        """The fields, then the list of what is known."""
        yield row(*self.end_fields("source"))
        yield row(*self.end_fields("target"))
        count = (Label("count", classes="short"), self.field("count", self._count))
        yield row(*self.protocol_fields(), *count)
        yield from self.known_list()

    @property
    def draft(self) -> Draft:
        """What stands in the fields."""
        flow = self.flow
        return Draft(flow.source, flow.target, flow.protocol, flow.port, self.typed("count"))

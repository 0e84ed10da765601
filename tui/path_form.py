"""The fields of a path: the flow, the packet's mark, and where it starts if that cannot be found."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Label

from tui.draft import PathDraft
from tui.ends_form import EndsForm, row
from widgets.choice import Choice
from widgets.signs import Signs


class PathForm(EndsForm):
    """A draft of a packet that can be edited."""

    NAME = "path"

    def __init__(self, draft: PathDraft, signs: Signs) -> None:
        super().__init__(draft, signs)
        self._draft = draft

    def compose(self) -> ComposeResult:
        """The fields in three lines, the list of what is known over what lies below."""
        at = (Label("at", classes="short"), self.field("at", self._draft.at, "node:interface"))
        mark = (Label("mark", classes="short"), self.field("mark", self._draft.mark, "0, or VALUE/MASK"))
        yield row(*self.end_fields("source"), *at)
        yield row(*self.end_fields("target"))
        yield row(*self.protocol_fields(), *mark)
        yield from self.known_list()

    @property
    def draft(self) -> PathDraft:
        """What stands in the fields."""
        flow = self.flow
        mark, at = self.typed("mark"), self.typed("at")
        return PathDraft(flow.source, flow.target, flow.protocol, flow.port, mark, at)

    def fill_in(self, draft: PathDraft) -> None:
        """Another draft."""
        for name in ("source", "target", "port", "mark", "at"):
            self.input(name).value = getattr(draft, name)
        self.query_one(Choice).choose(draft.protocol)

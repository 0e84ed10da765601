"""The panes of the explorer as one thing: which is active, what is selected, going to a place."""

from __future__ import annotations

from dataclasses import dataclass

from calitop.model.network import Route
from tui.history import Place
from tui.shown import Shown
from widgets.chain_tree import ChainTree
from widgets.chain_words import row_place
from widgets.detail import Detail
from widgets.link_table import LinkTable
from widgets.pieces import Light
from widgets.route_table import RouteTable
from widgets.view import ChainId, LinkId, MapId, RouteId, RuleId, Subject
from widgets.virtual_rows import VirtualRows

MAIN = ("routes", "links", "chains")
ALL = (*MAIN, "detail")


@dataclass
class Panes:
    """The four panes; `active` is the main pane that was focused last."""

    routes: RouteTable
    links: LinkTable
    chains: ChainTree
    detail: Detail
    active: str = "routes"

    def __getitem__(self, name: str) -> VirtualRows:
        return {"routes": self.routes, "links": self.links, "chains": self.chains, "detail": self.detail}[
            name
        ]

    def name_of(self, pane: VirtualRows) -> str:
        """Name of a pane."""
        return next(name for name in ALL if self[name] is pane)

    def activate(self, name: str) -> None:
        """Make a main pane the one that is shown where only one fits."""
        if name in MAIN:
            self.active = name
        for other in MAIN:
            self[other].set_class(other == self.active, "-active")

    def show_titles(self, titled: bool) -> None:
        """Show the main panes' titles, or leave them to the line of tabs."""
        for name in MAIN:
            self[name].show_title(titled)

    def apply(self, shown: Shown, last: Shown | None) -> None:
        """Show another moment or newer numbers; cursors and open rows stay."""
        if last is None or shown.routes is not last.routes:
            self.routes.show_content(shown.routes)
        if last is None or shown.view.state is not last.view.state:
            self.links.show_content(shown.links)
        else:
            self.links.show_numbers(shown.links)
        if last is None or shown.outlines is not last.outlines:
            if last is not None:
                for arrangement, outline in shown.outlines.all().items():
                    outline.restore(last.outlines[arrangement].opened())
            self.chains.show_outline(shown.view, shown.outlines[self.chains.arrangement])
        else:
            self.chains.show_view(shown.view)

    def subject(self) -> Subject | None:
        """What is selected in the active pane."""
        if self.active != "chains":
            row_id = self[self.active].current_id()
            return row_id if isinstance(row_id, (RouteId, LinkId)) else None
        row = self.chains.current_row()
        if row is not None and row.key is None and row.map is not None:
            return MapId(row.map, row.element)
        if row is None or row.key is None:
            return None
        return row_place(row) or ChainId(row.key)

    def route(self) -> Route | None:
        """The selected route, when the routes are active."""
        return self.routes.route(self.routes.current_id()) if self.active == "routes" else None

    def place(self) -> Place:
        """Where the cursor is, for going back."""
        chains = self.chains
        row_id = chains.current_path() if self.active == "chains" else self[self.active].current_id()
        return Place(self.active, row_id)

    def go(self, subject: Subject) -> bool:
        """Put the cursor on something; False where it is not shown."""
        if isinstance(subject, (ChainId, RuleId, MapId)):
            name, found = "chains", self._reveal(subject)
        else:
            name = "routes" if isinstance(subject, RouteId) else "links"
            line = self[name].line_of(subject)
            found = line is not None
            if line is not None:
                self[name].move_to(line, centre=True)
        if found:
            self.activate(name)
        return found

    def _reveal(self, subject: ChainId | RuleId | MapId) -> bool:
        if isinstance(subject, MapId):
            return self.chains.reveal_map(subject)
        if isinstance(subject, ChainId):
            return self.chains.reveal(subject.key)
        return self.chains.reveal_rule(subject)

    def return_to(self, place: Place) -> None:
        """Put the cursor back where it was."""
        self.activate(place.pane)
        if place.pane == "chains":
            if isinstance(place.row_id, tuple):
                self.chains.return_to(place.row_id)
            return
        line = self[place.pane].line_of(place.row_id)
        if line is not None:
            self[place.pane].move_to(line)

    def light_up(self, lights: dict[str, Light]) -> None:
        """Light the other panes and bring the first lit interface and route into view."""
        for name, light in lights.items():
            self[name].light_up(light)
            if name == self.active or name == "chains":
                continue
            lines = [line for one in light.related if (line := self[name].line_of(one)) is not None]
            if lines:
                self[name].show_line(min(lines))

"""Jumping from pane to pane and back again."""

from __future__ import annotations

from collections.abc import Callable

from calitop.explain.network_words import no_way_words
from calitop.model.network import Route
from calitop.model.rules import ChainKey
from tui.history import History, Place
from tui.linked import places_of_interface
from tui.panes import Panes
from widgets.view import ChainId, LinkId, RouteId, RuleId, Subject, View


class Steps:
    """Where enter leads, and the way back.

    An interface leads to several chains: enter goes to the first, and enter again, on the
    row that it led to, to the next.
    """

    def __init__(self, panes: Panes, tell: Callable[[str], None]) -> None:
        self.panes = panes
        self.history = History()
        self._tell = tell
        self._ring: list[Subject] = []
        self._ring_at = 0
        self._ring_row: Place | None = None

    def forget(self) -> None:
        """Another node is shown: its places are not these."""
        self.history.clear()
        self._ring = []

    def jump(self, subject: Subject, by: Place | None = None) -> bool:
        """Go to something and remember the way back; says so where it is not shown.

        Args:
            subject: Where to.
            by: A place beside the panes from which the operator came; back leads there first.
        """
        here = self.panes.place()
        if not self.panes.go(subject):
            self._tell("that is not shown here")
            return False
        if self.panes.place() != here:
            self.history.leave(here)
        if by is not None:
            self.history.leave(by)
        return True

    def enter(self, view: View) -> None:
        """Go where the selected row leads."""
        if len(self._ring) > 1 and self.panes.place() == self._ring_row:
            self._turn(self._ring_at + 1)
            return
        subject = self.panes.subject()
        if isinstance(subject, RouteId):
            self._from_route(view, self.panes.route())
        elif isinstance(subject, LinkId):
            self._from_link(view, subject.link)
        else:
            self._from_chain_row(view)

    def _from_route(self, view: View, route: Route | None) -> None:
        if route is None:
            return
        if said := no_way_words(route):
            self._tell(said)
            return
        name = view.index.interface_of_route(route)
        if name is None:
            self._tell(f"{route.dst}: which interface it leaves by is not told")
        elif view.state.link(name) is None:
            self._tell(f"interface {name} was not read: only the route names it")
            self._from_link(view, name)
        else:
            self.jump(LinkId(name))

    def _from_link(self, view: View, name: str) -> None:
        self._ring = places_of_interface(view, name)
        if not self._ring:
            self._tell(f"no chain and no rule names {name}")
            return
        if isinstance(self._ring[0], RuleId):
            self._tell(f"{name} has no chains of its own: these rules match it by -i or -o")
        self._turn(0)

    def _turn(self, at: int) -> None:
        self._ring_at = at % len(self._ring)
        if self.jump(self._ring[self._ring_at]):
            self.panes.chains.open_current()
            self._ring_row = self.panes.place()
            if len(self._ring) > 1:
                self._tell(f"{self._ring_at + 1} of {len(self._ring)}: enter again for the next")

    def _from_chain_row(self, view: View) -> None:
        chains = self.panes.chains
        row = chains.current_row()
        if row is None:
            return
        if row.openable:
            self._open_or_enter()
            return
        if row.kind == "reference" and row.key is not None:
            self.jump(ChainId(row.key))
        elif row.targets:
            self._to_chain(view, row.targets[0])

    def _open_or_enter(self) -> None:
        chains = self.panes.chains
        here, row = self.panes.place(), chains.current_row()
        if row is None:
            return
        if row.rule is None and row.element is None:
            chains.set_open(row, not row.is_open)
            return
        chains.set_open(row, True)
        child = chains.child_line(chains.cursor)
        if child is not None:
            self.history.leave(here)
            chains.move_to(child)

    def _to_chain(self, view: View, target: ChainKey) -> None:
        if not view.chains[target].present:
            self._tell(f"{target.chain} stands nowhere in the text that was read")
        if self.jump(ChainId(target)):
            self.panes.chains.open_current()

    def leave_to(self, place: Place) -> bool:
        """Step back to a place beside the panes; False where the last jump did not come from it."""
        if not self.history.behind or self.history.behind[-1] != place:
            return False
        self.history.back(self.panes.place())
        return True

    def back(self) -> bool:
        """Go back to where the last jump came from; False at the beginning."""
        return self._return(self.history.back(self.panes.place()))

    def forward(self) -> bool:
        """Go forward again; False at the end."""
        return self._return(self.history.forward(self.panes.place()))

    def _return(self, place: Place | None) -> bool:
        if place is not None:
            self.panes.return_to(place)
        return place is not None

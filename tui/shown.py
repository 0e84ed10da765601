"""One node made ready for the panes, away from the event loop: nothing slow is left to do."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from calitop.cni.index import NodeIndex
from calitop.counters.counts import Counts
from calitop.model.node import NodeState
from calitop.outline import Outline
from widgets.chain_tree import Arrangement
from widgets.link_table import LinkRows
from widgets.route_table import RouteRows
from widgets.signs import Signs
from widgets.status_line import Status
from widgets.view import View, hits_of

SMALL_GROUP = 200
"""Chains of a group that is open from the start."""


@dataclass(frozen=True, eq=False, repr=False)
class Shown:
    """Everything the explorer shows of one node at one moment; whole, so that a newer one replaces it.

    `repr=False`: Textual names a worker by the repr of what it runs, and that of 50,000 rules is long.
    """

    view: View
    routes: RouteRows
    links: LinkRows
    outlines: Outlines
    status: Status
    read_at: float | None = None
    """Monotonic clock, seconds, of the poll; None offline."""
    baseline_at: float | None = None
    """Monotonic clock, seconds; None offline."""

    def finish(self) -> None:
        """Make ready what the first picture could do without; slow, for a thread."""
        self.view.index.prepare()
        self.outlines.all()


class Outlines:
    """The trees of the rules; each is made when it is first asked for."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._made: dict[Arrangement, Outline] = {}
        self._making = Lock()

    def __getitem__(self, arrangement: Arrangement) -> Outline:
        with self._making:
            if arrangement not in self._made:
                outline = Outline(self._view.state, arrangement, self._view.index)
                open_tops(outline)
                self._made[arrangement] = outline
            return self._made[arrangement]

    def all(self) -> dict[Arrangement, Outline]:
        """The trees of both arrangements."""
        return {"hook": self["hook"], "chain": self["chain"]}


@dataclass
class Preparer:
    """Makes `Shown` records; keeps what the former one holds where nothing of it changed."""

    signs: Signs
    live: bool
    last: Shown | None = None

    def prepare(
        self,
        state: NodeState,
        counts: Counts | None,
        status: Status,
        read_at: float | None = None,
        baseline_at: float | None = None,
        index: NodeIndex | None = None,
    ) -> Shown:
        """The node made ready; called in a thread. `index` where somebody has made it already."""
        last = self.last
        if index is None:
            index = NodeIndex(state, None if last is None else last.view.index).prepare_first_screen()
        view = View(state, index, counts, self.live, hits_of(counts))
        outlines = self._outlines(view)
        routes = self._routes(view)
        self.last = Shown(view, routes, self._links(view), outlines, status, read_at, baseline_at)
        return self.last

    def _links(self, view: View) -> LinkRows:
        """Rows of the links; with the former ones' columns while only numbers changed."""
        last = self.last
        if self.live and last is not None and last.view.index is view.index:
            return last.links.with_numbers(view)
        rows = LinkRows(view, self.signs)
        _ = rows.columns
        return rows

    def _routes(self, view: View) -> RouteRows:
        """Rows of the routes; the former ones while neither routes nor what they lead to changed."""
        if self.last is not None:
            had, now = self.last.view.state, view.state
            if had is now or (had.routes == now.routes and had.pods == now.pods):
                return self.last.routes
        rows = RouteRows(view.state.routes, view.index, self.signs)
        _ = rows.columns, rows.title
        return rows

    def _outlines(self, view: View) -> Outlines:
        """Trees of the rules; the former ones, with what is open in them, while the rules are the same."""
        if self.last is not None and self.last.view.index.rules is view.index.rules:
            return self.last.outlines
        outlines = Outlines(view)
        # The first screen shows the hooks; later ones take over what is open in both.
        _ = outlines["hook"] if self.last is None else outlines.all()
        return outlines


def open_tops(outline: Outline) -> None:
    """Open the hooks, so that the first picture shows rules with their counters, and small groups.

    Among hooks a group holds the orphans; it is opened only where there is nothing else.
    """
    tops = list(outline.rows())
    hooks = [row for row in tops if row.kind == "hook"]
    for row in hooks or tops:
        before = len(outline)
        outline.set_open(row, True)
        if row.kind == "group" and len(outline) - before > SMALL_GROUP:
            outline.set_open(row, False)


def problem_count(state: NodeState) -> int:
    """Problems in all files of a node."""
    return sum(len(one.problems) for one in state.files)


def backends_of(state: NodeState) -> str:
    """Backends that hold rules, joined."""
    backends = dict.fromkeys(ruleset.backend or "backend not told" for ruleset in state.rulesets)
    return "+".join(backends)

"""The routes of all tables, one line each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property

from calitop.cni.index import NodeIndex
from calitop.explain.plain_facts import route_way
from calitop.model.network import Route
from widgets.columns import Column, Placed, fit
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import Lose, cell
from widgets.view import RouteId, route_id
from widgets.virtual_rows import VirtualRows
from widgets.wording import owner_look, owner_sign, route_devices


class RouteRows:
    """Routes in showing order with the text of their cells; knows no terminal."""

    def __init__(self, routes: Sequence[Route], index: NodeIndex | None, signs: Signs = UNICODE) -> None:
        self.routes = sorted(routes, key=_table_order)
        self.index = index
        self.signs = signs
        self.ids = [route_id(route) for route in self.routes]
        self.lines = {row_id: line for line, row_id in reversed(list(enumerate(self.ids)))}

    @cached_property
    def columns(self) -> list[Column]:
        """The columns that these routes need, with their widest content."""
        pod = self._widest("pod", 0)
        tables = any(route.table != "main" for route in self.routes)
        return [
            Column("dst", "dst", 0, min(15, self._widest("dst", 9)), self._widest("dst", 9)),
            Column("via", "via", 3, 8, self._widest("via", 8)),
            Column("dev", "dev", 1, 8, self._widest("dev", 8)),
            *([Column("table", "table", 11, 5, self._widest("table", 5))] if tables else []),
            *([Column("pod", "pod", 10, 12, max(12, pod))] if pod else []),
            Column("proto", "proto", 12, 6, self._widest("proto", 6)),
            Column("metric", "metric", 13, 6, 6, right=True),
            Column("owner", "own", 2, 3, 3),
        ]

    @cached_property
    def title(self) -> str:
        """How many routes the main table has, and how many stand elsewhere."""
        inside = sum(1 for route in self.routes if route.table == "main")
        outside = len(self.routes) - inside
        return f"Routes {inside}" + (f"  {outside} in other tables" if outside else "")

    def _widest(self, column: str, least: int) -> int:
        return max([least, *(len(self.text(route, column)) for route in self.routes)])

    def text(self, route: Route, column: str) -> str:
        """Text of one cell."""
        if column == "pod":
            return self._pod(route)
        if column == "owner":
            owner = self.index.owner_of_route(route) if self.index else None
            return owner_sign(owner, self.signs.unknown)
        return self._plain[column](route)

    @cached_property
    def _plain(self) -> Mapping[str, Callable[[Route], str]]:
        """What each column says of a route by itself; one is asked at a time, of 10,000 routes."""
        unknown = self.signs.unknown
        return {
            "dst": lambda route: route.dst,
            "via": route_way,
            "dev": lambda route: route_devices(route) or unknown,
            "table": lambda route: "" if route.table == "main" else route.table,
            "proto": lambda route: route.proto or unknown,
            "metric": lambda route: str(route.metric),
        }

    def _pod(self, route: Route) -> str:
        pod = self.index.pod_of_interface(route.dev) if self.index and route.dev else None
        return "" if pod is None else pod.name

    def pieces(self, route: Route, placed: Sequence[Placed]) -> Iterable[Piece]:
        """The route's cells, each with its look."""
        for column in placed:
            name, right = column.column.id, column.column.right
            is_gateway = name == "via" and route.gateway is not None
            lose: Lose = "start" if is_gateway else "middle"
            text = cell(self.text(route, name), column.width, right, lose, self.signs.cut)
            yield Piece(" " if column is not placed[0] else "")
            yield Piece(text, self._look(route, column.column.id))

    def _look(self, route: Route, column: str) -> str:
        if column == "owner":
            return owner_look(self.index.owner_of_route(route) if self.index else None)
        if column == "via" and route.type in ("blackhole", "unreachable", "prohibit", "throw"):
            return "deny"
        return "dim" if column in ("proto", "metric", "table") else ""


def _table_order(route: Route) -> tuple[int, int]:
    tables = {"main": 0, "local": 2}
    return (tables.get(route.table, 1), 0 if route.family == "ipv4" else 1)


class RouteTable(VirtualRows):
    """Pane of the routes."""

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.content = RouteRows((), None, signs)

    def show_content(self, content: RouteRows) -> None:
        """Take over a new set of routes; the cursor stays on its route."""
        keep = self.current_id()
        self.content = content
        self.forget_strips()
        self.rows_changed(keep)

    def route(self, row_id: Hashable) -> Route | None:
        """The route of that identity, or None."""
        line = self.line_of(row_id)
        return None if line is None else self.content.routes[line]

    def row_count(self) -> int:
        """Number of routes."""
        return len(self.content.routes)

    def row_id(self, line: int) -> RouteId:
        """Identity of the route."""
        return self.content.ids[line]

    def row_face(self, line: int) -> Hashable:
        """The route itself: everything drawn is derived from it."""
        return id(self.content.routes[line])

    def line_of(self, row_id: Hashable) -> int | None:
        """Line of the route, or None."""
        return self.content.lines.get(row_id) if isinstance(row_id, RouteId) else None

    def columns(self) -> Sequence[Column]:
        """The columns that the routes need."""
        return self.content.columns

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The route's cells."""
        return self.content.pieces(self.content.routes[line], fit(self.columns(), width))

    def pane_title(self) -> str:
        """Number of routes in the main table, and of those elsewhere."""
        return self.content.title

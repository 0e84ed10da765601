"""The network interfaces, one line each, with what they carried."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

from calitop.model.network import Link, LinkCounters
from widgets import numbers
from widgets.columns import Column, Placed, fit
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import cell
from widgets.view import LinkId, View
from widgets.virtual_rows import VirtualRows
from widgets.wording import owner_look, owner_sign


@dataclass(frozen=True)
class Traffic:
    """What a link carried: per second when live, since the baseline between two moments, else in all."""

    rx: float | None = None
    tx: float | None = None
    drops: int | None = None
    """Received and sent packets that were dropped, in all."""
    drops_since: int | None = None


class LinkRows:
    """Links in showing order with the text of their cells; knows no terminal."""

    def __init__(self, view: View | None, signs: Signs = UNICODE) -> None:
        self.view = view
        self.signs = signs
        self.links = list(view.state.links) if view else []
        self.lines = {link.name: line for line, link in enumerate(self.links)}
        self.decided = _decided_by_bpf(view) if view else frozenset()
        """Interfaces on which a BPF program or filter decides before any rule."""

    def with_numbers(self, view: View) -> LinkRows:
        """The same links with newer numbers, where `view` is of the very same state; columns stay as wide."""
        newer = copy(self)
        newer.view = view
        return newer

    def traffic(self, link: Link) -> Traffic:
        """What the link carried: a rate when live, the difference between two moments, else totals."""
        return Traffic() if self.view is None else _traffic(self.view, link)

    @cached_property
    def columns(self) -> list[Column]:
        """The columns with their widest content; the traffic heads say what is counted."""
        rate = self._traffic_unit()
        bpf = [Column("bpf", "", 4, 1, 1)] if self.decided else []
        return [
            Column("name", "name", 0, min(15, self._widest("name", 6)), self._widest("name", 6)),
            *bpf,
            Column("pod", "pod", 10, 9, self._widest("pod", 9)),
            Column("kind", "kind", 14, 6, self._widest("kind", 6)),
            Column("state", "up", 1, 4, 4),
            Column("mtu", "mtu", 13, 5, 5, right=True),
            Column("addresses", "addresses", 15, 11, self._widest("addresses", 11)),
            Column("rx", f"rx{rate}", 2, 5, 7, right=True),
            Column("tx", f"tx{rate}", 3, 5, 7, right=True),
            Column("drops", "drops", 11, 5, 7, right=True),
            Column("owner", "own", 12, 3, 3),
        ]

    def _traffic_unit(self) -> str:
        if self.view is None or self.view.counts is None:
            return ""
        return "/s" if self.view.live else " +"

    def _widest(self, column: str, least: int) -> int:
        return max([least, *(len(self.text(link, column, 99)) for link in self.links)])

    def text(self, link: Link, column: str, width: int) -> str:
        """Text of one cell."""
        if column in ("rx", "tx", "drops"):
            return self._traffic_text(link, column, width)
        unknown = self.signs.unknown
        index = self.view.index if self.view else None
        if column == "pod":
            pod = index.pod_of_interface(link.name) if index else None
            return pod.name if pod else ""
        if column == "owner":
            return owner_sign(index.owner_of_link(link) if index else None, unknown)
        if column == "kind":
            return (index.role_of_link(link) if index else None) or link.kind or unknown
        texts = {
            "bpf": self.signs.bpf if link.name in self.decided else "",
            "name": link.name,
            "state": {True: "up", False: "down", None: unknown}[link.up],
            "mtu": unknown if link.mtu is None else str(link.mtu),
            "addresses": " ".join(link.addresses),
        }
        return texts[column]

    def _traffic_text(self, link: Link, column: str, width: int) -> str:
        traffic = self.traffic(link)
        if column == "drops":
            return numbers.count(traffic.drops, width, self.signs)
        rate = traffic.rx if column == "rx" else traffic.tx
        return numbers.per_second(rate, width, self.signs)

    def pieces(self, link: Link, placed: Sequence[Placed]) -> Iterable[Piece]:
        """The link's cells, each with its look."""
        for column in placed:
            text = self.text(link, column.column.id, column.width)
            yield Piece(" " if column is not placed[0] else "")
            shown = cell(text, column.width, column.column.right, cut=self.signs.cut)
            sign = "bpf" if text and column.column.id == "bpf" else ""
            yield Piece(shown, self._look(link, column.column.id), sign)

    def _look(self, link: Link, column: str) -> str:
        if column == "owner":
            return owner_look(self.view.index.owner_of_link(link) if self.view else None)
        if column == "state" and link.up is False:
            return "deny"
        if column == "drops":
            return "alarm" if (self.traffic(link).drops_since or 0) > 0 else "dim"
        return "dim" if column in ("kind", "mtu", "addresses") else ""


def _decided_by_bpf(view: View) -> frozenset[str]:
    attached = {one.dev for one in view.state.bpf if one.dev is not None}
    return frozenset(attached | {link.name for link in view.state.links if link.bpf})


def _traffic(view: View, link: Link) -> Traffic:
    counts, told = view.counts, link.counters
    if counts is None:
        return Traffic(told.rx_packets, told.tx_packets, drops_of(told))
    since = counts.links.get(link.name, LinkCounters())
    drops, drops_since = drops_of(counts.links_now.get(link.name, told)), drops_of(since)
    if not view.live:
        return Traffic(since.rx_packets, since.tx_packets, drops, drops_since)
    rate = counts.link_rates.get(link.name)
    if rate is None:
        return Traffic(None, None, drops, drops_since)
    return Traffic(rate.rx_packets, rate.tx_packets, drops, drops_since)


def drops_of(counters: LinkCounters) -> int | None:
    """Dropped packets in both directions; None when neither is known."""
    known = [drops for drops in (counters.rx_dropped, counters.tx_dropped) if drops is not None]
    return sum(known) if known else None


class LinkTable(VirtualRows):
    """Pane of the interfaces."""

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.content = LinkRows(None, signs)

    def show_content(self, content: LinkRows) -> None:
        """Take over new links; the cursor stays on its link."""
        keep = self.current_id()
        self.content = content
        self.forget_strips()
        self.rows_changed(keep)

    def show_numbers(self, content: LinkRows) -> None:
        """Take over new numbers of the same links."""
        self.content = content
        self.numbers_changed()

    def link(self, row_id: Hashable) -> Link | None:
        """The link of that identity, or None."""
        line = self.line_of(row_id)
        return None if line is None else self.content.links[line]

    def row_count(self) -> int:
        """Number of links."""
        return len(self.content.links)

    def row_id(self, line: int) -> LinkId:
        """The link's name."""
        return LinkId(self.content.links[line].name)

    def row_face(self, line: int) -> Hashable:
        """The link and its numbers."""
        link = self.content.links[line]
        return (id(link), self.content.traffic(link))

    def line_of(self, row_id: Hashable) -> int | None:
        """Line of the link, or None."""
        return self.content.lines.get(row_id.link) if isinstance(row_id, LinkId) else None

    def columns(self) -> Sequence[Column]:
        """The columns that the links need."""
        return self.content.columns

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The link's cells."""
        return self.content.pieces(self.content.links[line], fit(self.columns(), width))

    def pane_title(self) -> str:
        """Number of interfaces."""
        return f"Interfaces {self.row_count()}"

"""`ip [-4|-6] [-d] [-o] route`: routes as text, one line each, with the ways of a multipath below.

Source: print_route in iproute2's ip/iproute.c; old versions put two blanks between the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from calitop.formats.fragment import Fragment
from calitop.formats.ip_route_words import (
    FLAGS,
    METRICS,
    TYPES,
    RouteDraft,
    destination,
    route_family,
    settle,
)
from calitop.formats.reading import (
    Problems,
    family_of,
    head_lines,
    is_address,
    numbered,
    told,
    whole_number,
    word_set,
)
from calitop.model.network import IpFamily, NextHop, Route

KIND = "ip route"

_FAMILIES = frozenset(("inet", "inet6"))
_OTHER = word_set("from pref expires error realm realms ttl-propagate iif users age uid mark")
_KEYWORDS = word_set(
    "via dev table proto protocol scope src metric preference nhid tos dsfield weight encap nexthop lock "
)
_ALL_WORDS = _KEYWORDS | _OTHER | METRICS | FLAGS
_HEAD = re.compile(
    rf"\s?(?:(?:{'|'.join(sorted(TYPES))})\s+)?(?:default|[0-9a-fA-F.:]+(?:/\d+)?)"
    rf"(?:\s+(?:{'|'.join(sorted(_ALL_WORDS))})\b|(?P<bare>\s*$)|\s*\\)"
)
_OF_NEIGHBOUR = re.compile(r" lladdr |[A-Z]{4,}\s*$")
_CONTINUED = re.compile(r"\s+(?:nexthop|nh_info|cache)\b")
_ONE_LINE = re.compile(r"\s*\\\s*(?=nexthop\b|nh_info\b|cache\b|$)")


def looks_like(text: str) -> bool:
    """Whether most of the first lines are routes of `ip route`."""
    lines = head_lines(text)
    routes = sum(1 for line, below in zip(lines, [*lines[1:], ""], strict=False) if _is_head(line, below))
    return routes > 0 and 2 * (routes + sum(1 for line in lines if _CONTINUED.match(line))) > len(lines)


def _is_head(line: str, below: str) -> bool:
    """Whether a line begins a route: it names a way, refuses, or has its ways in the lines below."""
    match = _HEAD.match(line)
    if match is None or _OF_NEIGHBOUR.search(line):
        return False
    words = line.split()
    typed = words[0] in TYPES
    if destination(words[1] if typed else words[0]) is None:
        return False
    return match["bare"] is None or typed or bool(_CONTINUED.match(below))


def parse(text: str, table: str = "main", family: IpFamily | None = None) -> Fragment:
    """The routes of a text.

    Args:
        text: What `ip route` printed.
        table: Table that was asked for, which the listing itself then does not name.
        family: Family that was asked for, for a `default` that names no address.
    """
    problems = Problems()
    routes: list[Route] = []
    known: list[bool] = []
    for entry in _entries(text):
        draft = _RouteReader(entry, table, problems).read()
        route = draft.route() if draft else None
        if draft is None or route is None:
            continue
        known.append(draft.family is not None)
        routes.append(route)
    return Fragment(problems.all(), routes=told(settle(routes, known, family), problems), richness=6)


_Lines = list[tuple[int, str]]


def _entries(text: str) -> Iterator[_Lines]:
    """The lines of one route each: its own, and the indented ones below it."""
    entry: _Lines = []
    for number, line in numbered(text):
        parts = _ONE_LINE.split(line) if "\\" in line else [line]
        if entry and not _CONTINUED.match(line):
            yield entry
            entry = []
        entry += [(number, part) for part in parts if part]
    if entry:
        yield entry


class _Cut(Exception):
    """The line ends where a value must stand."""


class _RouteReader:
    """Reads the lines of one route."""

    def __init__(self, entry: _Lines, table: str, problems: Problems) -> None:
        self._line, self._text = entry[0]
        self._more = entry[1:]
        self._words = iter(self._text.split())
        self._table = table
        self._problems = problems
        self._unknown: list[str] = []
        self._same_family: list[str | None] = []

    def read(self) -> RouteDraft | None:
        """The route; None for a line that is none or is cut, which becomes a problem."""
        try:
            draft = self._begin()
            if draft is None:
                return self._no_route("is not a route")
            if any(line.split()[0] == "cache" for _, line in self._more):
                return self._no_route("the answer of a lookup, not an entry of a table")
            for word in self._words:
                self._read_word(draft, word)
            for number, line in self._more:
                self._read_more(draft, number, line)
        except _Cut as cut:
            return self._no_route(f"the line is cut after '{cut}'")
        return self._finish(draft)

    def _begin(self) -> RouteDraft | None:
        word = self._value("")
        kind = "unicast"
        if word in TYPES:
            kind, word = word, self._value(word)
        if destination(word) is None:
            return None
        return RouteDraft(word, self._line, self._table, kind)

    def _finish(self, draft: RouteDraft) -> RouteDraft | None:
        last = self._text.split()[-1]
        if self._unknown[-1:] == [last] and any(known.startswith(last) for known in _ALL_WORDS):
            return self._no_route(f"the line is cut in '{last}'")
        if not draft.leads_somewhere():
            return self._no_route("names neither a device nor a next hop")
        if self._unknown:
            self._report(f"'{self._unknown[0]}' is not known here; the rest of the route is read")
        draft.family = route_family(destination(draft.dst) or "", [draft.src, *self._same_family])
        if draft.family is None and any(other.startswith("pref ") for other in draft.other):
            draft.family = "ipv6"
        return draft

    def _no_route(self, why: str) -> RouteDraft | None:
        self._report(why)
        return None

    def _report(self, why: str) -> None:
        self._problems.add(self._line, self._text.strip(), why)

    def _value(self, after: str) -> str:
        word = next(self._words, None)
        if word is None:
            raise _Cut(after)
        return word

    def _number(self, after: str) -> int:
        word = self._value(after)
        number = whole_number(word)
        if number is None:
            self._unknown.append(word)
        return number or 0

    def _read_word(self, draft: RouteDraft, word: str) -> None:
        if reader := _READERS.get(word):
            reader(self, draft, word)
        elif word in FLAGS:
            draft.flags.append(word)
        elif word in METRICS:
            self._read_metric(draft, word)
        elif word in _OTHER:
            draft.other.append(f"{word} {self._value(word)}")
        else:
            self._unknown.append(word)

    def _read_via(self, draft: RouteDraft, word: str) -> None:
        draft.gateway = self._gateway(word)

    def _gateway(self, word: str) -> str:
        """An address; a family word stands before it only where it is not the route's own."""
        gateway = self._value(word)
        if gateway in _FAMILIES:
            gateway = self._value(gateway)
        else:
            self._same_family.append(gateway)
        if not is_address(gateway):
            self._unknown.append(gateway)
        return gateway

    def _read_dev(self, draft: RouteDraft, word: str) -> None:
        draft.dev = self._value(word)

    def _read_table(self, draft: RouteDraft, word: str) -> None:
        draft.table = self._value(word)

    def _read_proto(self, draft: RouteDraft, word: str) -> None:
        draft.proto = self._value(word)

    def _read_scope(self, draft: RouteDraft, word: str) -> None:
        draft.scope = self._value(word)

    def _read_src(self, draft: RouteDraft, word: str) -> None:
        draft.src = self._value(word)
        if family_of(draft.src) is None:
            self._unknown.append(draft.src)

    def _read_preference(self, draft: RouteDraft, word: str) -> None:
        draft.metric = self._number(word)

    def _read_nhid(self, draft: RouteDraft, word: str) -> None:
        draft.nhid = self._number(word)

    def _read_tos(self, draft: RouteDraft, word: str) -> None:
        draft.tos = self._value(word)

    def _read_metric(self, draft: RouteDraft, word: str) -> None:
        value = self._value(word)
        if value == "lock":
            value = self._value(word)
        if word == "mtu":
            draft.mtu = whole_number(value)
        else:
            draft.other.append(f"{word} {value}")

    def _read_encap(self, draft: RouteDraft, word: str) -> None:
        """The words of an encapsulation up to `via` or `dev`; its `src` and `tos` are not the route's."""
        words = [word]
        while (following := self._value(words[-1])) not in ("via", "dev"):
            words.append(following)
        draft.other.append(" ".join(words))
        self._read_word(draft, following)

    def _read_more(self, draft: RouteDraft, number: int, line: str) -> None:
        words = line.split()
        if words[0] == "nexthop":
            self._words = iter(words[1:])
            draft.nexthops.append(self._next_hop(number, line))

    def _next_hop(self, number: int, line: str) -> NextHop:
        gateway = dev = weight = None
        flags: list[str] = []
        encapsulated = False
        for word in self._words:
            encapsulated = word == "encap" or (encapsulated and word not in ("via", "dev"))
            if encapsulated:
                continue
            if word == "via":
                gateway = self._gateway(word)
            elif word == "dev":
                dev = self._value(word)
            elif word == "weight":
                weight = whole_number(self._value(word))
            elif word in FLAGS:
                flags.append(word)
            else:
                self._problems.add(number, line.strip(), f"'{word}' is not known in a next hop")
                break
        return NextHop(gateway, dev, weight, tuple(flags))


_READERS: dict[str, Callable[[_RouteReader, RouteDraft, str], None]] = {
    "via": _RouteReader._read_via,
    "dev": _RouteReader._read_dev,
    "table": _RouteReader._read_table,
    "proto": _RouteReader._read_proto,
    "protocol": _RouteReader._read_proto,
    "scope": _RouteReader._read_scope,
    "src": _RouteReader._read_src,
    "metric": _RouteReader._read_preference,
    "preference": _RouteReader._read_preference,
    "nhid": _RouteReader._read_nhid,
    "tos": _RouteReader._read_tos,
    "dsfield": _RouteReader._read_tos,
    "encap": _RouteReader._read_encap,
}

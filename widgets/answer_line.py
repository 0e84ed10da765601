"""One line of the answer, and where it leads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from widgets.facts import Fact
from widgets.pages import hung
from widgets.pieces import Piece
from widgets.text import plain, shorten_end
from widgets.view import LinkId, RouteId, RuleId


class Place(NamedTuple):
    """Where a line leads: something on one of the nodes."""

    node: str
    subject: RuleId | LinkId | RouteId


class Line(NamedTuple):
    """One line of the answer."""

    pieces: tuple[Piece, ...]
    place: Place | None = None


def title(text: str, width: int) -> Line:
    """A heading in one line."""
    return Line((Piece(shorten_end(f" {plain(text)}", width), "strong"),))


def wrapped(text: str, width: int, look: str = "", place: Place | None = None) -> Iterator[Line]:
    """A fact in as many lines as it takes."""
    for fact in hung(Fact(plain(text), look), width):
        yield Line((Piece(fact.text, look),), place)

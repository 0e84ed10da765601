"""What rows are drawn from: pieces of text with a look, and the light that another pane throws."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from widgets.text import width_of


class Piece(NamedTuple):
    """A stretch of a row with the name of its look (a component class without `rows--`)."""

    text: str
    look: str = ""
    sign: str = ""
    """Field of `Signs` that the text begins with; plain signs are too common to be found in the text."""


def cropped(pieces: Iterable[Piece], width: int) -> Iterator[Piece]:
    """The pieces as far as they stand within `width` cells."""
    room = width
    for piece in pieces:
        yield piece if width_of(piece.text) <= room else piece._replace(text=piece.text[:room])
        room -= width_of(piece.text)
        if room <= 0:
            return


@dataclass(frozen=True)
class Light:
    """What another pane's cursor lights up here."""

    related: frozenset[Hashable] = frozenset()
    """Row identities that belong to it."""
    leads: frozenset[Hashable] = frozenset()
    """Rows below which, closed now, a related one stands."""


NO_LIGHT = Light()

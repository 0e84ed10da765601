"""What rows are drawn from: pieces of text with a look, and the light that another pane throws."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple


class Piece(NamedTuple):
    """A stretch of a row with the name of its look (a component class without `rows--`)."""

    text: str
    look: str = ""


@dataclass(frozen=True)
class Light:
    """What another pane's cursor lights up here."""

    related: frozenset[Hashable] = frozenset()
    """Row identities that belong to it."""
    leads: frozenset[Hashable] = frozenset()
    """Rows below which, closed now, a related one stands."""


NO_LIGHT = Light()

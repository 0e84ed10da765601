"""The places that a search found, and which of them is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from widgets.view import Subject


@dataclass
class Finder:
    """Places found, in the order of the panes."""

    words: str = ""
    places: Sequence[Subject] = ()
    at: int = 0

    def take(self, words: str, places: Sequence[Subject], prefer: type | tuple[type, ...]) -> Subject | None:
        """Take over what was found; the first place of the preferred kind, or the first at all."""
        self.words, self.places = words, places
        self.at = next((i for i, place in enumerate(places) if isinstance(place, prefer)), 0)
        return self.current()

    def current(self) -> Subject | None:
        """The place looked at."""
        return self.places[self.at] if self.places else None

    def step(self, step: int) -> Subject | None:
        """The next or previous place, around the ends."""
        if self.places:
            self.at = (self.at + step) % len(self.places)
        return self.current()

    def words_found(self) -> str:
        """How many places, and which is looked at."""
        if not self.words.strip():
            return ""
        return f"{self.at + 1} of {len(self.places)}" if self.places else "nothing found"

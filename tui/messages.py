"""Messages from threads to the explorer; a newer one replaces one that was not handled yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.message import Message

from tui.shown import Shown
from widgets.view import Subject

if TYPE_CHECKING:
    from calitop.snapshot.moments import NodeMoments


class PollCompleted(Message):
    """The node as the newest poll found it, made ready for the panes."""

    def __init__(self, shown: Shown) -> None:
        super().__init__()
        self.shown = shown

    def can_replace(self, message: Message) -> bool:
        """Each holds everything, so only the newest matters."""
        return isinstance(message, PollCompleted)


class SnapshotsReread(Message):
    """Watched snapshots changed on disk and were read again."""

    def __init__(self, snapshots: Sequence[NodeMoments]) -> None:
        super().__init__()
        self.snapshots = snapshots

    def can_replace(self, message: Message) -> bool:
        """Only the newest reading matters."""
        return isinstance(message, SnapshotsReread)


class SearchDone(Message):
    """A search ended; the words tell whether it is still the one asked for."""

    def __init__(self, words: str, places: Sequence[Subject]) -> None:
        super().__init__()
        self.words = words
        self.places = places

    def can_replace(self, message: Message) -> bool:
        """Only the newest search matters."""
        return isinstance(message, SearchDone)


class Told(Message):
    """Something to be told to the operator from a thread."""

    def __init__(self, text: str, *, is_failure: bool = False) -> None:
        super().__init__()
        self.text = text
        self.is_failure = is_failure

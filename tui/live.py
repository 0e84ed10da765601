"""The live node: polls made ready for the panes in the poll thread."""

from __future__ import annotations

from collections.abc import Callable

from textual.message import Message

from calitop.model.rules import TableKey
from calitop.poller import Poll, Poller
from calitop.sources.source import Source
from tui.messages import PollCompleted
from tui.shown import Preparer, Shown, backends_of, problem_count
from widgets.signs import Signs
from widgets.status_line import Status


class LiveFeed:
    """A poller whose polls arrive as one message each."""

    def __init__(self, source: Source, signs: Signs, interval_s: float) -> None:
        self.source = source
        self._preparer = Preparer(signs, live=True)
        self._post: Callable[[Message], object] | None = None
        self.poller = Poller(source, self._take, interval_s)

    def start(self, post: Callable[[Message], object]) -> None:
        """Begin to poll; `post` may be called from any thread."""
        self._post = post
        self.poller.start()

    def stop(self) -> None:
        """End the poll thread and give back what the source holds."""
        self.poller.stop()
        self.source.close()

    def look_at(self, tables: frozenset[TableKey]) -> None:
        """Tell which tables are on screen, to be read first."""
        self.poller.visible(tables or None)

    def _take(self, poll: Poll) -> None:
        if self._post is not None:
            self._post(PollCompleted(self._shown(poll)))

    def _shown(self, poll: Poll) -> Shown:
        status = Status(
            node=poll.state.name or self.source.name,
            live=True,
            backends=backends_of(poll.state),
            interval_s=poll.interval_s,
            took_s=poll.took_s,
            problems=problem_count(poll.state),
            warnings=len(poll.state.warnings),
            failure=poll.failure or "",
        )
        return self._preparer.prepare(poll.state, poll.counts, status, poll.at, poll.baseline_at, poll.index)

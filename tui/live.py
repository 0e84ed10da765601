"""The live node: polls made ready for the panes in the poll thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as NoAnswerError
from typing import TYPE_CHECKING

from textual.message import Message

from calitop.errors import SourceUnavailable
from calitop.model.node import IpSet, NodeState
from calitop.model.rules import TableKey
from calitop.poller import Poll, Poller
from calitop.sources.source import Source, TellsSets
from tui.messages import PollCompleted
from tui.pictures import Picture
from tui.shown import Preparer, Shown, backends_of, problem_count
from widgets.signs import Signs
from widgets.status_line import Status

if TYPE_CHECKING:
    from calitop.hits.moved import NodeHits

PATIENCE_S = 30.0
"""How long a full reading is waited for."""


class LiveFeed:
    """A poller whose polls arrive as one message each."""

    def __init__(self, source: Source, signs: Signs, interval_s: float | None) -> None:
        self.source = source
        self._preparer = Preparer(signs, live=True)
        self._post: Callable[[Message], object] | None = None
        self._came = threading.Condition()
        self._stopped = False
        self._newest: Poll | None = None
        self._before: tuple[float, NodeState] | None = None
        self.poller = Poller(source, self._take, interval_s)

    def start(self, post: Callable[[Message], object]) -> None:
        """Begin to poll; `post` may be called from any thread."""
        self._post = post
        self.poller.start()

    def stop(self) -> None:
        """End the poll thread and give back what the source holds."""
        with self._came:
            self._stopped = True
            self._came.notify_all()
        self.poller.stop()
        self.source.close()

    def look_at(self, tables: frozenset[TableKey]) -> None:
        """Tell which tables are on screen, to be read first."""
        self.poller.visible(tables or None)

    def set_members(self, name: str) -> IpSet:
        """A set with its members, read now; waits, so never on the event loop.

        Raises:
            NeedPrivilege, SourceUnavailable: The set cannot be read.
        """
        try:
            return self.poller.ask(lambda source: _set_of(source, name)).result(PATIENCE_S)
        except NoAnswerError:
            raise SourceUnavailable(f"the set '{name}' was not read: no answer came", "try again") from None

    def hits(self) -> NodeHits:
        """What moved since the baseline, by a full reading made now; waits, so never on the event loop.

        Raises:
            SourceUnavailable: The node cannot be read now.
        """
        from calitop.hits.moved import hits_of

        poll, before = self._read_now()
        name = poll.state.name or self.source.name
        return hits_of(name, before, poll.state, poll.counts, poll.index)

    def picture(self) -> Picture:
        """The node read now with what counted since the baseline and the members that checks look at; waits.

        Raises:
            SourceUnavailable: The node cannot be read now.
        """
        from calitop.check.facts import ASKED_SETS
        from calitop.set_members import with_members

        poll, _ = self._read_now()
        state = with_members(poll.state, self.set_members, ASKED_SETS)
        return Picture(state.name or self.source.name, state, poll.counts, poll.index)

    def _read_now(self) -> tuple[Poll, NodeState]:
        """A full reading made now, and the baseline's state."""
        wanted = self.poller.read_all()
        with self._came:
            self._came.wait_for(lambda: self._stopped or self._answers(wanted), PATIENCE_S)
            poll, before = self._newest, self._before
        if poll is None or before is None or poll.failure or poll.read_all < wanted:
            reason = (poll.failure if poll else None) or "no reading came"
            raise SourceUnavailable(f"the node was not read: {reason}", "try again")
        return poll, before[1]

    def _answers(self, wanted: int) -> bool:
        return self._newest is not None and (
            self._newest.read_all >= wanted or self._newest.failure is not None
        )

    def _remember(self, poll: Poll) -> None:
        with self._came:
            self._newest = poll
            if self._before is None or self._before[0] != poll.baseline_at:
                self._before = (poll.baseline_at, poll.state)
            self._came.notify_all()

    def _take(self, poll: Poll) -> None:
        self._remember(poll)
        if self._post is not None:
            self._post(PollCompleted(self._shown(poll)))

    def _shown(self, poll: Poll) -> Shown:
        status = Status(
            node=poll.state.name or self.source.name,
            live=True,
            backends=backends_of(poll.state),
            interval_s=poll.interval_s,
            stretched=poll.stretched,
            took_s=poll.took_s,
            problems=problem_count(poll.state),
            warnings=len(poll.state.warnings),
            failure=poll.failure or "",
        )
        return self._preparer.prepare(poll.state, poll.counts, status, poll.at, poll.baseline_at, poll.index)


def _set_of(source: Source, name: str) -> IpSet:
    if not isinstance(source, TellsSets):
        raise SourceUnavailable(f"the set '{name}' cannot be read from here")
    return source.set_members(name)

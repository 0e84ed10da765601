"""The clock: when a live node is read, and what is made of each reading.

One thread reads, counts and hands over a `Poll`; nothing else may touch the source.
Freezing is the screen's business: the poller goes on reading while it is paused, so no
reset is missed and resuming shows the newest poll at once; a paused poll says so.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, runtime_checkable

from calitop.budget import Budget
from calitop.cni.index import NodeIndex
from calitop.counters.counts import Counts
from calitop.counters.ledger import Ledger
from calitop.counters.sample import Sample
from calitop.errors import CalitopError
from calitop.model.node import NodeState
from calitop.model.rules import TableKey
from calitop.sources.source import Source, Structure, Wanted

USUAL_S = 1.0
"""Between two polls while reading is cheap."""
LONGEST_BACK_OFF_S = 10.0
"""Between attempts to read a node that cannot be read."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, eq=False)
class Poll:
    """One reading of a node and all that follows from it."""

    state: NodeState
    counts: Counts
    index: NodeIndex
    """Lookups over the state, prepared in the poll thread."""
    generation: int
    """Rises when the rules' structure changed."""
    at: float
    """Monotonic clock, seconds, at the end of the reading."""
    took_s: float
    interval_s: float
    """From this poll's start to the next one's."""
    stretched: str = ""
    """Why this is longer than usual, in words; empty when it is not."""
    failure: str | None = None
    """Why the newest reading failed; the data are those of the last good one."""
    baseline_at: float = 0.0
    """Monotonic clock, seconds."""
    number: int = 0
    """Rises with every poll, failed ones too."""
    paused: bool = False
    """The screen is frozen: it keeps what it shows."""
    read_all: int = 0
    """Newest request for a full reading that this poll answers."""


@runtime_checkable
class Refreshing(Protocol):
    """A source that tells routes, links and sets between structures, cheaply."""

    def refresh(self) -> Structure:
        """The last structure with what changed beside the rules; the same when nothing did."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A source that works in threads and programs of its own, and says what they cost."""

    def processor_s(self) -> float:
        """Processor time that they have used so far, seconds."""
        ...


class Poller:
    """Reads a source again and again in a thread of its own.

    Args:
        source: The node. Only this poller may use it until `stop` has returned.
        sink: Called in the poll thread with every poll; it must be quick and not raise.
        interval_s: Time between two polls, kept whatever they cost; None to spend no more
            than `budget.SHARE` of a core, and poll every `USUAL_S` while that allows it.
        clock: Seconds that never go back.
        structure_every_s: How often routes, links and sets are read anew where the source
            has no cheaper way to tell them.
        processor: Seconds of processor time that the calling thread has used.
    """

    def __init__(
        self,
        source: Source,
        sink: Callable[[Poll], None],
        interval_s: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        structure_every_s: float = 5.0,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        self._source, self._sink, self._clock, self._processor = source, sink, clock, processor
        self._structure_every_s = structure_every_s
        self._budget = Budget(USUAL_S, interval_s)
        self._cost_s = 0.0
        """What all work has cost up to the end of the last poll."""
        self._wake = threading.Event()
        self._stopping = self._paused = False
        self._baselines_wanted = self._baselines_taken = 0
        self._all_wanted = self._all_taken = 0
        self._visible: frozenset[TableKey] | None = None
        self._questions: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._structure: Structure | None = None
        self._structure_at = 0.0
        self._ledger: Ledger | None = None
        self._failures = 0
        state = NodeState()
        self._last = Poll(state, Counts(), NodeIndex(state), 0, clock(), 0.0, interval_s or USUAL_S)

    def start(self) -> None:
        """Start reading; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="calitop-poll", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop after the reading that is under way, and close the source."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._source.close()

    def poll_now(self) -> None:
        """Read at once instead of at the end of the interval."""
        self._wake.set()

    def pause(self, paused: bool) -> None:
        """Mark the polls as not to be shown; reading goes on."""
        self._paused = paused
        if not paused:
            self.poll_now()

    def faster(self) -> float:
        """Fix the interval at the next shorter step; answers it, in seconds."""
        return self._stepped(-1)

    def slower(self) -> float:
        """Fix the interval at the next longer step; answers it, in seconds."""
        return self._stepped(1)

    def automatic(self) -> None:
        """Let the budget rule the interval again."""
        self._budget.fixed_s = None
        self.poll_now()

    def rebase(self) -> None:
        """Take a new baseline, from a full reading made now."""
        self._baselines_wanted += 1
        self.poll_now()

    def read_all(self) -> int:
        """Make a full reading now, as a verdict needs it; answers the request's number."""
        self._all_wanted += 1
        self.poll_now()
        return self._all_wanted

    def visible(self, tables: frozenset[TableKey] | None) -> None:
        """Say which tables are on screen, to be read first."""
        self._visible = tables

    def ask(self, question: Callable[[Source], Answer]) -> Future[Answer]:
        """Have the source answer something in the poll thread, between two polls.

        The future stays open when polling ends before; whoever waits must not wait for ever.
        """
        asked: Future[Answer] = Future()
        self._questions.append(lambda: _settle(asked, question, self._source))
        self.poll_now()
        return asked

    def beat(self) -> Poll:
        """Read once, in the calling thread; what the poll thread does again and again."""
        started = self._clock()
        try:
            self._read()
        except CalitopError as error:
            self._last = self._failed(error, started)
        else:
            self._failures = 0
            self._last = self._succeeded(started)
        return self._last

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            while self._questions:
                self._questions.popleft()()
            poll = self.beat()
            if self._stopping:
                break
            self._sink(poll)
            if poll.number == 1:
                self._cost()  # Making the first picture is as free as reading it.
            self._wake.wait(max(0.0, poll.interval_s - poll.took_s))

    def _stepped(self, towards: int) -> float:
        interval_s = self._budget.step(towards)
        self.poll_now()
        return interval_s

    def _read(self) -> None:
        """One reading: the structure when it is due or has changed, then the counters."""
        wanted, everything = self._baselines_wanted, self._all_wanted
        rebasing = wanted != self._baselines_taken
        if self._ledger is None or self._structure_due():
            self._restructure(self._source.structure())
        sample = self._sample(full=rebasing or everything != self._all_taken)
        if self._ledger is None or sample is None:
            return
        self._ledger.add(sample)
        self._all_taken = everything
        self._refresh()
        if rebasing:
            self._baselines_taken = wanted
            self._ledger.rebase()
            self._last = replace(self._last, baseline_at=sample.at)

    def _structure_due(self) -> bool:
        if isinstance(self._source, Refreshing):
            return False
        return self._clock() - self._structure_at >= self._structure_every_s

    def _sample(self, full: bool) -> Sample | None:
        """The counters; when the rules have changed, those of the new structure.

        Rules that change faster than they can be read leave the old picture for this time.
        """
        for _ in range(3):
            sample = self._source.counters(Wanted(self._visible, full))
            if sample is not None:
                return sample
            self._restructure(self._source.structure())
        return None

    def _restructure(self, structure: Structure) -> None:
        first = self._ledger is None
        if self._ledger is None:
            self._ledger = Ledger(structure)
        elif self._structure is None or structure.generation != self._structure.generation:
            self._ledger.restructure(structure)
        self._structure_at = self._clock()
        self._take(structure)
        if first:
            self._last = replace(self._last, baseline_at=structure.at)

    def _refresh(self) -> None:
        if isinstance(self._source, Refreshing):
            structure = self._source.refresh()
            if self._structure is not None and structure.generation == self._structure.generation:
                self._take(structure)

    def _take(self, structure: Structure) -> None:
        """Make the structure the one that polls speak of; its index shares what still holds."""
        self._structure = structure
        if structure.state is not self._last.state:
            index = NodeIndex(structure.state, self._last.index).prepare()
            self._last = replace(self._last, state=structure.state, index=index)

    def _succeeded(self, started: float) -> Poll:
        now = self._clock()
        took_s = now - started
        self._budget.spend(self._cost(), took_s, now)
        pace = self._budget.pace()
        return replace(
            self._last,
            counts=self._last.counts if self._ledger is None else self._ledger.counts,
            generation=0 if self._structure is None else self._structure.generation,
            at=now,
            took_s=took_s,
            interval_s=pace.interval_s,
            stretched=pace.because,
            failure=None,
            number=self._last.number + 1,
            paused=self._paused,
            read_all=self._all_taken,
        )

    def _cost(self) -> float:
        """Processor time since this was asked last: handing over the last poll, and this one's reading."""
        before = self._cost_s
        self._cost_s = self._processor() + (
            self._source.processor_s() if isinstance(self._source, Metered) else 0
        )
        return self._cost_s - before

    def _failed(self, error: CalitopError, started: float) -> Poll:
        """The last data with the failure; attempts grow rarer up to `LONGEST_BACK_OFF_S`."""
        interval_s = self._budget.pace().interval_s
        back_off_s = interval_s * 2 ** min(self._failures, 10)
        self._failures += 1
        return replace(
            self._last,
            took_s=self._clock() - started,
            interval_s=max(interval_s, min(back_off_s, LONGEST_BACK_OFF_S)),
            stretched="",
            failure=str(error),
            number=self._last.number + 1,
            paused=self._paused,
        )


def _settle(asked: Future[Answer], question: Callable[[Source], Answer], source: Source) -> None:
    try:
        asked.set_result(question(source))
    except CalitopError as error:
        asked.set_exception(error)

"""What happened between two saved moments of a node, by the same account as live."""

from __future__ import annotations

from datetime import datetime

from calitop.counters.counts import Counts
from calitop.counters.ledger import Ledger
from calitop.counters.sample import sample_of
from calitop.model.node import NodeState
from calitop.sources.source import Structure


def compare(before: NodeState, after: NodeState) -> Counts:
    """The counts at the later moment, the earlier one being the baseline.

    Rates are known where both moments say when they were taken.
    """
    elapsed_s = _elapsed_s(before, after)
    ledger = Ledger(Structure(0, before, 0.0), late=False)
    ledger.restructure(Structure(1, after, elapsed_s))
    return ledger.add(sample_of(after, 1, elapsed_s))


def _elapsed_s(before: NodeState, after: NodeState) -> float:
    start, end = _time(before.captured_at), _time(after.captured_at)
    if start is None or end is None or (start.tzinfo is None) != (end.tzinfo is None):
        return 0.0
    return max(0.0, (end - start).total_seconds())


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None

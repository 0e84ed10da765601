"""`calitop check`: look for known faults, as text or as one JSON object."""

from __future__ import annotations

from calitop.check.catalogue import check
from calitop.check.facts import ASKED_SETS
from calitop.cli.arguments import Arguments
from calitop.cli.width import text_width
from calitop.counters.compare import compare
from calitop.counters.counts import Counts
from calitop.model.node import NodeState
from calitop.report.check import check_json
from calitop.report.check_text import check_text
from calitop.report.envelope import json_text
from calitop.set_members import with_members
from calitop.snapshot.open import open_snapshots


def run(arguments: Arguments) -> int:
    """Print what the checks found.

    Returns:
        Exit status: 0 no error, 1 an error was found.
    """
    states, counts = _moments(arguments)
    checked = check(states, counts)
    if arguments.json:
        print(json_text(check_json(checked)))
    else:
        print(check_text(checked, text_width()), end="")
    return int(any(each.severity == "error" for each in checked.findings))


def _moments(arguments: Arguments) -> tuple[list[NodeState], list[Counts | None]]:
    """The last moment of each node with what was counted since the one before, or this node."""
    if arguments.is_live:
        return [_live(arguments)], []
    nodes = [node.moments for node in open_snapshots(arguments.snapshots, arguments.pods)]
    counts = [compare(*moments[-2:]) if len(moments) > 1 else None for moments in nodes]
    return [moments[-1] for moments in nodes], counts


def _live(arguments: Arguments) -> NodeState:
    """This node, with the members of the sets that checks look at: a live reading leaves them out."""
    from calitop.cli.live import live_source

    source = live_source(arguments)
    try:
        return with_members(source.structure().state, source.set_members, ASKED_SETS)
    finally:
        source.close()

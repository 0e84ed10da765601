"""`calitop check`: look for known faults, as text or as one JSON object."""

from __future__ import annotations

from shutil import get_terminal_size

from calitop.check.catalogue import check
from calitop.cli.arguments import Arguments
from calitop.model.node import NodeState
from calitop.report.check import check_json
from calitop.report.check_text import check_text
from calitop.report.envelope import json_text
from calitop.snapshot.open import open_snapshots

_PIPE_WIDTH = 160
"""Columns of the text where no terminal reads it."""


def run(arguments: Arguments) -> int:
    """Print what the checks found.

    Returns:
        Exit status: 0 no error, 1 an error was found.
    """
    checked = check(_states(arguments))
    if arguments.json:
        print(json_text(check_json(checked)))
    else:
        print(check_text(checked, get_terminal_size((_PIPE_WIDTH, 24)).columns), end="")
    return int(any(each.severity == "error" for each in checked.findings))


def _states(arguments: Arguments) -> list[NodeState]:
    """The last moment of each node, or this node."""
    if arguments.is_live:
        from calitop.cli.live import live_state

        return [live_state(arguments)]
    return [node.moments[-1] for node in open_snapshots(arguments.snapshots, arguments.pods)]

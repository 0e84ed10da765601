"""`calitop explain`: what the explorer tells by way of explanation, as text or as one JSON object."""

from __future__ import annotations

from calitop.cli.arguments import Arguments
from calitop.cli.width import text_width
from calitop.cni.index import NodeIndex
from calitop.explain.about import about
from calitop.explain.node_summary import summarise
from calitop.explain.static_chains import static_chains
from calitop.model.node import NodeState
from calitop.report.envelope import json_text
from calitop.report.explain import about_json, summary_json
from calitop.report.explain_text import about_text, summary_text
from calitop.set_members import with_members
from calitop.snapshot.open import open_snapshots


def run(arguments: Arguments) -> int:
    """Print what is asked about, or without a question each node as a whole.

    Returns:
        Exit status 0.

    Raises:
        UsageError: There is nothing of that name.
        SourceUnavailable: What would tell was not read.
    """
    nodes = [NodeIndex(state) for state in _states(arguments)]
    width = text_width()
    if arguments.about:
        asked = about(nodes, arguments.about)
        _print(arguments, json_text(about_json(asked)) if arguments.json else about_text(asked, width))
        return 0
    told = [summarise(index) for index in nodes]
    static = static_chains([(one.index, one.hashes) for one in told]) if len(told) > 1 else []
    body = json_text(summary_json(told, static)) if arguments.json else summary_text(told, static, width)
    _print(arguments, body)
    return 0


def _print(arguments: Arguments, text: str) -> None:
    print(text, end="\n" if arguments.json else "")


def _states(arguments: Arguments) -> list[NodeState]:
    """The last moment of each node, or this node; what is asked about may be in any set."""
    if not arguments.is_live:
        return [node.moments[-1] for node in open_snapshots(arguments.snapshots, arguments.pods)]
    from calitop.cli.live import live_source

    source = live_source(arguments)
    try:
        state = source.structure().state
        return [with_members(state, source.set_members) if arguments.about else state]
    finally:
        source.close()

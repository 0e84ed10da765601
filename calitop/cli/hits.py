"""`calitop hits`: what moved between two moments of each node, and where the packets were lost."""

from __future__ import annotations

from pathlib import Path

from calitop.cli.arguments import Arguments
from calitop.errors import UsageError
from calitop.hits.asked import asked_ends
from calitop.hits.moved import NodeHits, node_hits
from calitop.model.node import NodeState
from calitop.report.envelope import json_text
from calitop.report.hits import hits_json
from calitop.report.hits_text import hits_text
from calitop.snapshot.open import open_one
from calitop.snapshot.paths import split_name
from calitop.verdict.answer import answer
from calitop.verdict.records import Outcome

STATUS: dict[Outcome, int] = {"passed": 0, "lost": 1, "undecided": 6}
"""Exit status by outcome (interface.md)."""


def run(arguments: Arguments) -> int:
    """Print what moved and the verdict.

    Returns:
        Exit status: 0 passed, 1 lost, 6 undecided.

    Raises:
        UsageError: The snapshots or the flow do not fit together.
    """
    nodes = [_node(*each, arguments.pods) for each in _pairs(arguments)]
    ends = asked_ends(nodes, arguments.source, arguments.target)
    found = answer(nodes, ends, arguments.packets)
    if arguments.json:
        print(json_text(hits_json(found)))
    else:
        print(hits_text(found, by_hook=arguments.by_hook, only_flow=arguments.only_flow), end="")
    return STATUS[found.verdict.outcome]


def _pairs(arguments: Arguments) -> list[tuple[str | None, str, str]]:
    if arguments.nodes:
        if arguments.snapshots:
            raise UsageError(
                "both snapshots and --node were given", "give every node as --node NAME BEFORE AFTER"
            )
        names = [name for name, _, _ in arguments.nodes]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"node '{twice}' was given twice", "give each node one --node NAME BEFORE AFTER")
        return list(arguments.nodes)
    if len(arguments.snapshots) != 2:
        raise UsageError(
            "hits needs two moments", "give BEFORE and AFTER, or --node NAME BEFORE AFTER for each node"
        )
    return [(None, *arguments.snapshots)]


def _node(name: str | None, before: str, after: str, pods: Path | None) -> NodeHits:
    first, last = _moment(before, pods, name), _moment(after, pods, name)
    given = name or split_name(after)[0] or split_name(before)[0]
    if given is None and first.name and last.name and first.name != last.name:
        raise UsageError(
            f"'{before}' is of node '{first.name}', but '{after}' of '{last.name}'",
            "give two moments of one node",
        )
    return node_hits(given or last.name or first.name or "node", first, last)


def _moment(path: str, pods: Path | None, name: str | None) -> NodeState:
    nodes = open_one(path, pods)
    chosen = next((node for node in nodes if node.name == name), nodes[0]) if name else nodes[0]
    if len(nodes) > 1 and chosen.name != name:
        known = ", ".join(f"'{node.name}'" for node in nodes)
        raise UsageError(f"'{path}' holds several nodes: {known}", "give the folder of one node")
    if len(chosen.moments) > 1:
        raise UsageError(
            f"'{path}' holds {len(chosen.moments)} moments: {', '.join(chosen.labels)}",
            "give the folder of one moment",
        )
    return chosen.moments[0]

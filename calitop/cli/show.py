"""`calitop show`: what was read, as text or as one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from calitop.cli.arguments import Arguments
from calitop.cni.address_book import AddressBook
from calitop.cni.index import NodeIndex
from calitop.errors import UsageError
from calitop.model.node import NodeState
from calitop.report.envelope import json_text
from calitop.report.set_members import set_json, set_text
from calitop.report.show import show_json
from calitop.report.show_text import show_text
from calitop.report.text import plural, printable
from calitop.set_members import SetMembers, saved_set
from calitop.snapshot.moments import NodeMoments
from calitop.snapshot.open import open_snapshots

Other = dict[str, object]
"""A node and moment that stands in the snapshot too: name, moment, time, path."""


def run(arguments: Arguments) -> int:
    """Print one node at one moment; several are named on standard error.

    Returns:
        Exit status 0.
    """
    if arguments.ipset is not None:
        return _show_set(arguments, arguments.ipset)
    state, others = _live(arguments) if arguments.is_live else _saved(arguments)
    if arguments.json:
        more: dict[str, object] = {"others": others} if others else {}
        print(json_text({**show_json(state), **more}))
    else:
        print(show_text(state), end="")
    if others:
        print(_note(others), file=sys.stderr)
    return 0


def _show_set(arguments: Arguments, name: str) -> int:
    """Print the members of one set, or whether something is in it."""
    members = _live_set(arguments, name) if arguments.is_live else _saved_set(arguments, name)
    if arguments.json:
        print(json_text(set_json(members, arguments.element)))
    else:
        print(set_text(members, arguments.element), end="")
    return 0


def _saved_set(arguments: Arguments, name: str) -> SetMembers:
    state, _others = _saved(arguments)
    return SetMembers(saved_set(state, name), AddressBook(NodeIndex(state)).who)


def _live_set(arguments: Arguments, name: str) -> SetMembers:
    from calitop.cli.live import live_source

    source = live_source(arguments)
    try:
        state = source.structure().state
        return SetMembers(source.set_members(name), AddressBook(NodeIndex(state)).who)
    finally:
        source.close()


def _saved(arguments: Arguments) -> tuple[NodeState, list[Other]]:
    return choose(open_snapshots(arguments.snapshots, arguments.pods), arguments.node, arguments.moment)


def _live(arguments: Arguments) -> tuple[NodeState, list[Other]]:
    from calitop.cli.live import live_source

    source = live_source(arguments)
    try:
        return source.structure().state, []
    finally:
        source.close()


def choose(
    nodes: Sequence[NodeMoments], name: str | None, moment: int | None
) -> tuple[NodeState, list[Other]]:
    """The state that the options mean, and where the others are.

    Args:
        nodes: What was opened.
        name: Node by name; the first when None.
        moment: From 1 in the order of time; the last when None.

    Raises:
        UsageError: There is no such node or moment.
    """
    node = nodes[0] if name is None else next((each for each in nodes if each.name == name), None)
    if node is None:
        known = ", ".join(f"'{each.name}'" for each in nodes)
        raise UsageError(f"the snapshot has no node '{name}'", f"it has {known}")
    count = len(node.moments)
    if moment is not None and not 1 <= moment <= count:
        raise UsageError(f"node '{node.name}' has no moment {moment}", f"it has {plural(count, 'moment')}")
    at = count - 1 if moment is None else moment - 1
    return node.moments[at], _others(nodes, node, at)


def _others(nodes: Sequence[NodeMoments], chosen: NodeMoments, at: int) -> list[Other]:
    return [
        {"name": node.name, "moment": number + 1, "captured_at": state.captured_at, "path": label}
        for node in nodes
        for number, (state, label) in enumerate(zip(node.moments, node.labels, strict=True))
        if node is not chosen or number != at
    ]


def _note(others: Sequence[Other]) -> str:
    lines = [f"calitop: {plural(len(others), 'more moment')} in this snapshot:"]
    lines += [f"  --node {each['name']} --moment {each['moment']}  {each['path']}" for each in others]
    return "\n".join(printable(line) for line in lines)

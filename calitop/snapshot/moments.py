"""The moments of each node in order: by time, and before < after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from calitop.model.node import NodeState
from calitop.snapshot.naming import moment_rank, siblings_key


@dataclass(frozen=True, eq=False)
class Moment:
    """One snapshot with what orders it among its node's others."""

    state: NodeState
    root: tuple[str, ...]
    """Its folder, part by part."""
    label: str
    """Where it was opened from, as shown to the operator."""
    at: float | None = None
    """Seconds since the epoch, as good as it is known; a clock without zone counts as UTC."""


@dataclass(frozen=True, eq=False)
class NodeMoments:
    """One node with its moments ordered by time."""

    name: str | None
    moments: tuple[NodeState, ...]
    labels: tuple[str, ...] = ()
    """Where each moment was opened from."""


def by_node(moments: Iterable[Moment]) -> list[NodeMoments]:
    """The nodes in the order in which they first appear, each with its moments ordered."""
    nodes: dict[str | None, list[Moment]] = {}
    for moment in moments:
        nodes.setdefault(moment.state.name, []).append(moment)
    return [_node(name, ordered(found)) for name, found in nodes.items()]


def _node(name: str | None, found: Sequence[Moment]) -> NodeMoments:
    return NodeMoments(name, tuple(each.state for each in found), tuple(each.label for each in found))


def ordered(found: Sequence[Moment]) -> list[Moment]:
    """Moments of one node by time; `before` precedes `after` of the same folder whatever the clocks say."""
    siblings: dict[tuple[str, ...], list[Moment]] = {}
    for moment in found:
        siblings.setdefault(siblings_key(moment.root), []).append(moment)
    groups = [sorted(each, key=_within) for each in siblings.values()]
    return [moment for each in sorted(groups, key=_earliest) for moment in each]


def _within(moment: Moment) -> tuple[int, float]:
    return moment_rank(moment.root), _time(moment)


def _time(moment: Moment) -> float:
    return moment.at if moment.at is not None else float("inf")


def _earliest(group: Sequence[Moment]) -> float:
    return min(_time(moment) for moment in group)


def seconds(text: str | None) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; without a zone it counts as UTC."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()

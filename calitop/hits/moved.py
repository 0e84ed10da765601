"""What moved on one node between two moments: rules, policies, statistics, links."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Literal

from calitop.cni.index import NodeIndex
from calitop.counters.compare import compare
from calitop.counters.counts import Counts, Delta, Place, Reset
from calitop.formats.spec import comments
from calitop.hits.order import meeting_order
from calitop.model.network import LinkCounters
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey, Rule

FlowTest = Callable[[ChainKey, "int | None"], "bool | None"]
"""Whether a rule (by index) or policy (None) could have counted packets of the flow; None unknown."""
LegName = Literal["request", "reply", "error"]


@dataclass(frozen=True, slots=True)
class Way:
    """How packets of a flow can come by a place."""

    hook: str
    leg: LegName | None
    """None where it is open which."""
    outer: bool = False
    """As the tunnel's packet around the flow's."""


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """A rule or policy that counted."""

    key: ChainKey
    index: int | None
    """Of the rule from 0; None for the policy."""
    number: int | None
    """Of the rule from 1; None for the policy, and in a chain that is known to be cut."""
    delta: Delta
    text: str
    """The rule's words; `policy DROP` for a policy."""
    comments: tuple[str, ...] = ()
    rule: Rule | None = None
    flow: bool | None = None
    """Could belong to the flow that was asked for; None when unknown or when none was."""
    ways: frozenset[Way] = frozenset()
    """How packets of that flow can have come here."""

    @property
    def packets(self) -> int:
        """Packets counted; 0 where only bytes are known."""
        return self.delta.packets or 0


@dataclass(frozen=True, eq=False)
class NodeHits:
    """One node between two moments."""

    name: str
    before: NodeState
    after: NodeState
    counts: Counts
    index: NodeIndex
    """Of the later moment."""
    moved: tuple[Moved, ...] = ()
    """In the order in which a packet meets them."""
    stats: dict[str, int] = field(default_factory=dict)
    """Kernel statistics that moved, in the order of the sources."""
    links: dict[str, LinkCounters] = field(default_factory=dict)
    """Links whose packets or drops moved."""

    @property
    def resets(self) -> tuple[Reset, ...]:
        """Rules and policies that started over or went away."""
        return self.counts.resets

    def with_flow(self, test: FlowTest, ways: Mapping[Place, Set[Way]]) -> NodeHits:
        """The same with every moved place asked whether it could be of the flow, and how."""
        return replace(self, moved=tuple(_asked(each, test, ways) for each in self.moved))


def node_hits(name: str, before: NodeState, after: NodeState) -> NodeHits:
    """What moved on a node between two saved moments."""
    return hits_of(name, before, after, compare(before, after), NodeIndex(after))


def hits_of(name: str, before: NodeState, after: NodeState, counts: Counts, index: NodeIndex) -> NodeHits:
    """What moved by counts that are at hand, as a live poll has them.

    Args:
        name: Of the node, as reports show it.
        before: The state at the baseline.
        after: The state now.
        counts: What each place has counted since the baseline.
        index: Over `after`.
    """
    return NodeHits(
        name,
        before,
        after,
        counts,
        index,
        moved=_moved(counts, index),
        stats={stat: delta for stat, delta in counts.stats.items() if delta},
        links={link: delta for link, delta in counts.links.items() if _link_moved(delta)},
    )


def _moved(counts: Counts, index: NodeIndex) -> tuple[Moved, ...]:
    deltas = {(key, position): delta for key, position, delta in counts.moved()}
    return tuple(_one(index, *place, deltas[place]) for place in meeting_order(index, deltas))


def _one(index: NodeIndex, key: ChainKey, position: int | None, delta: Delta) -> Moved:
    chain = index.chains[key]
    if position is None:
        return Moved(key, None, None, delta, f"policy {chain.policy or '?'}")
    rule = chain.rules[position]
    return Moved(key, position, rule.number, delta, rule.text, comments(rule), rule)


def _asked(each: Moved, test: FlowTest, ways: Mapping[Place, Set[Way]]) -> Moved:
    place = (each.key, each.index)
    return replace(each, flow=test(*place), ways=frozenset(ways.get(place, ())))


def _link_moved(delta: LinkCounters) -> bool:
    return any((delta.rx_packets, delta.tx_packets, delta.rx_dropped, delta.tx_dropped))

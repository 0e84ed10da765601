"""Which of the rules that moved can have counted packets of a flow.

Only rules that counted are followed: what did not move let nothing of the flow through either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from calitop.counters.counts import Place
from calitop.formats.spec import counts_early, spec
from calitop.hits.flow import Flow
from calitop.hits.flow_packets import Passing, packets_of
from calitop.hits.moved import NodeHits, Way
from calitop.hits.targets import ENDING
from calitop.hits.verdict_map import through_map
from calitop.model.matches import AddrType, InSet, Interface, Match, RpFilter, Unknown
from calitop.model.rules import ChainKey, Rule
from calitop.model.spec import RuleSpec
from calitop.outline.order import base_chains
from calitop.path.matches import conditions
from calitop.path.packet import Packet
from calitop.path.three import Truth
from calitop.path.world import World

_OF_THE_NODE = (Unknown, InSet, AddrType, Interface, RpFilter)
"""Conditions that are open because something of the node is not known; others depend on the packet."""


def with_flow(nodes: Sequence[NodeHits], flow: Flow) -> list[NodeHits]:
    """The nodes with every moved place marked: could it be of the flow?"""
    return [_marked(nodes, node, flow) for node in nodes]


def _marked(nodes: Sequence[NodeHits], node: NodeHits, flow: Flow) -> NodeHits:
    search = _Search(node)
    for passing in packets_of(nodes, node, flow):
        search.follow(passing)
    return node.with_flow(
        lambda key, index: search.found.get((key, index), False if _is_explained(node, key) else None),
        search.ways,
    )


def _is_explained(node: NodeHits, key: ChainKey) -> bool:
    """Whether a rule that counted leads to the chain; where chains are rewritten it may have started over."""
    if node.resets:
        return False
    callers = node.index.callers(key)
    return node.index.chains[key].builtin or any(
        node.counts.rule(ref.key, ref.index).delta.packets != 0 for ref in callers
    )


class _Search:
    """Follows packets through the rules that counted.

    Attributes:
        found: Places that a packet of the flow can have met: True, or None where that is open.
        ways: How it can have come to each.
    """

    def __init__(self, node: NodeHits) -> None:
        self._node, self._world = node, World(node.after)
        self._bases = base_chains(node.after)
        self.found: dict[Place, Truth] = {}
        self.ways: dict[Place, set[Way]] = defaultdict(set)

    def follow(self, passing: Passing) -> None:
        """Lead one packet through every base chain of its hook."""
        self._way = passing.way
        seen: dict[ChainKey, Truth] = {}
        for base in self._bases:
            chain = self._node.index.chains[base]
            fits = base.family in (passing.packet.family, "inet", None)
            if fits and (chain.hook or base.chain) == passing.way.hook:
                self._chain(base, passing.packet, True, seen)

    def _chain(self, start: ChainKey, packet: Packet, sure: Truth, seen: dict[ChainKey, Truth]) -> None:
        """A chain and all that it leads to; `sure` is None where it is open whether it is reached."""
        pending = [(start, sure)]
        while pending:
            key, reached = pending.pop()
            if key in seen and (seen[key] is True or reached is None):
                continue
            seen[key] = reached
            pending += self._rules(key, packet, reached)

    def _rules(self, key: ChainKey, packet: Packet, reached: Truth) -> list[tuple[ChainKey, Truth]]:
        calls: list[tuple[ChainKey, Truth]] = []
        chain, targets = self._node.index.chains[key], self._node.index.rules.targets(key)
        for index, rule in enumerate(chain.rules):
            delta = self._node.counts.rule(key, index).delta
            if delta.packets == 0 and delta.exact:
                continue
            says = spec(rule)
            truth, certain = self._could(says, packet)
            through = through_map(self._node.index.maps, key, rule, packet)
            if truth is False or (through is not None and through.fits is False):
                if counts_early(rule):
                    self._note((key, index), None)
                continue
            leads, ends = targets.get(index, ()), _ends(rule)
            if through is not None:
                leads, ends = through.targets or leads, through.ends
                truth, certain = (truth, certain) if through.fits else (None, False)
            self._note((key, index), reached if truth else None)
            calls += [(target, reached if truth else None) for target in leads]
            if certain and ends:
                return calls
        self._note((key, None), reached)
        return calls

    def _could(self, says: RuleSpec, packet: Packet) -> tuple[Truth, bool]:
        """Whether some packet of this kind fits the rule, and whether every one does."""
        open_ones: list[Match] = []
        for match, truth in conditions(says, packet, self._world):
            if truth is False:
                return False, False
            if truth is None:
                open_ones.append(match)
        return (None if any(isinstance(each, _OF_THE_NODE) for each in open_ones) else True), not open_ones

    def _note(self, place: Place, truth: Truth) -> None:
        self.ways[place].add(self._way)
        if self.found.get(place) is not True:
            self.found[place] = truth


def _ends(rule: Rule) -> bool:
    """Whether a packet that fits does not come back to the next rule."""
    return rule.target in ENDING or rule.verb == "goto" or rule.target == "RETURN"

"""A prediction against what counted: rules predicted that stood still, rules that moved unpredicted.

Pure functions over paths and the counts between two moments; the command and the explorer ask the same.
Give every path of the packets that were sent, the answers' too: rules that only answers meet have
moved as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import or_
from typing import Literal

from calitop.counters.compare import compare
from calitop.counters.counts import UNKNOWN_DELTA, Counts, Delta
from calitop.counters.identity import AMBIGUOUS, align
from calitop.formats.spec import spec
from calitop.model import matches
from calitop.model.node import NodeState
from calitop.model.place import Where
from calitop.model.rules import Chain, ChainKey
from calitop.model.spec import RuleSpec
from calitop.path.bits import Bits
from calitop.path.matches import conditions, rule_holds
from calitop.path.packet import ESTABLISHED, Packet
from calitop.path.routing import STATISTICS
from calitop.path.steps import Path, Step
from calitop.path.three import Truth, every
from calitop.path.world import World

Agreement = Literal["moved", "still", "unknown"]
"""What a predicted rule did between the moments."""
Whose = Literal["flow", "later", "other"]
"""Whose packets moved an unpredicted rule: possibly the flow's own (then the prediction is wrong there),
later packets of the flow's connection (it takes established ones), or surely other traffic."""

_TELL_WHO = (
    matches.IpAddress,
    matches.AddressRange,
    matches.Interface,
    matches.Protocol,
    matches.Ports,
    matches.Icmp,
    matches.AddrType,
)
"""Conditions that tell packets of one flow from others; a mark or a state does not."""


@dataclass(frozen=True, slots=True)
class Unpredicted:
    """A rule or policy that counted in a chain on the way, without being predicted."""

    node: str
    key: ChainKey
    index: int | None
    """Of the rule in the later moment's chain from 0; None for the policy."""
    number: int | None
    """Of the rule from 1; None for the policy, and where the chain is cut."""
    delta: Delta
    text: str
    """The rule's words; `policy DROP` for a policy."""
    whose: Whose = "flow"
    mark_bits: int = 0
    """Bits of the packet's mark that the rule asks."""


@dataclass(frozen=True, eq=False)
class Between:
    """One node between two moments.

    Args:
        predicted: The state that the paths were predicted from.
        later: The state that `counts` is aligned to; the same one where a live poll gives the counts.
        counts: What each place has counted since the baseline.
    """

    predicted: NodeState
    later: NodeState
    counts: Counts
    _aligned: dict[ChainKey, Mapping[int, int]] = field(default_factory=dict)

    @classmethod
    def moments(cls, before: NodeState, after: NodeState) -> Between:
        """Two saved moments; the paths are predicted from the earlier one."""
        return cls(before, after, compare(before, after))

    @cached_property
    def chains(self) -> dict[ChainKey, Chain]:
        """The later moment's chains."""
        return self.later.chains()

    @cached_property
    def world(self) -> World:
        """Lookups in the later moment."""
        return World(self.later)

    @cached_property
    def _predicted_chains(self) -> dict[ChainKey, Chain]:
        return self.predicted.chains()

    def index(self, key: ChainKey, index: int) -> int | None:
        """Where a rule of the predicted state stands later; None where it is gone or cannot be told."""
        if self.predicted is self.later:
            return index
        if key not in self._aligned:
            old, new = self._predicted_chains.get(key), self.chains.get(key)
            pairs = enumerate(align(old, new)) if old is not None and new is not None else ()
            self._aligned[key] = {was: now for now, was in pairs if was is not None and was != AMBIGUOUS}
        return self._aligned[key].get(index)

    def delta(self, step: Step) -> Delta:
        """What the place of a step has counted; unknown where no counter tells."""
        key = step.key
        if key is None or key not in self.chains:
            return UNKNOWN_DELTA
        if step.kind == "policy":
            return self.counts.policy(key).delta
        index = None if step.index is None else self.index(key, step.index)
        return UNKNOWN_DELTA if index is None else self.counts.rule(key, index).delta


@dataclass(frozen=True, eq=False)
class Prediction:
    """Paths laid beside what counted."""

    paths: tuple[Path, ...]
    nodes: Mapping[str, Between]
    """By name; a node of which there is one moment only is not in it."""

    def delta(self, step: Step) -> Delta | None:
        """What the rule or policy of a step has counted; None for other steps and where no moments are."""
        node = self.nodes.get(step.node)
        return None if node is None or step.chain is None else node.delta(step)

    def agreement(self, step: Step) -> Agreement | None:
        """Whether a predicted rule or policy moved; None where there is nothing to compare."""
        delta = self.delta(step)
        if delta is None:
            return None
        if delta.packets:
            return "moved"
        return "still" if delta.packets == 0 and delta.exact else "unknown"

    def fits(self, steps: Iterable[Step], where: Where | None = None) -> Truth:
        """Whether what counted fits a way: False as soon as something on it surely stood still.

        Args:
            steps: Its rules and policies.
            where: Its end, where a counter of the kernel tells of such ends.

        Returns:
            None where nothing can be compared, or a counter is missing.
        """
        truths = {"moved": True, "still": False, "unknown": None}
        found = [truths[told] for step in steps if (told := self.agreement(step)) is not None]
        statistic = self.statistic(where)
        if statistic is not None:
            found.append(None if statistic[1] is None else statistic[1] > 0)
        return every(found) if found else None

    @cached_property
    def still(self) -> tuple[Step, ...]:
        """Steps that happen on every predicted way, whose rule stood still."""
        return tuple(step for path in self.paths for step in path.steps if self.agreement(step) == "still")

    @cached_property
    def unpredicted(self) -> tuple[Unpredicted, ...]:
        """What moved in the chains on the ways without being predicted on any of them."""
        return tuple(one for name, node in self.nodes.items() for one in self._unpredicted(name, node))

    def open_mark(self, mark: Bits) -> Bits | None:
        """The mark to ask with instead, where rules that moved unpredicted ask bits of it.

        Args:
            mark: What was asked with.

        Returns:
            The same with those bits unknown; None where no known bit is asked.
        """
        asked = reduce(or_, (one.mark_bits for one in self.unpredicted if one.whose == "flow"), 0)
        return mark.forget(asked) if asked & mark.known else None

    def _unpredicted(self, name: str, node: Between) -> Iterator[Unpredicted]:
        met = [step for step in self._all_steps() if step.node == name]
        packets: dict[ChainKey, list[Packet]] = {}
        for step in met:
            for key in (step.key, _led_to(step)):
                if key is not None:
                    packets.setdefault(key, []).append(step.packet)
        predicted = {place for step in met if (place := _place(node, step)) is not None}
        for key, index, delta in node.counts.moved():
            if key in packets and (key, index) not in predicted:
                yield _unpredicted(name, node, key, index, delta, packets[key])

    def _all_steps(self) -> Iterator[Step]:
        for path in self.paths:
            yield from path.steps
            for branch in path.branches:
                yield from branch.steps

    def statistic(self, where: Where | None) -> tuple[str, int | None] | None:
        """The kernel's counter of a predicted end, and by how much it moved.

        Returns:
            None where no counter tells of such an end, or there is one moment only.
        """
        node = self.nodes.get(where.node or "") if where is not None else None
        name = STATISTICS.get(where.name or "") if where is not None else None
        return None if node is None or name is None else (name, node.counts.stats.get(name))


def prediction(paths: Sequence[Path], nodes: Mapping[str, Between]) -> Prediction:
    """Lay paths beside what counted.

    Args:
        paths: Of the packets that were sent between the moments, and of their answers.
        nodes: The nodes of which there are two moments, by name.
    """
    return Prediction(tuple(paths), nodes)


def _led_to(step: Step) -> ChainKey | None:
    """The chain that a step's rule jumps or goes to, where every rule may have been passed by."""
    words = step.action.split()
    if step.key is None or len(words) != 2 or words[0] not in ("jump", "goto"):
        return None
    return step.key._replace(chain=words[1])


def _place(node: Between, step: Step) -> tuple[ChainKey, int | None] | None:
    if step.key is None:
        return None
    if step.kind == "policy":
        return step.key, None
    index = None if step.index is None else node.index(step.key, step.index)
    return None if index is None else (step.key, index)


def _unpredicted(
    name: str, node: Between, key: ChainKey, index: int | None, delta: Delta, packets: Sequence[Packet]
) -> Unpredicted:
    chain = node.chains[key]
    if index is None:
        return Unpredicted(name, key, None, None, delta, f"policy {chain.policy or '?'}")
    rule = chain.rules[index]
    told = spec(rule)
    found = {_whose(told, packet, node.world) for packet in packets}
    whose: Whose = "flow" if "flow" in found else "later" if "later" in found else "other"
    bits = reduce(or_, (one.mask for one in told.find(matches.Mark) if one.of == "packet"), 0)
    return Unpredicted(name, key, index, rule.number, delta, rule.text, whose, bits)


def _whose(rule: RuleSpec, packet: Packet, world: World) -> Whose:
    """Whose packets a rule can have counted, given one of the flow that came through its chain."""
    failed = [match for match, truth in conditions(rule, packet, world) if truth is False]
    if any(isinstance(match, _TELL_WHO) for match in failed):
        return "other"
    if not any(isinstance(match, matches.CtState) for match in failed):
        return "flow"
    known = replace(packet, ct_state=frozenset((ESTABLISHED,)))
    return "flow" if rule_holds(rule, known, world) is False else "later"

"""A predicted path with what stands beside it: the rules in words, what counted, where steps lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from calitop.counters.counts import Delta
from calitop.model.network import Route
from calitop.model.place import Where
from calitop.model.rules import ChainKey, Rule
from calitop.path.moved import Agreement, Prediction, Unpredicted
from calitop.path.node import Node
from calitop.path.passed_by import Passed, passed_by
from calitop.path.steps import Branch, Path, Step
from widgets.answer_line import Place
from widgets.view import LinkId, RuleId, route_id
from widgets.wording import rule_comment, rule_conditions

NOTHING = Passed()


@dataclass(frozen=True, eq=False)
class ShownStep:
    """One step with what is known beside it."""

    step: Step
    words: str
    """The rule's conditions and remark; of other steps the sentence."""
    place: Place | None
    packets: int | None = None
    """What the rule or policy has counted in all; None where that is not told."""
    delta: Delta | None = None
    """What it has counted between two moments; None where there is one."""
    agreement: Agreement | None = None
    passed: Passed = NOTHING
    """The rules passed by on the way here from the step before."""


@dataclass(frozen=True, eq=False)
class ShownBranch:
    """One of several ends."""

    branch: Branch
    steps: tuple[ShownStep, ...]
    place: Place | None


@dataclass(frozen=True, eq=False)
class ShownPath:
    """One direction."""

    path: Path
    steps: tuple[ShownStep, ...]
    branches: tuple[ShownBranch, ...]
    place: Place | None
    """Where the packet ends, if that is known."""
    remark: str | None = None
    """What else is to be said, as how the answer's way differs."""
    unpredicted: tuple[Unpredicted, ...] | None = None
    """What moved without being predicted; None where there is nothing to compare."""

    @property
    def all_steps(self) -> Iterator[ShownStep]:
        """Those of all branches too."""
        yield from self.steps
        for branch in self.branches:
            yield from branch.steps


def shown_path(
    path: Path, nodes: Mapping[str, Node], against: Prediction | None, remark: str | None = None
) -> ShownPath:
    """The path made ready; slow for a first time, so for a thread.

    Args:
        path: What was predicted.
        nodes: The nodes that it was predicted from, by name.
        against: The prediction beside what counted; None where there are not two moments of any node.
        remark: What else is to be said.
    """
    maker = _Maker(nodes, against)
    branches = tuple(
        ShownBranch(branch, maker.steps(branch.steps, path.steps), maker.end(branch.where))
        for branch in path.branches
    )
    unpredicted = None if against is None or not against.nodes else against.unpredicted
    return ShownPath(path, maker.steps(path.steps), branches, maker.end(path.where), remark, unpredicted)


@dataclass(frozen=True)
class _Maker:
    nodes: Mapping[str, Node]
    against: Prediction | None

    def steps(self, steps: Sequence[Step], behind: Sequence[Step] = ()) -> tuple[ShownStep, ...]:
        """The steps of a way that begins with those behind it."""
        passed = passed_by(list(self.nodes.values()), [*behind, *steps])[len(behind) :]
        return tuple(map(self._step, steps, passed))

    def _step(self, step: Step, passed: Passed) -> ShownStep:
        if step.key is None:
            return ShownStep(step, step.text, self._place(step))
        chain, rule = self.nodes[step.node].chains.get(step.key), self._rule(step)
        counted = chain if step.kind == "policy" else rule
        against = self.against
        return ShownStep(
            step,
            step.text if rule is None else _rule_words(rule),
            self._place(step),
            None if counted is None else counted.packets,
            None if against is None else against.delta(step),
            None if against is None else against.agreement(step),
            passed,
        )

    def _rule(self, step: Step) -> Rule | None:
        chain = None if step.key is None else self.nodes[step.node].chains.get(step.key)
        has_it = chain is not None and step.index is not None and step.index < len(chain.rules)
        return chain.rules[step.index] if chain is not None and step.index is not None and has_it else None

    def _place(self, step: Step) -> Place | None:
        if step.key is not None:
            return Place(step.node, RuleId(step.key, step.index))
        route = self._route(step) if step.kind == "route" else None
        if route is not None:
            return Place(step.node, route_id(route))
        links = self.nodes[step.node].world.links
        device = next((word for word in reversed(step.action.split()) if word in links), None)
        return None if device is None else Place(step.node, LinkId(device))

    def _route(self, step: Step) -> Route | None:
        """The route that the step names in its words."""
        words = step.text.split()
        dev = words[words.index("dev") + 1] if "dev" in words[:-1] else None
        for route in self.nodes[step.node].state.routes:
            if route.table == step.table and route.dst in words and route.dev == dev:
                return route
        return None

    def end(self, where: Where | None) -> Place | None:
        """The rule, policy or device at which the packet ends."""
        node = None if where is None or where.node is None else self.nodes.get(where.node)
        if node is None or where is None:
            return None
        if where.chain is not None:
            return self._rule_place(node, where)
        has_it = where.device is not None and where.device in node.world.links
        return Place(node.name, LinkId(where.device)) if where.device is not None and has_it else None

    def _rule_place(self, node: Node, where: Where) -> Place | None:
        key = ChainKey(where.family, where.backend, where.table, where.chain or "")
        chain = node.chains.get(key)
        if chain is None:
            return None
        if where.kind == "policy":
            return Place(node.name, RuleId(key, None))
        at = next((at for at, rule in enumerate(chain.rules) if rule.number == where.number), None)
        return None if at is None or where.number is None else Place(node.name, RuleId(key, at))


def _rule_words(rule: Rule) -> str:
    remark = rule_comment(rule)
    words = (rule_conditions(rule), f'"{remark}"' if remark else "")
    return "  ".join(word for word in words if word)

"""A predicted path with what stands beside it: the rules in words, what counted, where steps lead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from calitop.counters.counts import Delta
from calitop.model.network import Route
from calitop.model.place import Where
from calitop.model.rules import Chain, Rule
from calitop.path.bits import Bits
from calitop.path.moved import Agreement, Unpredicted
from calitop.path.node import Node
from calitop.path.passed_by import Passed
from calitop.path.steps import Branch, Path, Step
from calitop.path.three import Truth
from calitop.report.text import number
from calitop.report.trace import Told
from widgets.answer_line import Place
from widgets.view import LinkId, RuleId, route_id
from widgets.wording import rule_action, rule_comment, rule_conditions

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
class ShownMove:
    """A rule or policy that counted without being predicted."""

    moved: Unpredicted
    words: str
    place: Place


@dataclass(frozen=True, eq=False)
class ShownBranch:
    """One of several ends."""

    branch: Branch
    steps: tuple[ShownStep, ...]
    place: Place | None
    fits: Truth = None
    """Whether what moved fits it; None where that does not tell."""


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
    unpredicted: tuple[ShownMove, ...] | None = None
    """What moved without being predicted; None where there is nothing to compare."""
    open_mark: Bits | None = None
    """The mark to ask with instead, where rules that moved unpredicted ask bits of it."""
    statistic: tuple[str, int | None] | None = None
    """The kernel's counter of such an end and by how much it moved, where there is one."""

    @property
    def all_steps(self) -> Iterator[ShownStep]:
        """Those of all branches too."""
        yield from self.steps
        for branch in self.branches:
            yield from branch.steps


def step_text(one: ShownStep) -> str:
    """A step in one line, with nothing cut: node, hook, table, chain, number, what happens, why."""
    step = one.step
    rule = (step.chain, "policy" if step.kind == "policy" else number(step.number)) if step.chain else ()
    family = "ipv6" if step.family == "ipv6" else None
    counted = None if one.delta is None else f"+{number(one.delta.packets)} packets"
    words = one.words if one.words != step.action else None
    told = (f"{step.node}:", step.hook, family, step.table, *rule, step.action, words, counted)
    return "  ".join(part for part in told if part)


def shown_path(told: Told, path: Path) -> ShownPath:
    """One of the paths told of, made ready; slow for a first time, so for a thread."""
    maker, prediction = _Maker(told), told.prediction
    return ShownPath(
        path,
        maker.steps(path.steps),
        maker.branches(path),
        maker.end(path.where),
        told.traced.asymmetry,
        None if prediction is None else tuple(map(maker.move, prediction.unpredicted)),
        None if prediction is None else prediction.open_mark(told.request.mark),
        None if prediction is None else prediction.statistic(path.where),
    )


class _Maker:
    """Looks up what stands beside the steps."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._nodes = {node.name: node for node in told.network.nodes}

    def branches(self, path: Path) -> tuple[ShownBranch, ...]:
        """Those first that fit what moved."""
        order = (True, None, False)
        return tuple(
            sorted((self._branch(one, path) for one in path.branches), key=lambda one: order.index(one.fits))
        )

    def move(self, one: Unpredicted) -> ShownMove:
        """What moved, by its rule."""
        rule = self._rule(one)
        words = one.text if rule is None else f"{rule_action(rule)}  {_rule_words(rule)}"
        return ShownMove(one, words, Place(one.node, RuleId(one.key, one.index)))

    def _branch(self, branch: Branch, path: Path) -> ShownBranch:
        against = self._told.prediction
        fits = None if against is None else against.fits(branch.steps, branch.where)
        return ShownBranch(branch, self.steps(branch.steps, path.steps), self.end(branch.where), fits)

    def steps(self, steps: Sequence[Step], behind: Sequence[Step] = ()) -> tuple[ShownStep, ...]:
        """The steps of a way that begins with those behind it."""
        return tuple(map(self._step, steps, self._told.passed(steps, behind)))

    def _step(self, step: Step, passed: Passed) -> ShownStep:
        if step.key is None:
            return ShownStep(step, step.text, self._place(step))
        chain, rule = self._chain(step), self._rule(step)
        against = self._told.prediction
        counted = chain if step.kind == "policy" else rule
        return ShownStep(
            step,
            "" if rule is None else _rule_words(rule),
            self._place(step),
            None if counted is None else counted.packets,
            None if against is None else against.delta(step),
            None if against is None else against.agreement(step),
            passed,
        )

    def _chain(self, at: Step | Unpredicted) -> Chain | None:
        return None if at.key is None else self._nodes[at.node].chains.get(at.key)

    def _rule(self, at: Step | Unpredicted) -> Rule | None:
        chain = self._chain(at)
        if chain is None or at.index is None or at.index >= len(chain.rules):
            return None
        return chain.rules[at.index]

    def _place(self, step: Step) -> Place | None:
        if step.key is not None:
            return Place(step.node, RuleId(step.key, step.index))
        route = self._route(step) if step.kind == "route" else None
        if route is not None:
            return Place(step.node, route_id(route))
        links = self._nodes[step.node].world.links
        device = next((word for word in reversed(step.action.split()) if word in links), None)
        return None if device is None else Place(step.node, LinkId(device))

    def _route(self, step: Step) -> Route | None:
        """The route that the step names in its words."""
        words = step.text.split()
        dev = words[words.index("dev") + 1] if "dev" in words[:-1] else None
        for route in self._nodes[step.node].state.routes:
            if route.table == step.table and route.dst in words and route.dev == dev:
                return route
        return None

    def end(self, where: Where | None) -> Place | None:
        """The rule, policy or device at which the packet ends."""
        node = None if where is None or where.node is None else self._nodes.get(where.node)
        if node is None or where is None:
            return None
        if where.chain is not None:
            return self._rule_place(node, where)
        has_it = where.device is not None and where.device in node.world.links
        return Place(node.name, LinkId(where.device)) if where.device is not None and has_it else None

    def _rule_place(self, node: Node, where: Where) -> Place | None:
        key = where.key
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

"""Opened snapshots: which node, which moment of it, and the moment counted from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from calitop.model.node import NodeState
from tui.pictures import Picture
from tui.shown import Preparer, Shown, backends_of, problem_count
from widgets.signs import Signs
from widgets.status_line import Status

if TYPE_CHECKING:
    from calitop.hits.moved import NodeHits
    from calitop.snapshot.moments import NodeMoments


@dataclass(frozen=True)
class Choice:
    """What the operator looks at; numbers from 0."""

    node: int = 0
    moment: int = 0
    baseline: int | None = None
    """None: nothing to count from."""


class Desk:
    """Nodes and moments laid out; the choice among them; no widget. Empty until they are read."""

    def __init__(self, snapshots: Sequence[NodeMoments], signs: Signs) -> None:
        self.snapshots: list[NodeMoments] = []
        self.signs = signs
        self.choice = Choice()
        self._preparer = Preparer(signs, live=False)
        self.replace_snapshots(snapshots)

    def _first_choice(self, node: int) -> Choice:
        last = len(self.snapshots[node].moments) - 1
        return Choice(node, last, 0 if last > 0 else None)

    @property
    def moments(self) -> tuple[NodeState, ...]:
        """Moments of the chosen node by time."""
        return self.snapshots[self.choice.node].moments if self.snapshots else ()

    def choose_node(self, node: int) -> bool:
        """Look at another node; False where there is none of that number."""
        if not 0 <= node < len(self.snapshots):
            return False
        if node != self.choice.node:
            self.choice = self._first_choice(node)
        return True

    def choose_state(self, state: NodeState) -> bool:
        """Look at that very moment of its node; False where it is not among them any more."""
        for node, one in enumerate(self.snapshots):
            for moment, each in enumerate(one.moments):
                if each is state:
                    self.choose_node(node)
                    self.choice = replace(self.choice, moment=moment)
                    return True
        return False

    def step_moment(self, step: int) -> bool:
        """Look at an earlier or later moment; False at the end."""
        moment = self.choice.moment + step
        if not 0 <= moment < len(self.moments):
            return False
        self.choice = replace(self.choice, moment=moment)
        return True

    def choose_baseline(self, baseline: int | None) -> None:
        """Count from another moment, or from none."""
        self.choice = replace(self.choice, baseline=baseline)

    def replace_snapshots(self, snapshots: Sequence[NodeMoments]) -> None:
        """Take over what was read again; the choice stays where it still fits."""
        if not snapshots:
            return
        before, had = self.choice, len(self.moments)
        name = self.snapshots[self.choice.node].name if self.snapshots else None
        self.snapshots = list(snapshots)
        node = next((i for i, one in enumerate(snapshots) if one.name == name), 0)
        last = len(self.snapshots[node].moments) - 1
        if last + 1 != had or name != self.snapshots[node].name:
            self.choice = self._first_choice(node)
        else:
            self.choice = replace(before, node=node)

    def prepare(self) -> Shown:
        """The chosen moment made ready for the panes; slow, for a thread."""
        from calitop.counters.compare import compare

        choice, moments = self.choice, self.moments
        state = moments[choice.moment]
        baseline = self._baseline(choice)
        counts = None if baseline is None else compare(moments[baseline], state)
        return self._preparer.prepare(state, counts, self._status(choice, state))

    def hits(self) -> list[NodeHits]:
        """What moved on every node that has two moments; slow, for a thread.

        Of the chosen node between the moments that are looked at, of the others between
        their first and last.
        """
        from calitop.hits.moved import node_hits

        return [node_hits(name, before, now) for name, before, now in self._spans() if before is not None]

    def pictures(self) -> list[Picture]:
        """Every node at one moment, with what counted up to it; slow, for a thread.

        The chosen node at the moment that is looked at, the others at their last.
        """
        from calitop.counters.compare import compare

        return [
            Picture(name, now, None if before is None else compare(before, now))
            for name, before, now in self._spans()
        ]

    def _spans(self) -> Iterator[tuple[str, NodeState | None, NodeState]]:
        """Name, moment counted from if any, and moment looked at, of every node."""
        for number, node in enumerate(self.snapshots):
            choice = self.choice if number == self.choice.node else self._first_choice(number)
            baseline = self._baseline(choice)
            is_span = baseline is not None and baseline != choice.moment
            before = node.moments[baseline] if baseline is not None and is_span else None
            yield node.name or "node", before, node.moments[choice.moment]

    def number_of(self, name: str) -> int:
        """Number of the node that is called so in what `hits` tells; the chosen one when none is."""
        names = [node.name or "node" for node in self.snapshots]
        return names.index(name) if name in names else self.choice.node

    def _baseline(self, choice: Choice) -> int | None:
        """The moment counted from; none for a moment that lies before it."""
        is_later = choice.baseline is not None and choice.baseline > choice.moment
        return None if is_later else choice.baseline

    def _status(self, choice: Choice, state: NodeState) -> Status:
        baseline = self._baseline(choice)
        return Status(
            node=self.snapshots[choice.node].name or "node not told",
            live=False,
            backends=backends_of(state),
            moment=self._moment_words(choice, state),
            baseline="none" if baseline is None else self.moment_words(baseline),
            problems=problem_count(state),
            warnings=len(state.warnings),
        )

    def moment_words(self, number: int) -> str:
        """A moment of the chosen node by its number from 1, its label and its time."""
        labels = self.snapshots[self.choice.node].labels
        label = PurePath(labels[number]).name if number < len(labels) else ""
        time = clock_words(self.moments[number].captured_at)
        return " ".join(word for word in (f"moment {number + 1}", label, time) if word)

    def _moment_words(self, choice: Choice, state: NodeState) -> str:
        words = f"moment {choice.moment + 1} of {len(self.moments)}" if len(self.moments) > 1 else ""
        if len(self.snapshots) > 1:
            words = f"node {choice.node + 1} of {len(self.snapshots)} " + words
        return " ".join(word for word in (words.strip(), clock_words(state.captured_at)) if word)


def clock_words(captured_at: str | None) -> str:
    """Date and time without the fraction; empty when not told."""
    return "" if captured_at is None else captured_at.replace("T", " ").split(".")[0].removesuffix("+00:00")

"""The nodes as a path is predicted from: one moment of each, with what counted up to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from calitop.counters.counts import Counts
from calitop.model.node import NodeState

if TYPE_CHECKING:
    from calitop.cni.index import NodeIndex
    from calitop.path.asked import Question
    from calitop.path.moved import Prediction
    from calitop.path.node import Node
    from calitop.path.trace import Traced
    from calitop.probe.known import KnownEnd
    from calitop.report.trace import Told
    from widgets.path_shown import ShownPath


class Picture(NamedTuple):
    """One node at one moment."""

    name: str
    state: NodeState
    counts: Counts | None
    """Since the baseline; None where there is nothing to count from."""
    lookups: NodeIndex | None = None
    """Of its rules, where the screen has one."""


@dataclass(frozen=True, eq=False, repr=False)
class Foretold:
    """What is predicted, ready for the screen."""

    told: Told
    forward: ShownPath
    reply: ShownPath | None


class Foreteller:
    """Predicts paths over the nodes that are loaded; keeps what it prepared of a node while that is the same.

    Everything here is slow, for a thread; one thread at a time.
    """

    def __init__(self, pictures: Callable[[], Sequence[Picture]]) -> None:
        self._pictures = pictures
        self._nodes: dict[str, Node] = {}

    def known(self) -> tuple[list[KnownEnd], list[KnownEnd]]:
        """Sources and destinations to choose from, of all nodes."""
        from calitop.path.asked import known_ends

        return known_ends([picture.state for picture in self._pictures()])

    def foretell(self, question: Question) -> Foretold:
        """The path of the packet that is asked for, and of its answer.

        Raises:
            CalitopError: The question cannot be understood, or nothing tells where the packet starts.
        """
        from calitop.path.asked import request_of
        from calitop.path.network import Network
        from calitop.path.trace import trace
        from calitop.report.trace import Told
        from widgets.path_shown import shown_path

        pictures = self._pictures()
        self._nodes = {picture.name: self._node(picture) for picture in pictures}
        network = Network(list(self._nodes.values()))
        request = request_of(question, network.nodes)
        traced = trace(network, request)
        told = Told(network, request, traced, _compared(traced, pictures))
        reply = None if traced.reply is None else shown_path(told, traced.reply)
        return Foretold(told, shown_path(told, traced.forward), reply)

    def _node(self, picture: Picture) -> Node:
        from calitop.path.node import Node

        kept = self._nodes.get(picture.name)
        return kept if kept is not None and kept.state is picture.state else Node(*picture[:2])


def _compared(traced: Traced, pictures: Sequence[Picture]) -> Prediction | None:
    """The prediction beside what counted, where something is counted from."""
    from calitop.path.moved import Between, prediction

    between = {
        one.name: Between(one.state, one.state, one.counts) for one in pictures if one.counts is not None
    }
    paths = [path for path in (traced.forward, traced.reply) if path is not None]
    return prediction(paths, between) if between else None

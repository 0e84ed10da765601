"""From what moved and a question to the answer: the one way that all commands and screens take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calitop.hits.flow import Flow, flow_between, traced_flow
from calitop.hits.flow_test import with_flow
from calitop.hits.moved import NodeHits
from calitop.model.values import Address
from calitop.verdict.decide import decide
from calitop.verdict.records import Verdict


@dataclass(frozen=True, eq=False)
class Answer:
    """What moved, of which flow, and where it was lost."""

    nodes: tuple[NodeHits, ...]
    flow: Flow | None
    """The flow that was asked for; None without one."""
    verdict: Verdict


def answer(
    nodes: Sequence[NodeHits], ends: tuple[Address, Address] | None = None, packets: int | None = None
) -> Answer:
    """The verdict over what moved on some nodes.

    Args:
        nodes: Each node between two moments.
        ends: Sender and receiver; without them everything that moved is judged together.
        packets: How many packets were sent; taken from what moved when None.
    """
    if ends is None:
        return Answer(tuple(nodes), None, decide(nodes, traced_flow(nodes), packets))
    flow = flow_between(nodes, *ends)
    marked = with_flow(nodes, flow)
    return Answer(tuple(marked), flow, decide(marked, flow, packets))

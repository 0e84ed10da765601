"""From what moved and a question to the answer: the one way that all commands and screens take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from calitop.hits.ends import End
from calitop.hits.flow import Flow, flow_between, likely_packets, traced_flow
from calitop.hits.flow_test import with_flow
from calitop.hits.moved import NodeHits
from calitop.model.values import Address
from calitop.verdict.decide import decide
from calitop.verdict.hooks import HookHits, by_hook
from calitop.verdict.records import Verdict

Ask = Literal["flow", "packets"]
"""What an operator could tell: who sends to whom; how many were sent."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What moved, of which flow, and where it was lost."""

    nodes: tuple[NodeHits, ...]
    flow: Flow | None
    """The flow that was asked for; None without one."""
    verdict: Verdict
    sent: int | None = None
    """Packets that were sent, as the operator says."""

    @property
    def expected(self) -> int | None:
        """Packets that each place on the way should have seen: those sent, else the likely number."""
        return self.sent if self.sent is not None else likely_packets(self.nodes)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """What the operator could tell to make the answer firmer; the words are of the place that asks."""
        unsure: dict[Ask, bool] = {
            "flow": self.flow is None and self.verdict.outcome == "undecided",
            "packets": self.sent is None and self.expected is not None,
        }
        return tuple(ask for ask, is_open in unsure.items() if is_open)

    @cached_property
    def hooks(self) -> tuple[tuple[HookHits, ...], ...]:
        """For each of the nodes what moved there, hook by hook; the first call takes a while."""
        flow = self.flow or traced_flow(self.nodes)
        return tuple(by_hook(node, flow) for node in self.nodes)


def answer(
    nodes: Sequence[NodeHits],
    ends: tuple[Address, Address] | None = None,
    packets: int | None = None,
    source: End | None = None,
) -> Answer:
    """The verdict over what moved on some nodes.

    Args:
        nodes: Each node between two moments.
        ends: Sender and receiver; without them everything that moved is judged together.
        packets: How many packets were sent; taken from what moved when None.
        source: Where the sender is, from who knows it; looked for on the nodes when None.
    """
    if ends is None:
        return Answer(tuple(nodes), None, decide(nodes, traced_flow(nodes), packets), packets)
    flow = flow_between(nodes, *ends, source)
    marked = with_flow(nodes, flow)
    return Answer(tuple(marked), flow, decide(marked, flow, packets), packets)

"""How many of the operator's own packets have come by, judged by what counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from calitop.hits.ends import End
from calitop.hits.flow import Flow
from calitop.hits.moved import NodeHits
from calitop.verdict.gauges import Gauges

_HOOKS = ("PREROUTING", "INPUT", "FORWARD")
"""A request passes at least one; several may count it twice, in and out of a tunnel or with its reply."""


def packets_seen(nodes: Sequence[NodeHits], flow: Flow) -> int:
    """How many requests of the flow can have come by: the smallest of what counts each of them.

    A pod's link also carries ARP and the like, so it only tells requests from their replies.
    """
    hooks = [amount for node in nodes for amount in _entered(node, flow) if amount]
    links = [amount for node in nodes for amount in _by_links(node, flow) if amount]
    passed, carried = min(hooks, default=0), min(links, default=0)
    return min(passed, carried) if 2 * carried >= passed and hooks else passed or carried


def _entered(node: NodeHits, flow: Flow) -> Iterator[int | None]:
    gauges = Gauges(node, flow.family)
    yield from (gauges.entered(hook) for hook in _HOOKS)


def _by_links(node: NodeHits, flow: Flow) -> Iterator[int]:
    for end, way in ((flow.source, "rx_packets"), (flow.target, "tx_packets")):
        yield _carried(node, end, way)


def _carried(node: NodeHits, end: End | None, way: str) -> int:
    """Packets from a pod (received on its link) or to it (sent there)."""
    if end is None or end.node != node.name or end.device not in node.links or end.own:
        return 0
    return getattr(node.links[end.device], way) or 0


def sent_as_asked(nodes: Sequence[NodeHits], count: int) -> int | None:
    """The amount that the operator was asked to send, where some place counted exactly that."""
    fits = any(
        each.packets == count
        and each.delta.exact
        and each.flow is not False
        and not node.index.rules.is_nat(each.key)
        for node in nodes
        for each in node.moved
    )
    return count if fits else None

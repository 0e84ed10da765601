"""How far a flow was seen: the pods' links, the tunnels, and whether the replies came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calitop.hits.ends import End, is_workload
from calitop.hits.flow import Flow
from calitop.hits.moved import NodeHits
from calitop.model.network import LinkCounters
from calitop.verdict.words import signed

SLACK = 6
"""Packets beside the expected ones that a pod's link may carry (ARP and the like)."""
_ERRORS = ("Icmp.OutDestUnreachs", "Icmp.OutTimeExcds", "Icmp.OutRedirects", "Icmp.OutParmProbs")


@dataclass(frozen=True, slots=True)
class Passage:
    """Whether the flow was seen through."""

    passed: bool
    packets: int | None = None
    evidence: tuple[str, ...] = ()
    why_not: str = ""
    """What stands against it, where the counters are open."""


def passage(nodes: Sequence[NodeHits], flow: Flow | None, expected: int | None) -> Passage:
    """Whether requests and replies were seen at the pods' links on all sides that were captured."""
    if flow is not None and (flow.source or flow.target):
        return _of_flow(nodes, flow, expected)
    return _of_all(nodes)


def _of_flow(nodes: Sequence[NodeHits], flow: Flow, expected: int | None) -> Passage:
    if flow.source is None or flow.source.own or flow.source.device is None or expected is None:
        return Passage(False)
    errors = sum(_errors(node) for node in nodes)
    sent, came = _counted(nodes, flow.source)
    evidence = [_words(flow.source, sent, came)]
    if came - errors < expected or sent < expected:
        return Passage(False, evidence=tuple(evidence))
    if max(sent, came) > expected + SLACK:
        return Passage(False, None, tuple(evidence), _crowded(flow.source, sent, came, expected))
    if flow.target is not None and not flow.target.own and flow.target.device is not None:
        answered, asked = _counted(nodes, flow.target)
        evidence.append(_words(flow.target, answered, asked))
        if min(answered, asked) < expected:
            return Passage(False, evidence=tuple(evidence))
        if max(answered, asked) > expected + SLACK:
            return Passage(False, None, tuple(evidence), _crowded(flow.target, answered, asked, expected))
    elif not _same_bytes(nodes, flow.source):
        return Passage(False, None, tuple(evidence), "what came back is not of the size of the requests")
    return Passage(True, expected, tuple(evidence))


def _of_all(nodes: Sequence[NodeHits]) -> Passage:
    """Without a flow: every pod's link that moved received as much as it sent, and there are two ends."""
    ends = [End(node.name, device) for node in nodes for device in node.links if is_workload(node, device)]
    counts = [_counted(nodes, end) for end in ends]
    evidence = tuple(_words(end, *count) for end, count in zip(ends, counts, strict=True))
    errors = any(_errors(node) for node in nodes)
    balanced = all(sent == came > 0 for sent, came in counts)
    if len(ends) < 2 or not balanced or errors:
        return Passage(False, evidence=evidence)
    return Passage(True, min(sent for sent, _ in counts), evidence)


def _counted(nodes: Sequence[NodeHits], end: End) -> tuple[int, int]:
    """Packets that the pod sent and received, by its link."""
    moved = _link(nodes, end)
    return (moved.rx_packets or 0, moved.tx_packets or 0) if moved else (0, 0)


def _link(nodes: Sequence[NodeHits], end: End) -> LinkCounters | None:
    return next((node.links.get(end.device or "") for node in nodes if node.name == end.node), None)


def _same_bytes(nodes: Sequence[NodeHits], end: End) -> bool:
    """Replies to pings are as long as the pings; errors are longer or shorter."""
    moved = _link(nodes, end)
    return moved is not None and moved.rx_packets == moved.tx_packets and moved.rx_bytes == moved.tx_bytes


def _errors(node: NodeHits) -> int:
    return sum(node.stats.get(name, 0) for name in _ERRORS)


def _words(end: End, sent: int, came: int) -> str:
    return f"{end.node}: the pod behind {end.device} sent {signed(sent)} and received {signed(came)}"


def _crowded(end: End, sent: int, came: int, expected: int) -> str:
    return (
        f"{end.device} on {end.node} carried {sent} and {came} packets, "
        f"too many to tell {expected} of them apart"
    )

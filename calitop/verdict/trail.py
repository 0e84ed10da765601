"""How far a flow was seen: the pods' links, the tunnels, and whether the replies came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calitop.hits.ends import End, is_workload
from calitop.hits.flow import Flow
from calitop.hits.moved import NodeHits
from calitop.model.network import IpFamily, LinkCounters
from calitop.model.rules import Rule
from calitop.verdict.words import signed

SLACK = 6
"""Packets beside the expected ones that a pod's link may carry (ARP and the like)."""
_ERRORS = tuple(
    f"{group}.{name}"
    for group, names in (
        ("Icmp", ("OutDestUnreachs", "OutTimeExcds", "OutRedirects", "OutParmProbs")),
        ("Icmp6", ("OutDestUnreachs", "OutPktTooBigs", "OutTimeExcds", "OutRedirects", "OutParmProblems")),
    )
    for name in names
)


_ECHOES: dict[IpFamily, tuple[str, str]] = {
    "ipv4": ("Icmp.OutEchos", "Icmp.InEchoReps"),
    "ipv6": ("Icmp6.OutEchos", "Icmp6.InEchoReplies"),
}
_NEIGHBOUR_BYTES: dict[IpFamily, int] = {"ipv4": 42, "ipv6": 86}
"""An ARP packet, or a neighbour solicitation or advertisement with an address in it, with its frame."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Whether the flow was seen through."""

    passed: bool
    packets: int | None = None
    evidence: tuple[str, ...] = ()
    why_not: str = ""
    """What stands against it, where the counters are open."""


def passage(
    nodes: Sequence[NodeHits], flow: Flow | None, expected: int | None, guessed: bool = False
) -> Passage:
    """Whether requests and replies were seen at the pods' links on all sides that were captured.

    Args:
        nodes: What moved on each node.
        flow: The flow that is asked for.
        expected: How many packets were sent, where known.
        guessed: That number is taken from what moved.
    """
    if flow is not None and (flow.source or flow.target):
        return _of_flow(nodes, flow, expected, guessed)
    return _of_all(nodes, expected)


def _of_flow(nodes: Sequence[NodeHits], flow: Flow, expected: int | None, guessed: bool) -> Passage:
    if flow.source is None or expected is None:
        return Passage(False)
    if flow.source.own:
        start = _answered_node(nodes, flow.source, flow, expected)
    elif flow.source.device is not None:
        start = _answered_pod(nodes, flow, flow.source, expected, guessed)
    else:
        return Passage(False)
    if not start.passed or flow.target is None or flow.target.own or flow.target.device is None:
        return start
    answered, asked = _counted(nodes, flow.target)
    evidence = (*start.evidence, _words(flow.target, answered, asked))
    if min(answered, asked) < expected:
        return Passage(False, evidence=evidence)
    if max(answered, asked) > expected + SLACK:
        return Passage(False, None, evidence, _crowded(flow.target, answered, asked, expected))
    return Passage(True, expected, evidence)


def _answered_pod(
    nodes: Sequence[NodeHits], flow: Flow, source: End, expected: int, guessed: bool
) -> Passage:
    """Whether the sender's link brought an answer to every request.

    ARP goes both ways alike, so a link that brought as much as it took is enough where the answers may be
    of another size (a reset), and the receiver's own link is there to agree.
    """
    sent, came = _counted(nodes, source)
    came -= sum(errors_of(node) for node in nodes)
    evidence = (_words(source, *_counted(nodes, source)),)
    if came < expected or sent < expected:
        return Passage(False, evidence=evidence)
    if max(sent, came) > expected + SLACK:
        return Passage(False, None, evidence, _crowded(source, *_counted(nodes, source), expected))
    alike = _same_size(_link(nodes, source), expected, flow.family)
    if alike or (came >= sent and flow.target is not None and flow.target.device and not flow.target.own):
        return Passage(not guessed or came >= sent, expected, evidence)
    return Passage(False, None, evidence, "what came back is not of the size and number of the requests")


def _answered_node(nodes: Sequence[NodeHits], source: End, flow: Flow, expected: int) -> Passage:
    """Whether the node's own pings were answered, by its ICMP statistics; other protocols tell nothing."""
    node = next(node for node in nodes if node.name == source.node)
    names = _ECHOES[flow.family]
    sent, came = (node.stats.get(name, 0) for name in names)
    evidence = tuple(
        f"{node.name}: {name} {signed(node.stats[name])}" for name in names if name in node.stats
    )
    enough = min(sent, came) >= expected and came >= sent
    return Passage(enough and sent <= expected + SLACK, expected if enough else None, evidence)


def _of_all(nodes: Sequence[NodeHits], expected: int | None) -> Passage:
    """Without a flow: every pod's link that moved received what it sent, and two carried the packets."""
    ends = [End(node.name, device) for node in nodes for device in node.links if is_workload(node, device)]
    counts = [_counted(nodes, end) for end in ends]
    evidence = tuple(_words(end, *count) for end, count in zip(ends, counts, strict=True))
    errors = any(errors_of(node) for node in nodes)
    balanced = all(sent == came > 0 for sent, came in counts)
    carried = [sent for sent, _ in counts if sent >= (expected or 1)]
    if len(carried) < 2 or not balanced or errors:
        return Passage(False, evidence=evidence)
    return Passage(True, expected or min(carried), evidence)


def _counted(nodes: Sequence[NodeHits], end: End) -> tuple[int, int]:
    """Packets that the pod sent and received, by its link."""
    moved = _link(nodes, end)
    return (moved.rx_packets or 0, moved.tx_packets or 0) if moved else (0, 0)


def _link(nodes: Sequence[NodeHits], end: End) -> LinkCounters | None:
    return next((node.links.get(end.device or "") for node in nodes if node.name == end.node), None)


def _same_size(moved: LinkCounters | None, expected: int, family: IpFamily) -> bool:
    """Whether a link brought answers that are as long as the requests, as those to pings are."""
    if moved is None:
        return False
    sent = _size(moved.rx_packets, moved.rx_bytes, expected, family)
    came = _size(moved.tx_packets, moved.tx_bytes, expected, family)
    return sent is not None and sent == came


def _size(packets: int | None, octets: int | None, expected: int, family: IpFamily) -> float | None:
    """Bytes of each expected packet where the surplus is neighbour discovery; None where that cannot be."""
    if packets is None or octets is None:
        return None
    size = (octets - _NEIGHBOUR_BYTES[family] * (packets - expected)) / expected
    return size if size > _NEIGHBOUR_BYTES["ipv4"] else None


def errors_of(node: NodeHits) -> int:
    """What the node itself has told senders about packets that it did not take: ICMP errors, resets."""
    resets = sum(each.packets for each in node.moved if each.rule is not None and _resets(each.rule))
    return resets + sum(node.stats.get(name, 0) for name in _ERRORS)


def _resets(rule: Rule) -> bool:
    return rule.target == "REJECT" and "tcp-reset" in rule.text


def _words(end: End, sent: int, came: int) -> str:
    return f"{end.node}: the pod behind {end.device} sent {signed(sent)} and received {signed(came)}"


def _crowded(end: End, sent: int, came: int, expected: int) -> str:
    return (
        f"{end.device} on {end.node} carried {sent} and {came} packets, "
        f"too many to tell {expected} of them apart"
    )

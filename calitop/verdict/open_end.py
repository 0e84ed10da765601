"""Where the trail of a flow ends, and where to look next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calitop.hits.ends import best_route
from calitop.hits.flow import Flow
from calitop.hits.moved import NodeHits
from calitop.model.values import Address
from calitop.verdict.collecting import collect_on
from calitop.verdict.records import Candidate, Where
from calitop.verdict.words import packets_words


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is known of the trail's end."""

    seen: str
    """How far the packets were seen, one sentence."""
    candidates: tuple[Candidate, ...] = ()
    missing: tuple[str, ...] = ()


def next_to_look(nodes: Sequence[NodeHits], flow: Flow | None, expected: int | None) -> Ahead:
    """How far the flow was seen, and which node would tell more."""
    if flow is None:
        return _without_flow(nodes)
    sender = _node(nodes, flow.source.node if flow.source else None)
    receiver = _node(nodes, flow.target.node if flow.target else None)
    if sender is not None and receiver is None:
        return _onward(sender, flow.dst, "the request", expected)
    if receiver is not None and sender is None:
        return _onward(receiver, flow.src, "the reply", expected)
    if sender is None or receiver is None:
        return Ahead(
            f"neither end of {flow} was found on the nodes given",
            missing=(f"snapshots of the nodes of {flow.src} and {flow.dst}",),
        )
    return _between(sender, receiver)


def _without_flow(nodes: Sequence[NodeHits]) -> Ahead:
    names = ", ".join(node.name for node in nodes)
    return Ahead(
        f"nothing on {names} took packets as far as the counters tell, and no complete answer was seen",
        missing=("which flow is meant", "counters of the other nodes on the way"),
    )


def _onward(node: NodeHits, address: Address, what: str, expected: int | None) -> Ahead:
    """The other end's node was not given: what could take the packets there."""
    route = best_route(node, address)
    device = route.dev if route else None
    count = _sent_by(node, device)
    peer = route.gateway if route and route.gateway else None
    other = f"the node at {peer}" if peer and device != "cilium_host" else f"the node of {address}"
    way = f"{device} on {node.name}" if device else node.name
    sent = (
        f"{packets_words(count)} of {what} left by {way}" if count else f"{what} was not seen leaving {way}"
    )
    candidates = (
        Candidate(
            Where(node=None, kind="kernel", name="rp_filter", device=device if count else None),
            f"rp_filter is 1 on {other} and its way back is another device",
            collect_on(other),
        ),
        Candidate(
            Where(node=None, kind="rule"),
            f"a rule on {other} dropped them: its counter moves",
            collect_on(other),
        ),
    )
    return Ahead(
        f"{sent}; nothing is known of {other}",
        candidates if count else (),
        (f"counters of {other}, before and after the packets",),
    )


def _sent_by(node: NodeHits, device: str | None) -> int:
    """Packets that left by a device; what BPF takes from cilium_host leaves by Cilium's tunnel device."""
    ways = {device}
    if device == "cilium_host":
        ways |= {name for name in node.links if name.startswith(("cilium_vxlan", "cilium_geneve"))}
    return max((node.links[way].tx_packets or 0 for way in ways if way in node.links), default=0)


def _between(sender: NodeHits, receiver: NodeHits) -> Ahead:
    names = " and ".join(dict.fromkeys((sender.name, receiver.name)))
    return Ahead(
        f"no rule, policy or kernel check on {names} is seen to have taken the packets, and no "
        "complete answer was seen either",
        tuple(
            Candidate(
                Where(node=node.name, kind="bpf"),
                "a BPF program or the network between the nodes took them",
                f"on {node.name}: cilium monitor --type drop; tcpdump -ni any icmp",
            )
            for node in dict.fromkeys((sender, receiver))
        ),
    )


def _node(nodes: Sequence[NodeHits], name: str | None) -> NodeHits | None:
    return next((node for node in nodes if node.name == name), None)

"""Where the trail of a flow ends, and where to look next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calitop.hits.ends import End, best_route
from calitop.hits.flow import Flow, likely_packets
from calitop.hits.moved import NodeHits
from calitop.model.place import Where
from calitop.model.values import Address
from calitop.verdict.along import Checkpoint, checkpoints_of
from calitop.verdict.collecting import collect_on
from calitop.verdict.records import Candidate
from calitop.verdict.words import packets_words, signed


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
    return _between(nodes, flow, expected)


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
    if expected is not None:
        count = min(count, expected)  # a physical device carries ARP and others' packets too
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


def _between(nodes: Sequence[NodeHits], flow: Flow, expected: int | None) -> Ahead:
    """Both ends are known, and no place took the packets: the devices tell how far they came."""
    path = checkpoints_of(nodes, flow)
    last = next((each for each in path if expected is None or each.packets < expected), None)
    if expected is None or last is None:
        return _nowhere(nodes, flow)
    if last is path[0]:
        return _not_sent(last, expected) if _is_at(last, flow.source) else _nowhere(nodes, flow)
    before = path[path.index(last) - 1]
    if _is_at(before, flow.target) and _is_at(last, flow.target):
        return _not_answered(before, last)
    what = "not" if before.leg == last.leg else "no reply"
    return Ahead(
        f"the {before.leg} was seen at {before} ({signed(before.packets)}), and {what} at {last} "
        f"({signed(last.packets)}); nothing in between is seen to have taken it",
        tuple(_beyond(name, flow) for name in dict.fromkeys((before.node, last.node))),
    )


def _is_at(checkpoint: Checkpoint, end: End | None) -> bool:
    """Whether a device is the pod's own link."""
    return end is not None and (checkpoint.node, checkpoint.device) == (end.node, end.device)


def _not_sent(first: Checkpoint, expected: int) -> Ahead:
    return Ahead(
        f"{first} brought {signed(first.packets)} of {expected} from the sender: the others did not leave "
        "it, for want of an answer to its ARP or of a route",
        (
            Candidate(
                Where(node=first.node, kind="link", device=first.device),
                "the sender gets no answer when it asks for its gateway's address",
                f"on {first.node}: tcpdump -eni {first.device} arp; inside the sender: ip neigh; ip route",
            ),
        ),
    )


def _not_answered(asked: Checkpoint, answered: Checkpoint) -> Ahead:
    return Ahead(
        f"the request reached the receiver behind {asked} ({signed(asked.packets)}), and it sent "
        f"{signed(answered.packets)} back: the receiver itself did not answer",
        (
            Candidate(
                Where(node=asked.node, kind="link", device=asked.device),
                "a setting, a rule or a missing program inside the receiver",
                "inside the receiver (kubectl exec, or nsenter -n -t PID): iptables-save -c; "
                "sysctl net.ipv4.icmp_echo_ignore_all; ss -lntu; tcpdump -ni eth0",
            ),
        ),
    )


def _nowhere(nodes: Sequence[NodeHits], flow: Flow) -> Ahead:
    ends = [end.node for end in (flow.source, flow.target) if end is not None]
    names = list(dict.fromkeys(ends))
    return Ahead(
        f"no rule, policy or kernel check on {' and '.join(names)} is seen to have taken the packets, and no "
        "complete answer was seen either",
        tuple(_beyond(name, flow) for name in names),
        ("how many packets were sent: --packets",) if not likely_packets(nodes) else (),
    )


def _beyond(node: str, flow: Flow) -> Candidate:
    return Candidate(
        Where(node=node, kind="bpf"),
        "a BPF program, the network between the nodes, or rules that were not captured took them",
        f"on {node}: cilium monitor --type drop; tcpdump -ni any host {flow.dst}; nft list ruleset; "
        "iptables-legacy-save -c",
    )


def _node(nodes: Sequence[NodeHits], name: str | None) -> NodeHits | None:
    return next((node for node in nodes if node.name == name), None)

"""Where along a flow a place lies, and whether the flow can have come so far.

The request meets the sender's node, the tunnel, the receiver's node; then the reply goes back. Devices
between the places count what passed them: a place behind a device that carried less than was lost there
cannot have taken these packets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from calitop.hits.ends import End, is_underlay
from calitop.hits.flow import Flow
from calitop.hits.moved import LegName, NodeHits, Way
from calitop.model.rules import HOOKS
from calitop.verdict.loss import Loss
from calitop.verdict.trail import errors_of

_TUNNELS = ("ipip", "vxlan", "geneve", "wireguard")
_BEGIN, _END = -1, len(HOOKS)
Step = tuple[int, int, int, int]
"""LegName, node along the leg, inside or outside of the tunnel as they come there, hook."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A device that every packet of the flow passes."""

    step: Step
    node: str
    device: str
    """Or several, as words."""
    packets: int
    """At most so many of the flow: other traffic counts too."""
    leg: LegName

    def __str__(self) -> str:
        return f"{self.device} on {self.node}"


def can_be_of(loss: Loss, checkpoints: Sequence[Checkpoint], flow: Flow) -> bool:
    """Whether so many packets of the flow can have come to a place; True where that is open.

    A place that only errors about the flow can meet took none of the flow itself.
    """
    steps = [step for way in loss.ways if way.leg != "error" for step in _steps(loss, way, flow)]
    return not loss.ways or any(step is None or _comes_to(step, loss.packets, checkpoints) for step in steps)


def _comes_to(step: Step, packets: int, checkpoints: Sequence[Checkpoint]) -> bool:
    return all(each.packets >= packets for each in checkpoints if each.step < step)


def is_answer_to(later: Loss, first: Loss, nodes: Sequence[NodeHits]) -> bool:
    """Whether a place can have taken what `first`'s node told the sender about the loss."""
    told = sum(errors_of(node) for node in nodes if node.name == first.where.node)
    back = any(way.leg == "error" or (way.outer and way.leg != "request") for way in later.ways)
    return back and told >= later.packets


def _steps(loss: Loss, way: Way, flow: Flow) -> Iterator[Step | None]:
    """Where along the flow the place is met; None where that is not known."""
    legs: tuple[LegName, ...] = (way.leg,) if way.leg else ("request", "reply")
    for leg in legs:
        yield _step(leg, loss.where.node, way, flow)


def _step(leg: LegName, node: str | None, way: Way, flow: Flow) -> Step | None:
    source, target = flow.source, flow.target
    if source is None or target is None:
        return None
    near, far = (source, target) if leg == "request" else (target, source)
    if node not in (near.node, far.node):
        return None
    rank = 0 if node == near.node else 1
    return (int(leg == "reply"), rank, int(way.outer is (rank == 0)), HOOKS.index(way.hook))


def checkpoints_of(nodes: Sequence[NodeHits], flow: Flow | None) -> list[Checkpoint]:
    """The devices that count the flow, in the order in which it passes them; none where an end is unknown."""
    if flow is None or flow.source is None or flow.target is None:
        return []
    return [
        *_of_leg(nodes, flow.source, flow.target, "request"),
        *_of_leg(nodes, flow.target, flow.source, "reply"),
    ]


def _of_leg(nodes: Sequence[NodeHits], near: End, far: End, leg: LegName) -> Iterator[Checkpoint]:
    number = int(leg == "reply")
    here, there = (next(node for node in nodes if node.name == end.node) for end in (near, far))
    if near.device and not near.own:
        yield Checkpoint((number, 0, 0, _BEGIN), here.name, near.device, _rx(here, [near.device]), leg)
    if here is not there:
        yield from _between(here, there, number, leg)
    if far.device and not far.own:
        step = (number, int(here is not there), int(here is not there), _END)
        yield Checkpoint(step, there.name, far.device, _tx(there, [far.device]), leg)


def _between(here: NodeHits, there: NodeHits, number: int, leg: LegName) -> Iterator[Checkpoint]:
    """The tunnel's and the physical devices of both nodes.

    What goes without a tunnel passes the physical devices alone, so their surplus counts as well.
    """
    out, wired_out = _tx(here, _tunnels(here)), _tx(here, _wires(here))
    came, wired_in = _rx(there, _tunnels(there)), _rx(there, _wires(there))
    names = [_names(here), _names(here, False), _names(there, False), _names(there)]
    yield Checkpoint((number, 0, 0, _END), here.name, names[0], max(out, wired_out), leg)
    yield Checkpoint((number, 0, 1, _END), here.name, names[1], wired_out, leg)
    yield Checkpoint((number, 1, 0, _BEGIN), there.name, names[2], wired_in, leg)
    yield Checkpoint((number, 1, 0, _END), there.name, names[3], came + max(0, wired_in - out), leg)


def _names(node: NodeHits, tunnels: bool = True) -> str:
    found = [device for device in _tunnels(node) if device in node.links] if tunnels else []
    return " and ".join(found or _wires(node)) or "the network device"


def _tunnels(node: NodeHits) -> list[str]:
    return [link.name for link in node.after.links if node.index.role_of_link(link) in _TUNNELS]


def _wires(node: NodeHits) -> list[str]:
    return [link.name for link in node.after.links if is_underlay(node, link.name)]


def _rx(node: NodeHits, devices: Sequence[str]) -> int:
    moved = [node.links[device] for device in devices if device in node.links]
    return sum((each.rx_packets or 0) + (each.rx_dropped or 0) for each in moved)


def _tx(node: NodeHits, devices: Sequence[str]) -> int:
    """Packets handed to the devices; what a tunnel could not send on counts as dropped there."""
    moved = [node.links[device] for device in devices if device in node.links]
    return sum((each.tx_packets or 0) + (each.tx_dropped or 0) for each in moved)

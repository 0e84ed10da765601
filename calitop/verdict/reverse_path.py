"""The kernel's reverse-path filter on a node: on which device it dropped, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from calitop.hits.ends import End, is_underlay, is_workload
from calitop.hits.flow import Flow
from calitop.hits.moved import NodeHits
from calitop.model.values import Address
from calitop.path.packet import NO_DEVICE, Packet
from calitop.path.rp_filter import RpAnswer, check, mode
from calitop.path.three import Truth, some
from calitop.path.world import World

TUNNEL_ROLES = ("ipip", "vxlan", "geneve", "wireguard")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the settings and routes say about drops by the filter."""

    device: str | None = None
    """None where several devices could be meant."""
    why: str = ""
    facts: tuple[str, ...] = ()
    possible: Truth = None
    """Whether the filter refuses a packet of the flow there; None where unknown or no flow is given."""


def explain(node: NodeHits, flow: Flow | None) -> Explanation:
    """The device on which the filter must have dropped."""
    world = World(node.after)
    if flow is None:
        return _by_settings(node, world)
    answers = list(_checks(node, world, flow))
    refusing = [(device, answer) for device, answer in answers if answer.refusal == "rp_filter"]
    devices = _inner_first(node, [device for device, _ in refusing])
    if devices:
        device = devices[0]
        answer = next(answer for name, answer in refusing if name == device)
        facts = (_settings(node, device), answer.because)
        return Explanation(device if len(devices) == 1 else None, answer.because, facts, possible=True)
    return Explanation(
        possible=some(answer.passes is False or None for _, answer in answers if not answer.passes)
    )


def _inner_first(node: NodeHits, devices: list[str]) -> list[str]:
    """The devices that can be meant: what a tunnel brought came in by the tunnel, not by Cilium's BPF.

    Packets that Cilium's tunnel device receives are delivered by BPF and never routed.
    """
    found = list(dict.fromkeys(devices))
    routed = [device for device in found if not device.startswith("cilium_")]
    return routed or found


def _by_settings(node: NodeHits, world: World) -> Explanation:
    """Without a flow: the only device that received packets and has the filter on."""
    on = [device for device in _receiving(node) if mode(world, device) != 0]
    if len(on) != 1:
        return Explanation()
    return Explanation(on[0], _settings(node, on[0]), (_settings(node, on[0]),))


def _checks(node: NodeHits, world: World, flow: Flow) -> Iterator[tuple[str, RpAnswer]]:
    """The kernel's check for each device that the requests or the replies can have come in by."""
    for device in _receiving(node):
        for src, dst, end in ((flow.src, flow.dst, flow.source), (flow.dst, flow.src, flow.target)):
            if _could_come_by(node, device, end):
                yield device, check(world, _packet(flow, src, dst, device), device)


def _packet(flow: Flow, src: Address, dst: Address, device: str) -> Packet:
    return Packet(family=flow.family, src=src, dst=dst, iif=device, oif=NO_DEVICE, tos=0)


def _receiving(node: NodeHits) -> list[str]:
    return [device for device, delta in node.links.items() if delta.rx_packets and device != "lo"]


def _could_come_by(node: NodeHits, device: str, end: End | None) -> bool:
    """Whether packets of an end of the flow can come in by a device.

    By a pod's link come that pod's own; from other nodes packets come by a physical device only
    where no tunnel brought any.
    """
    if end is not None and end.node == node.name:
        return end.device == device or (end.device is None and is_workload(node, device))
    if is_workload(node, device):
        return False
    tunnelled = any(_role(node, other) in TUNNEL_ROLES for other in _receiving(node))
    return not (tunnelled and is_underlay(node, device))


def _role(node: NodeHits, device: str) -> str | None:
    link = node.after.link(device)
    return node.index.role_of_link(link) if link is not None else None


def _settings(node: NodeHits, device: str) -> str:
    scopes = dict.fromkeys((device, "all"))
    words = [f"{scope} {_value(node, scope)}" for scope in scopes]
    return f"rp_filter: {', '.join(words)}; the larger counts"


def _value(node: NodeHits, scope: str) -> str:
    return node.after.sysctls.get(f"net.ipv4.conf.{scope.replace('.', '/')}.rp_filter", "not read")

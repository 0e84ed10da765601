"""Devices on which a BPF program or a traffic filter meets packets before or behind all rules.

What a BPF program decides cannot be known: there the way parts. A filter that compares header fields
(u32) is read like a rule; one that cannot match the packet is no parting.

Source: tc-u32(8), tc-mirred(8); Cilium's bpf/lib/common.h and pass_to_stack for the marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from calitop.cni.names import link_owner, link_role
from calitop.model.node import BpfAttachment
from calitop.model.place import Where
from calitop.path.bits import UNKNOWN
from calitop.path.flight import Condition, End, Flight
from calitop.path.node import Node
from calitop.path.packet import Packet
from calitop.path.steps import Step
from calitop.path.three import Truth, every

Direction = Literal["ingress", "egress"]

CILIUM_MARK = 0xFFFF0FFF
"""Bits that Cilium may have written when it hands a packet to the stack: identity and the 0xf00 field."""

_SAVED = "`calitop save` reads it, looking at a live node does not"

_U32 = re.compile(r"match ([0-9a-f]{8})/([0-9a-f]{8}) at (\d+)")
_REDIRECT = re.compile(r"\b(Egress|Ingress) Redirect to device (\S+?)\)")
_DROPS = re.compile(r"\baction (?:drop|shot)\b")


@dataclass(frozen=True, slots=True)
class Met:
    """What becomes of the ways at a device; programs are asked before filters, as tcx is before clsact."""

    on: list[Flight]
    """They go on in the kernel's own stack."""
    ended: list[End]


def meet(node: Node, flight: Flight, dev: str, direction: Direction) -> Met:
    """What programs and filters on a device do with a packet.

    Args:
        node: The node.
        flight: The way so far.
        dev: The device.
        direction: Whether it comes in by the device or goes out.
    """
    found = [one for one in node.state.bpf if one.dev in (dev, None) and one.direction in (direction, None)]
    filters = [one for one in found if _is_filter(one)]
    programs = [one for one in found if one.dev == dev and not _is_filter(one) and _decides(one)]
    if programs or (not filters and not _attachments_read(node) and link_owner(dev) == "cilium"):
        met = _by_program(node, flight, dev, direction, programs)
    else:
        met = Met([flight], [])
    for one in filters:
        if one.dev == dev or _may_have_filters(dev):
            met = _behind_filter(node, met, dev, direction, one)
    return met


def _attachments_read(node: Node) -> bool:
    """Whether what is attached to devices was captured at all."""
    kinds = ("bpftool net", "tc filter", "bpftool-net", "tc-filter")
    return any((one.kind or "").startswith(kinds) for one in node.state.files)


def _may_have_filters(dev: str) -> bool:
    """Whether a filter of which the device was not told may sit here: only on those of Cilium."""
    return link_owner(dev) == "cilium"


# -- filters


def _is_filter(one: BpfAttachment) -> bool:
    return one.kind in ("u32", "flower", "matchall", "basic")


def _decides(one: BpfAttachment) -> bool:
    return one.kind not in ("clsact", "ingress")


def _fits(one: BpfAttachment, packet: Packet) -> Truth:
    """Whether a filter takes a packet; None where its words are not understood."""
    text = one.text or ""
    if one.kind == "matchall":
        return True
    found = _U32.findall(text)
    if not found:
        return False if one.kind == "u32" and "match" not in text else None
    return every(_word_fits(int(value, 16), int(mask, 16), int(at), packet) for value, mask, at in found)


def _word_fits(value: int, mask: int, offset: int, packet: Packet) -> Truth:
    """A comparison of four bytes of the IPv4 header; source at 12, destination at 16."""
    address = {12: packet.src, 16: packet.dst}.get(offset)
    if packet.family != "ipv4":
        return False
    return None if address is None else int(address) & mask == value


def _behind_filter(node: Node, met: Met, dev: str, direction: Direction, one: BpfAttachment) -> Met:
    """The ways behind a filter: ended by it, or on where it does not fit or only looks."""
    on: list[Flight] = []
    ended = list(met.ended)
    for flight in met.on:
        fits = _fits(one, flight.packet)
        if fits is None:
            asked = ("filter", node.name, dev, direction, one.text, flight.packet.ends)
            words = f"a traffic filter on {dev} of {node.name}"
            on.append(flight.assuming(Condition(asked, 0, 2, f"{words} does not fit", "tc filter show")))
            flight = flight.assuming(Condition(asked, 1, 2, f"{words} fits", "tc filter show"))
        behind = flight if fits is False else _by_filter(node, flight, dev, direction, one)
        if isinstance(behind, End):
            ended.append(behind)
        else:
            on.append(behind)
    return Met(on, ended)


def _by_filter(
    node: Node, flight: Flight, dev: str, direction: Direction, one: BpfAttachment
) -> Flight | End:
    """What a filter that fits does."""
    redirect = _REDIRECT.search(one.text or "")
    if redirect is not None:
        text = f"a traffic filter takes the packet to {redirect[2]} past the rules"
        step = _step(node, flight, direction, f"taken on {dev} to {redirect[2]}", text)
        because = f"handed to {_whose(dev)} at {dev} of {node.name}: {text}"
        return End(flight.took(step), "undecided", _where(node, dev), because, _collect(node, dev))
    if _DROPS.search(one.text or ""):
        because = f"a traffic filter on {dev} of {node.name} drops it"
        step = _step(node, flight, direction, f"dropped on {dev}", because)
        return End(flight.took(step), "dropped", _where(node, dev), because)
    if "skbedit" in (one.text or "") or one.kind == "flow":
        return replace(flight, packet=replace(flight.packet, mark=UNKNOWN), epoch=flight.epoch + 1)
    return flight


# -- programs


def _by_program(
    node: Node, flight: Flight, dev: str, direction: Direction, programs: Sequence[BpfAttachment]
) -> Met:
    named = ", ".join(one.name or one.kind for one in programs)
    asked = ("bpf", node.name, dev, direction, flight.packet.ends)
    unread = () if programs else (f"tc filter show and bpftool net on {node.name} ({_SAVED})",)
    missing = (*unread, *_collect(node, dev))
    whose = f"BPF on {dev} of {node.name}"
    taken = flight.assuming(Condition(asked, 1, 2, f"{whose} takes the packet", missing[0]))
    step = _step(node, taken, direction, f"taken by BPF on {dev}", _would_do(dev, direction))
    told = f" ({named})" if named else f" (by its name; what is attached there was not read: {_SAVED})"
    because = f"handed to {whose}{told}: {_would_do(dev, direction)}"
    end = End(taken.took(step), "undecided", _where(node, dev), because, missing)
    passed = flight.assuming(Condition(asked, 0, 2, f"{whose} leaves it to the stack", missing[0]))
    mark = passed.packet.mark.forget(CILIUM_MARK if link_owner(dev) == "cilium" else 0xFFFFFFFF)
    packet = replace(passed.packet, mark=mark)
    words = "goes on in the stack; the mark may carry what BPF wrote"
    step = _step(node, passed, direction, f"past BPF on {dev}", words)
    return Met([replace(passed.took(step), packet=packet, epoch=passed.epoch + 1)], [end])


def _would_do(dev: str, direction: Direction) -> str:
    role = link_role(dev, None)
    if role == "workload" and direction == "egress":
        return "Cilium would apply the pod's policy and deliver it"
    if role == "workload":
        return "Cilium would look the destination up in its ipcache and may encapsulate the packet itself"
    if role == "cilium host":
        return "Cilium would send it through its own tunnel or to a pod of this node"
    return "what the program does is not in the files"


def _whose(dev: str) -> str:
    return "BPF" if link_owner(dev) == "cilium" else "a traffic filter"


def _where(node: Node, dev: str) -> Where:
    return Where(node=node.name, kind="bpf", device=dev)


def _collect(node: Node, dev: str) -> tuple[str, ...]:
    return (
        f"link counters of {dev} on {node.name} before and after a ping",
        f"cilium bpf ipcache list on {node.name}",
        f"cilium monitor --type drop on {node.name}",
    )


def _step(node: Node, flight: Flight, direction: Direction, action: str, text: str) -> Step:
    hook = "INGRESS" if direction == "ingress" else "EGRESS"
    return Step(node=node.name, kind="bpf", hook=hook, action=action, text=text, packet=flight.packet)


def redirects(node: Node) -> Iterator[tuple[int, int, str]]:
    """Destinations that filters send to a device: (address, mask, device); they tell where pods are."""
    for one in node.state.bpf:
        redirect = _REDIRECT.search(one.text or "")
        for value, mask, offset in _U32.findall(one.text or "") if redirect else ():
            if int(offset) == 16 and redirect is not None:
                yield int(value, 16), int(mask, 16), redirect[2]

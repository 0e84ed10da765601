"""The kernel's reverse-path filter on a node: which device, and why it refuses a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from calitop.hits.moved import NodeHits
from calitop.model.spec import Address
from calitop.verdict.ends import best_route
from calitop.verdict.flow import Flow

TUNNEL_ROLES = ("ipip", "vxlan", "geneve", "wireguard")
_NAMES = {0: "off", 1: "strict", 2: "loose"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the settings and routes say about drops by the filter."""

    device: str | None = None
    """None where several devices could be meant."""
    why: str = ""
    facts: tuple[str, ...] = ()
    possible: bool | None = None
    """Whether the filter refuses a packet of the flow there; None where unknown or no flow is given."""


def explain(node: NodeHits, flow: Flow | None) -> Explanation:
    """The device on which the filter must have dropped."""
    refused = list(_refused(node, flow)) if flow else []
    if refused:
        device, source = refused[0]
        if len({device for device, _ in refused}) == 1:
            return _explained(node, device, source)
        return Explanation(possible=True)
    candidates = [device for device in _receiving(node) if effective(node, device) != 0]
    possible = False if flow and _all_known(node) else None
    if len(candidates) == 1 and possible is not False:
        return Explanation(candidates[0], _setting(node, candidates[0]), (_setting(node, candidates[0]),))
    return Explanation(possible=possible)


def effective(node: NodeHits, device: str) -> int | None:
    """The value that counts, the larger of all and the device; None where it was not read."""
    values = [_value(node, "all"), _value(node, device)]
    known = [value for value in values if value is not None]
    if len(known) == 2 or 2 in known:
        return max(known)
    return None


def _value(node: NodeHits, scope: str) -> int | None:
    text = node.after.sysctls.get(f"net.ipv4.conf.{scope.replace('.', '/')}.rp_filter", "")
    return int(text) if text.isdigit() else None


def _receiving(node: NodeHits) -> list[str]:
    return [device for device, delta in node.links.items() if delta.rx_packets and device != "lo"]


def _refused(node: NodeHits, flow: Flow) -> Iterator[tuple[str, Address]]:
    """Devices that received packets, with the end of the flow whose packets they must refuse."""
    for device in _receiving(node):
        for source, end in ((flow.src, flow.source), (flow.dst, flow.target)):
            if end is not None and end.node == node.name and end.device not in (None, device):
                continue
            if _could_come_by(node, device) and _refuses(node, device, source):
                yield device, source


def _could_come_by(node: NodeHits, device: str) -> bool:
    """A pod's packets come by a physical device only where no tunnel brought any."""
    role = _role(node, device)
    tunnelled = any(_role(node, other) in TUNNEL_ROLES for other in _receiving(node))
    return role not in (None, "loopback") and not (role == "physical" and tunnelled)


def _role(node: NodeHits, device: str) -> str | None:
    link = node.after.link(device)
    return node.index.role_of_link(link) if link is not None else None


def _refuses(node: NodeHits, device: str, source: Address) -> bool:
    value = effective(node, device)
    if not value:
        return False
    route = best_route(node, source)
    if route is None:
        return True
    if route.dev == device:
        return False
    # Loose acts as strict on a device without any IPv4 address (__fib_validate_source, last_resort).
    return value == 1 or not _has_address(node, device)


def _has_address(node: NodeHits, device: str) -> bool:
    link = node.after.link(device)
    return link is not None and any(":" not in address for address in link.addresses)


def _all_known(node: NodeHits) -> bool:
    return all(effective(node, device) is not None for device in _receiving(node)) and bool(node.after.routes)


def _explained(node: NodeHits, device: str, source: Address) -> Explanation:
    route = best_route(node, source)
    way = (
        f"the way back to {source} is {route.dev or route.type}"
        if route
        else f"there is no way back to {source}"
    )
    setting = _setting(node, device)
    return Explanation(device, f"{way}, and {setting}", (setting, way), possible=True)


def _setting(node: NodeHits, device: str) -> str:
    value = effective(node, device)
    own, every = _value(node, device), _value(node, "all")
    words = f"rp_filter is {'unknown' if value is None else value} there ({device} {own}, all {every})"
    if value == 2 and not _has_address(node, device):
        return f"{words}: loose, but strict on a device without an IPv4 address"
    return f"{words}: {_NAMES[value]}" if value in _NAMES else words

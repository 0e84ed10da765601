"""Where a node's routing sends the packets of a flow, as far as that is certain."""

from __future__ import annotations

from dataclasses import dataclass

from calitop.hits.ends import End
from calitop.hits.flow import Flow
from calitop.hits.moved import NodeHits
from calitop.model.network import Link, Route
from calitop.model.values import Address
from calitop.path.bits import UNKNOWN
from calitop.path.routing import lookup
from calitop.path.world import World


@dataclass(frozen=True, slots=True)
class Leg:
    """One certain routing decision about packets that come from a pod of the node."""

    to: Address
    route: Route
    dev: str
    gateway: str | None
    outer: str | None
    """Where the outer packet goes to; None without a tunnel, and where that is not certain."""
    sent: int | None
    """Packets that the device sent, of this flow or others; None when not known to have moved."""

    def __str__(self) -> str:
        by = f" via {self.gateway}" if self.gateway else ""
        outer = f", outer packet to {self.outer}" if self.outer else ""
        sent = f"  tx +{self.sent}" if self.sent is not None else ""
        return f"to {self.to}: {self.route.dst}{by} dev {self.dev}{outer}{sent}"


def legs(node: NodeHits, flow: Flow) -> tuple[Leg, ...]:
    """The request's way from the sender's node, the reply's from the receiver's.

    Nothing where it depends on something that is not known, such as the packet's mark.
    """
    ways = ((flow.source, flow.src, flow.dst), (flow.target, flow.dst, flow.src))
    found = [_leg(node, end, src, dst) for end, src, dst in ways if end is not None and end.node == node.name]
    return tuple(leg for leg in found if leg is not None)


def _leg(node: NodeHits, end: End, src: Address, dst: Address) -> Leg | None:
    if end.own or end.device is None:
        return None
    way = lookup(World(node.after), dst, src, iif=end.device, mark=UNKNOWN).way
    if way is None or way.route is None or way.error is not None or way.dev is None:
        return None
    sent = node.links[way.dev].tx_packets if way.dev in node.links else None
    return Leg(dst, way.route, way.dev, way.gateway, _outer(node.after.link(way.dev), way.gateway), sent)


def _outer(link: Link | None, gateway: str | None) -> str | None:
    """IPIP without a fixed other end sends to the gateway (ip_tunnel_xmit, net/ipv4/ip_tunnel.c)."""
    if link is None or link.kind != "ipip":
        return None
    fixed = dict(link.info).get("remote", "any")
    return gateway if fixed in ("any", "0.0.0.0") else fixed

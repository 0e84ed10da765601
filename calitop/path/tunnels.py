"""Tunnels: the outer packet that a device makes, and what becomes of the inner one at the other end.

The outer packet is a packet of its own that the node itself sends; it takes the inner packet's mark
along, and the mark of the outer one stays on what is unpacked, as long as the network namespace is one.

Source: ip_tunnel_xmit in net/ipv4/ip_tunnel.c, iptunnel_xmit in ip_tunnel_core.c, vxlan_xmit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address

from calitop.cni.names import link_role
from calitop.model.network import IpFamily, Link
from calitop.model.values import Address
from calitop.path.flight import Flight
from calitop.path.node import Node
from calitop.path.packet import IPIP, UDP, Packet
from calitop.path.routing import lookup
from calitop.path.steps import Step


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of tunnel wraps packets."""

    protocol: int
    port: int | None
    overhead: int
    """Bytes in front of the inner packet, outer IPv4 header included."""
    carries: frozenset[IpFamily] = frozenset(("ipv4", "ipv6"))


KINDS = {
    "ipip": Kind(IPIP, None, 20, frozenset(("ipv4",))),
    "gre": Kind(47, None, 24),
    "vxlan": Kind(UDP, 4789, 50),
    "geneve": Kind(UDP, 6081, 50),
    "wireguard": Kind(UDP, 51820, 60),
}
"""Source of the ports: IANA; a device's own stands in its link info."""


_LONGER = 20
"""Bytes by which the header of IPv6 is longer than that of IPv4."""


def kind_of(node: Node, dev: str) -> str | None:
    """The kind of tunnel that a device is; None for every other device."""
    link = node.world.links.get(dev)
    role = link_role(dev, link.kind if link else None)
    return role if role in KINDS else None


def carries(node: Node, dev: str, family: IpFamily) -> bool:
    """Whether a tunnel's device wraps packets of a family."""
    kind = kind_of(node, dev)
    return kind is not None and family in KINDS[kind].carries


def encapsulated(
    node: Node, flight: Flight, dev: str, remote: Address | None, local: Address | None
) -> Flight:
    """The way with the outer packet, the inner one kept inside.

    Args:
        node: The node with the device.
        flight: The way with the inner packet.
        dev: The tunnel's device.
        remote: The outer destination; None where it is not known.
        local: The outer source; None to have it chosen by the route.
    """
    kind, inner = KINDS[kind_of(node, dev) or "ipip"], flight.packet
    is_v4 = remote is None or remote.version == 4
    outer = Packet(
        family="ipv4" if is_v4 else "ipv6",
        src=local or _own_address(node, dev, remote),
        dst=remote,
        protocol=kind.protocol,
        dport=_port(node.world.links.get(dev), kind),
        mark=inner.mark,
        length=None if inner.length is None else inner.length + kind.overhead + (0 if is_v4 else _LONGER),
        ttl=64,
        tos=inner.tos,
        dont_fragment=inner.dont_fragment,
        fragment=False,
        has_socket=False,
    )
    text = f"{dev} wraps it for {remote or 'an unknown address'}"
    step = Step(node=node.name, kind="encapsulate", action=f"by {dev}", text=text, packet=inner)
    return replace(flight.took(step), packet=outer, inside=(*flight.inside, inner))


def decapsulated(node: Node, flight: Flight) -> tuple[Flight, str] | None:
    """The way with the inner packet and the device it comes in by; None where the node has no such tunnel."""
    kind = next((name for name, one in KINDS.items() if _carries(one, flight.packet)), None)
    sent_by = _kind_sent(flight)
    dev = _device(node, sent_by or kind or "", flight.packet.dst)
    if dev is None:
        return None
    inner = replace(flight.inside[-1], mark=flight.packet.mark)
    text = f"{dev} unwraps it"
    step = Step(
        node=node.name, kind="decapsulate", hook="INPUT", action=f"by {dev}", text=text, packet=flight.packet
    )
    return replace(flight.took(step), packet=inner, inside=flight.inside[:-1]), dev


def remote_of(link: Link | None) -> Address | None:
    """The one remote end that a tunnel's link itself names, if any."""
    return _info(link, "remote")


def local_of(link: Link | None) -> Address | None:
    """The outer source that a tunnel's link itself names, if any."""
    return _info(link, "local")


def _info(link: Link | None, name: str) -> Address | None:
    told = dict(link.info) if link is not None else {}
    text = told.get(name) or told.get(f"{name}6")
    try:
        found = ip_address(text) if text else None
    except ValueError:
        return None
    return None if found is None or found.is_unspecified else found


def _port(link: Link | None, kind: Kind) -> int | None:
    told = dict(link.info).get("port") if link is not None else None
    return int(told) if told and told.isdigit() else kind.port


def _own_address(node: Node, dev: str, remote: Address | None) -> Address | None:
    own = local_of(node.world.links.get(dev))
    way = lookup(node.world, remote).way if own is None and remote is not None else None
    return own if own is not None else ip_address(way.src) if way is not None and way.src else None


def _carries(kind: Kind, packet: Packet) -> bool:
    return kind.protocol == packet.protocol and kind.port in (None, packet.dport)


def _kind_sent(flight: Flight) -> str | None:
    """The kind of the device that wrapped it, told by the newest such step."""
    trail = flight.trail
    while trail is not None and trail.step.kind != "encapsulate":
        trail = trail.before
    return None if trail is None else link_role(trail.step.action.removeprefix("by "), None)


def _device(node: Node, kind: str, dst: Address | None) -> str | None:
    """The node's device of a kind, the one that names the outer destination as its own before others."""
    named = [name for name in node.world.links if kind_of(node, name) == kind]
    own = (name for name in named if dst is not None and local_of(node.world.links[name]) == dst)
    return next(own, named[0] if named else None)

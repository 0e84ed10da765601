"""What may stop a tunnelled packet at a node that was not given, as far as this node tells.

Nodes of a cluster are made alike: whose devices lead to the pods of a CNI here lead to them there. A
source that is reached by another device than the tunnel fails a strict reverse-path check there.
"""

from __future__ import annotations

from collections.abc import Iterator

from calitop.cni.names import link_owner
from calitop.model.place import Where
from calitop.model.values import Address
from calitop.path.flight import Condition, End, Flight
from calitop.path.node import Node
from calitop.path.routing import lookup


def ends_beyond(node: Node, flight: Flight, dev: str, hop: Address | None, there: str) -> Iterator[End]:
    """How a packet may end that leaves the nodes given.

    Args:
        node: The last node given.
        flight: The way so far.
        dev: The device by which it leaves.
        hop: To whom.
        there: Name of the next node, or its address.
    """
    where = Where(node=node.name, kind="link", device=dev)
    left = f"it leaves the nodes given by {dev} of {node.name} to {hop}"
    tunnel, src = _tunnel(flight), flight.inside[-1].src if flight.inside else None
    back = _reached_by(node, src) if tunnel is not None else None
    if tunnel is None or back is None or back == tunnel:
        yield End(flight, "left", where, left)
        return
    asked = ("beyond", there, tunnel)
    settings = f"sysctl -a of {there} (rp_filter of all and {tunnel})"
    strict = flight.assuming(Condition(asked, 1, 2, f"rp_filter on {tunnel} of {there} is strict", settings))
    lost = Where(node=there, kind="kernel", name="rp_filter", device=tunnel)
    because = (
        f"{there} was not given; if it is like {node.name}, it reaches {src} by {back}, and then a strict "
        f"rp_filter on {tunnel} drops what comes in there, which no rule's counter shows"
    )
    wanted = (
        f"ip route get {src} on {there}",
        f"iptables-save -c of {there}, whole, before and after a ping",
    )
    yield End(strict, "dropped", lost, because, wanted)
    loose = Condition(asked, 0, 2, f"rp_filter on {tunnel} of {there} is not strict", settings)
    yield End(flight.assuming(loose), "left", where, left, wanted)


def _tunnel(flight: Flight) -> str | None:
    """The device that wrapped the packet."""
    trail = flight.trail if flight.inside else None
    while trail is not None and trail.step.kind != "encapsulate":
        trail = trail.before
    return None if trail is None else trail.step.action.removeprefix("by ")


def _reached_by(node: Node, src: Address | None) -> str | None:
    """The device by which nodes like this one reach the pods of the source's CNI on other nodes."""
    owners = {link_owner(way.dev) for way in lookup(node.world, src).ways if way.dev}
    for route in node.state.routes:
        owner = link_owner(route.dev) if route.gateway and route.dev else None
        if owner is not None and owner in owners:
            return route.dev
    return None

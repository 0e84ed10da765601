"""What routing answers, as a step of a packet's way or as its end."""

from __future__ import annotations

from calitop.model.place import Where
from calitop.path.flight import End, Flight
from calitop.path.node import Node
from calitop.path.policy import UNKNOWN_WAY, Way
from calitop.path.routing import RouteAnswer
from calitop.path.steps import PathVerdict, Step

_NAMES = {"forwarding_off": "no_forwarding", "bad_source": "martian_source"}
_BY_DEVICE = ("rp_filter", "martian_source", "martian_destination", "forwarding_off")
"""What is refused for the device that it came in by."""
_REJECTING = ("unreachable", "prohibit")
_WORDS = {
    "no_route": "there is no route",
    "blackhole": "a blackhole route discards it",
    "unreachable": "an unreachable route refuses it and answers so",
    "prohibit": "a prohibit route refuses it and answers so",
    "rp_filter": "the reverse-path check refuses its source",
    "martian_source": "its source may not come in here",
    "martian_destination": "its destination may not come in here",
    "forwarding_off": "forwarding is off",
    "bad_source": "its source is no address of this node",
}


def route_step(node: Node, flight: Flight, way: Way) -> Step:
    """The step of a packet that routing sends on."""
    return _step(node, flight, way, _action(way))


def end_of_way(node: Node, flight: Flight, way: Way, answer: RouteAnswer) -> End:
    """The end of a packet that routing refuses, or of which it is not known where it goes."""
    dst = flight.packet.dst
    if way.type == UNKNOWN_WAY:
        missing = tuple(f"{name} on {node.name}" for name in (*way.missing, *answer.missing))
        why = "; ".join(way.depends) or "the routes were not captured"
        because = f"where {node.name} sends a packet to {dst or 'an unknown address'} is not known: {why}"
        return End(
            flight, "undecided", None, because, missing or (f"ip route show table all on {node.name}",)
        )
    verdict: PathVerdict = "rejected" if way.type in _REJECTING else "dropped"
    stepped = flight.took(_step(node, flight, way, way.type))
    return End(stepped, verdict, _where(node, flight, way), _because(node, flight, way))


def _where(node: Node, flight: Flight, way: Way) -> Where:
    device = flight.packet.iif if way.type in _BY_DEVICE else None
    return Where(node=node.name, kind="kernel", name=_NAMES.get(way.type, way.type), device=device or None)


def _because(node: Node, flight: Flight, way: Way) -> str:
    packet = flight.packet
    came = f" that came in by {packet.iif}" if packet.iif else ""
    route = f" ({way.route.dst})" if way.route is not None else ""
    why = way.because or _WORDS.get(way.type, way.type)
    verb = "rejects" if way.type in _REJECTING else "drops"
    return f"{node.name} {verb} the packet to {packet.dst}{came}: {why}{route}"


def _step(node: Node, flight: Flight, way: Way, action: str) -> Step:
    return Step(
        node=node.name,
        kind="rp_filter" if way.type == "rp_filter" else "route",
        family=flight.packet.family,
        table=way.table,
        action=action,
        text=_text(flight, way),
        packet=flight.packet,
    )


def _action(way: Way) -> str:
    via = f" via {way.gateway}" if way.gateway else ""
    return "for this node" if way.type in ("local", "broadcast") else f"by {way.dev}{via}"


def _text(flight: Flight, way: Way) -> str:
    route = way.route
    if route is None:
        return way.because or f"to {flight.packet.dst}: {_WORDS.get(way.type, way.type)}"
    kind = "" if route.type in (None, "unicast") else f"{route.type} "
    via = f" via {route.gateway}" if route.gateway else ""
    dev = f" dev {route.dev}" if route.dev else ""
    return f"{kind}{route.dst}{via}{dev}"

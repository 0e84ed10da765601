"""`ip -j [-d] route [show table all]`: routes of both families, by the kernel's own words.

Source: print_route in iproute2's ip/iproute.c; tried with iproute2 6.1 on Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Iterable

from calitop.formats.fragment import Fragment
from calitop.formats.ip_route_words import destination, route_family, settle
from calitop.formats.json_reading import (
    Json,
    JsonObject,
    has_key,
    head_of_json,
    integer,
    mapping,
    objects,
    read_objects,
    spelled,
    string,
    strings,
)
from calitop.formats.reading import Problems, told
from calitop.model.network import IpFamily, NextHop, Route

KIND = "ip route (json)"

_OTHER_NAMES = ("from", "encap", "flow", "expires", "pref", "ttl-propogate", "error", "realm")
_OTHER = frozenset((*_OTHER_NAMES, "metrics"))
_FOREIGN = ("lladdr", "state", "priority", "ifname", "kind", "metadata")


def looks_like(text: str) -> bool:
    """Whether the text is a JSON list of routes."""
    head = head_of_json(text)
    return has_key(head, "dst") and not any(has_key(head, name) for name in _FOREIGN)


def parse(text: str, table: str = "main", family: IpFamily | None = None) -> Fragment:
    """The routes of a JSON listing.

    Args:
        text: What `ip -j route` printed.
        table: Table that was asked for, which the listing itself then does not name.
        family: Family that was asked for, for a `default` that names no address.
    """
    problems = Problems()
    routes: list[Route] = []
    known: list[bool] = []
    for element in read_objects(text, problems, first_wins='"encap"' in text):
        route, is_sure = _route(element, table)
        if route is None:
            problems.add(None, spelled(element), "has no destination that is an address or 'default'")
            continue
        known.append(is_sure)
        routes.append(route)
    return Fragment(problems.all(), routes=told(settle(routes, known, family), problems), richness=8)


def _route(element: JsonObject, table: str) -> tuple[Route | None, bool]:
    """The route of one object, and whether its own words tell its family."""
    get = element.get
    dst = destination(string(get("dst")) or "")
    if dst is None:
        return None, False
    gateway, same_family = _gateway(element) if "via" in element else (string(get("gateway")), True)
    src = string(get("prefsrc"))
    family = route_family(dst, (src, gateway if same_family else None, *_hops(element)))
    if family is None and "pref" in element:
        family = "ipv6"
    mtu, other = _details(element) if _OTHER & element.keys() else (None, ())
    route = Route(
        family or "ipv4",
        dst,
        _named(get("table")) or table,
        string(get("type")) or "unicast",
        (),
        gateway,
        string(get("dev")),
        src,
        _named(get("protocol")),
        _named(get("scope")),
        integer(get("metric")) or 0,
        strings(get("flags")),
        tuple([_next_hop(hop) for hop in objects(get("nexthops"))]) if "nexthops" in element else (),
        integer(get("nhid")),
        mtu,
        # The tos of an encapsulation stands under the same name.
        None if "encap" in element else _named(get("tos")),
        other,
    )
    return route, family is not None


def _gateway(element: JsonObject) -> tuple[str | None, bool]:
    """The gateway, and whether it is of the route's own family (`via` is printed only where not)."""
    if "via" in element:
        return string(mapping(element["via"]).get("host")), False
    return string(element.get("gateway")), True


def _hops(element: JsonObject) -> Iterable[str | None]:
    hops = objects(element["nexthops"]) if "nexthops" in element else ()
    return [string(hop.get("gateway")) for hop in hops]


def _next_hop(hop: JsonObject) -> NextHop:
    return NextHop(
        _gateway(hop)[0], string(hop.get("dev")), integer(hop.get("weight")), strings(hop.get("flags"))
    )


def _named(value: Json) -> str | None:
    """A name or a number as the source has it, as text."""
    if value is None:
        return None
    number = integer(value)
    return string(value) if number is None else str(number)


def _details(element: JsonObject) -> tuple[int | None, tuple[str, ...]]:
    """The MTU, and what calitop does not evaluate."""
    other = [f"{name} {spelled(element[name])}" for name in _OTHER_NAMES if name in element]
    metrics = {name: value for group in objects(element.get("metrics")) for name, value in group.items()}
    mtu = integer(metrics.pop("mtu", None))
    return mtu, (*other, *(f"{name} {spelled(value)}" for name, value in metrics.items()))

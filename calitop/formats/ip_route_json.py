"""`ip -j [-d] route [show table all]`: routes of both families, by the kernel's own words.

Source: print_route in iproute2's ip/iproute.c; tried with iproute2 6.1 on Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Iterable

from calitop.formats.fragment import Fragment
from calitop.formats.ip_route_words import RouteDraft, route_family, settle
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

_OTHER = ("from", "encap", "flow", "expires", "pref", "ttl-propogate", "error", "realm")
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
        draft = _draft(element, table)
        route = draft.route()
        if route is None:
            problems.add(None, spelled(element), "has no destination that is an address or 'default'")
            continue
        known.append(draft.family is not None)
        routes.append(route)
    return Fragment(problems.all(), routes=told(settle(routes, known, family), problems), richness=8)


def _draft(element: JsonObject, table: str) -> RouteDraft:
    get = element.get
    gateway, same_family = _gateway(element)
    draft = RouteDraft(
        string(get("dst")) or "",
        table=_named(get("table")) or table,
        type=string(get("type")) or "unicast",
        gateway=gateway,
        dev=string(get("dev")),
        src=string(get("prefsrc")),
        proto=_named(get("protocol")),
        scope=_named(get("scope")),
        metric=integer(get("metric")) or 0,
        flags=list(strings(get("flags"))),
        nhid=integer(get("nhid")),
        tos=None if "encap" in element else _named(get("tos")),
        other=[f"{name} {spelled(element[name])}" for name in _OTHER if name in element],
    )
    if "nexthops" in element:
        draft.nexthops = [_next_hop(hop) for hop in objects(get("nexthops"))]
    if "metrics" in element:
        _add_metrics(draft, objects(get("metrics")))
    draft.family = route_family(draft.dst, [draft.src, gateway if same_family else None, *_hops(element)])
    if draft.family is None and "pref" in element:
        draft.family = "ipv6"
    return draft


def _gateway(element: JsonObject) -> tuple[str | None, bool]:
    """The gateway, and whether it is of the route's own family (`via` is printed only where not)."""
    via = element.get("via")
    if via is not None:
        return string(mapping(via).get("host")), False
    return string(element.get("gateway")), True


def _hops(element: JsonObject) -> Iterable[str | None]:
    return (string(hop.get("gateway")) for hop in objects(element.get("nexthops")))


def _next_hop(hop: JsonObject) -> NextHop:
    return NextHop(
        _gateway(hop)[0], string(hop.get("dev")), integer(hop.get("weight")), strings(hop.get("flags"))
    )


def _named(value: Json) -> str | None:
    """A name or a number as the source has it, as text."""
    number = integer(value)
    return string(value) if number is None else str(number)


def _add_metrics(draft: RouteDraft, metrics: list[JsonObject]) -> None:
    for name, value in ((name, value) for group in metrics for name, value in group.items()):
        if name == "mtu":
            draft.mtu = integer(value)
        else:
            draft.other.append(f"{name} {spelled(value)}")

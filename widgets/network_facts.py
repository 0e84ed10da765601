"""What the detail pane says of a route and of an interface."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.explain.network_words import explain_link, explain_route, no_way_words
from calitop.model.network import Link, Route
from widgets import numbers
from widgets.facts import LISTED, WIDE, Fact, bpf_facts, chain_words, places, pod_facts
from widgets.signs import Signs
from widgets.view import ChainId, LinkId, View, route_id
from widgets.wording import owner_look, route_way


def route_words(route: Route) -> str:
    """The route in the order and the words of `ip route`."""
    words = [route.dst, route_way(route)]
    words += [f"dev {route.dev}"] if route.dev else []
    words += [f"table {route.table}", f"metric {route.metric}"]
    given = (("proto", route.proto), ("scope", route.scope), ("src", route.src), ("tos", route.tos))
    words += [f"{name} {value}" for name, value in given if value]
    words += [f"mtu {route.mtu}"] if route.mtu is not None else []
    words += [f"nhid {route.nhid}"] if route.nhid is not None else []
    return "  ".join([*words, *route.flags])


def route_facts(view: View, route: Route) -> Iterator[Fact]:
    """Where it leads, its own words, who put it there, and what stands on the way."""
    yield Fact(explain_route(view.index, route), "deny" if no_way_words(route) else "strong")
    yield Fact(route_words(route))
    for hop in route.nexthops:
        weight = "" if hop.weight is None else f"  weight {hop.weight}"
        yield Fact(
            f"way  {hop.gateway or 'on link'}  dev {hop.dev or '?'}{weight}  {' '.join(hop.flags)}".rstrip()
        )
    if owner := view.index.owner_of_route(route):
        yield Fact(f"owner {owner}", owner_look(owner))
    interface = view.index.interface_of_route(route)
    if interface is not None:
        yield Fact(f"interface {interface}", "link", LinkId(interface))
        yield from pod_facts(view, interface)
        yield from _interface_chains(view, interface)


def _interface_chains(view: View, interface: str) -> Iterator[Fact]:
    chains = view.index.chains_of_interface(interface)
    for key in chains:
        words = view.index.role_of_chain(key).words
        yield Fact(f"chain {chain_words(key)}  {words}".rstrip(), "link", ChainId(key))
    if not chains:
        rules = view.index.rules_for_interface(interface)
        if rules:
            yield Fact(f"no chains of its own; {len(rules)} rules match it by -i or -o", "note")
        yield from places(view, rules, "matched by")


def link_facts(view: View, link: Link, signs: Signs) -> Iterator[Fact]:
    """What it is for, its settings and counters, its chains and the routes that leave by it."""
    if said := explain_link(view.index, link):
        yield Fact(said, "strong")
    yield Fact(link_words(view, link))
    yield from pod_facts(view, link.name)
    if owner := view.index.owner_of_link(link):
        yield Fact(f"owner {owner}", owner_look(owner))
    if link.addresses:
        yield Fact("addresses " + "  ".join(link.addresses))
    if link.flags or link.info:
        yield Fact("  ".join([*link.flags, *(f"{name} {value}" for name, value in link.info)]), "dim")
    yield from _link_counters(view, link, signs)
    for one in view.state.bpf:
        if one.dev == link.name:
            words = (one.kind, one.direction, one.name, one.text)
            said = " ".join(word for word in words if word)
            yield Fact(f"{signs.bpf} BPF or filter: {said}", sign="bpf")
    if view.index.role_of_link(link) == "workload":
        yield from bpf_facts(view)
    yield from _interface_chains(view, link.name)
    for route in view.index.routes_of_interface(link.name)[:LISTED]:
        yield Fact(f"route {route.dst} {route_way(route)}", "link", route_id(route))


def link_words(view: View, link: Link) -> str:
    """State and settings of an interface in one line."""
    role = view.index.role_of_link(link)
    known = (
        ("kind", link.kind),
        ("serves as", role if role != link.kind else None),
        ("index", link.index),
        ("mtu", link.mtu),
        ("operstate", link.operstate),
        ("mac", link.mac),
        ("peer", link.peer),
        ("master", link.master),
    )
    state = {True: "up", False: "down", None: "up or down is not told"}[link.up]
    return "  ".join([state, *(f"{name} {value}" for name, value in known if value is not None)])


def _link_counters(view: View, link: Link, signs: Signs) -> Iterator[Fact]:
    now = link.counters if view.counts is None else view.counts.links_now.get(link.name, link.counters)

    def word(value: int | None) -> str:
        return numbers.count(value, WIDE, signs)

    yield Fact(
        f"received {word(now.rx_packets)} packets, {word(now.rx_bytes)} bytes, "
        f"{word(now.rx_dropped)} dropped, {word(now.rx_errors)} errors; "
        f"sent {word(now.tx_packets)} packets, {word(now.tx_bytes)} bytes, "
        f"{word(now.tx_dropped)} dropped, {word(now.tx_errors)} errors"
    )

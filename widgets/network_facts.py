"""What the detail pane says of a route and of an interface."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.explain.network_words import explain_link, explain_route, no_way_words
from calitop.explain.plain_facts import (
    attachment_words,
    hop_words,
    interface_chain_words,
    link_info_words,
    link_words,
    route_way,
    route_words,
    table_lines,
)
from calitop.model.network import Link, Route
from widgets import numbers
from widgets.facts import LISTED, WIDE, Fact, bpf_facts, places, pod_facts
from widgets.signs import Signs
from widgets.view import ChainId, LinkId, View, route_id
from widgets.wording import owner_look


def route_facts(view: View, route: Route) -> Iterator[Fact]:
    """Where it leads, its own words, who put it there, and what stands on the way."""
    yield Fact(explain_route(view.index, route), "deny" if no_way_words(route) else "strong")
    yield Fact(route_words(route))
    for hop in route.nexthops:
        yield Fact(hop_words(hop))
    if owner := view.index.owner_of_route(route):
        yield Fact(f"owner {owner}", owner_look(owner))
    yield from (Fact(line) for line in table_lines(view.index, route))
    interface = view.index.interface_of_route(route)
    if interface is not None:
        yield Fact(f"interface {interface}", "link", LinkId(interface))
        yield from pod_facts(view, interface)
        yield from _interface_chains(view, interface)


def _interface_chains(view: View, interface: str) -> Iterator[Fact]:
    chains = view.index.chains_of_interface(interface)
    for key in chains:
        yield Fact(interface_chain_words(view.index, key), "link", ChainId(key))
    if not chains:
        rules = view.index.rules_for_interface(interface)
        if rules:
            yield Fact(f"no chains of its own; {len(rules)} rules match it by -i or -o", "note")
        yield from places(view, rules, "matched by")


def link_facts(view: View, link: Link, signs: Signs) -> Iterator[Fact]:
    """What it is for, its settings and counters, its chains and the routes that leave by it."""
    if said := explain_link(view.index, link):
        yield Fact(said, "strong")
    yield Fact(link_words(view.index, link))
    yield from pod_facts(view, link.name)
    if owner := view.index.owner_of_link(link):
        yield Fact(f"owner {owner}", owner_look(owner))
    if link.addresses:
        yield Fact("addresses " + "  ".join(link.addresses))
    if said := link_info_words(link):
        yield Fact(said, "dim")
    yield from _link_counters(view, link, signs)
    for one in view.state.bpf:
        if one.dev == link.name:
            yield Fact(f"{signs.bpf} {attachment_words(one)}", sign="bpf")
    if view.index.role_of_link(link) == "workload":
        yield from bpf_facts(view)
    yield from _interface_chains(view, link.name)
    for route in view.index.routes_of_interface(link.name)[:LISTED]:
        yield Fact(f"route {route.dst} {route_way(route)}", "link", route_id(route))


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

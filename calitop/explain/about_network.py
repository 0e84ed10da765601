"""What is told of an interface, a route and a policy rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_interface

from calitop.cni.index import NodeIndex
from calitop.explain.about_rules import called_lines, limited
from calitop.explain.mark_facts import endpoint_facts
from calitop.explain.network_words import explain_ip_rule, explain_link, explain_route
from calitop.explain.plain_facts import (
    attachment_words,
    hop_words,
    interface_chain_words,
    interface_title,
    ip_rule_words,
    link_info_words,
    link_words,
    pod_lines,
    route_title,
    route_way,
    route_words,
    table_lines,
)
from calitop.explain.told import Told
from calitop.model.network import IpRule, Link, Route
from calitop.report.check import ref_words

_IP_RULE = re.compile(r"(?:ip )?rule ([0-9]{1,10})")
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def find_interfaces(index: NodeIndex, what: str) -> Iterator[Told]:
    """The interface of that name, also where only chains or routes tell that it is there."""
    link = index.state.link(what)
    if link is not None or index.chains_of_interface(what) or index.routes_of_interface(what):
        yield about_interface(index, what, link)


def find_routes(index: NodeIndex, what: str) -> Iterator[Told]:
    """The routes to that prefix, or the one of that place (`main/10.0.0.0/24/tunl0`)."""
    prefix, family = _prefix(what)
    for route in index.state.routes:
        is_meant = route.dst == prefix and family in (None, route.family)
        if is_meant or (what.endswith(route.dev or "-") and ref_words(route) == what):
            yield about_route(index, route)


def find_ip_rules(index: NodeIndex, what: str) -> Iterator[Told]:
    """The policy rules of that priority (`rule 100`), of both families."""
    wanted = _IP_RULE.fullmatch(what)
    for rule in index.state.ip_rules if wanted else ():
        if wanted and rule.priority == int(wanted[1]):
            yield about_ip_rule(index, rule)


def is_ip_rule(what: str) -> bool:
    """Whether a policy rule is asked for."""
    return _IP_RULE.fullmatch(what) is not None


def is_prefix(what: str) -> bool:
    """Whether the destination of a route is asked for."""
    return _prefix(what)[0] is not None


def about_interface(index: NodeIndex, name: str, link: Link | None) -> Told:
    """What it is for, its settings, its chains or the rules that match it, and the routes by it."""
    lines = (
        list(_of_link(index, link)) if link is not None else ["it is not among the interfaces that were read"]
    )
    lines += [
        f"Calico's endpoint mark {one.mark:#x}, {one.how}"
        for one in endpoint_facts(index)
        if one.interface == name
    ]
    if link is not None and index.role_of_link(link) == "workload" and index.bpf is not None:
        lines.append(str(index.bpf))
    lines += _chains(index, name)
    routes = index.routes_of_interface(name)
    lines += limited((f"route {route.dst} {route_way(route)}" for route in routes), len(routes), "route")
    return Told("interface", name, interface_title(index, name), tuple(filter(None, lines)))


def _of_link(index: NodeIndex, link: Link) -> Iterator[str]:
    yield explain_link(index, link)
    yield link_words(index, link)
    yield from (said for _, said in pod_lines(index, link.name))
    yield _owner(index.owner_of_link(link))
    yield "addresses " + "  ".join(link.addresses) if link.addresses else ""
    yield link_info_words(link)
    yield from (attachment_words(one) for one in index.state.bpf if one.dev == link.name)


def _chains(index: NodeIndex, interface: str) -> Iterator[str]:
    chains = index.chains_of_interface(interface)
    yield from (interface_chain_words(index, key) for key in chains)
    if not chains:
        yield from called_lines(index, index.rules_for_interface(interface), "matched by")


def about_route(index: NodeIndex, route: Route) -> Told:
    """Where it leads, its own words, who put it there, and the chains on the way."""
    lines = [explain_route(index, route), route_words(route), *map(hop_words, route.nexthops)]
    lines.append(_owner(index.owner_of_route(route)))
    lines += table_lines(index, route)
    interface = index.interface_of_route(route)
    if interface is not None:
        lines += [
            f"interface {interface}",
            *(interface_chain_words(index, key) for key in index.chains_of_interface(interface)),
        ]
    return Told("route", ref_words(route), route_title(route), tuple(filter(None, lines)))


def about_ip_rule(index: NodeIndex, rule: IpRule) -> Told:
    """When it applies, where a route is looked for then, and whose it is."""
    lines = (explain_ip_rule(index, rule), ip_rule_words(rule), _owner(index.owner_of_ip_rule(rule)))
    title = f"policy rule {rule.priority}  {rule.family}"
    return Told("ip rule", f"rule {rule.priority}", title, tuple(filter(None, lines)))


def _owner(owner: str | None) -> str:
    return "" if owner is None else f"owner {owner}"


def _prefix(what: str) -> tuple[str | None, str | None]:
    """Destination and family as routes have them; `default` is of both families."""
    if what == "default":
        return what, None
    try:
        found = ip_interface(what)
    except ValueError:
        return None, None
    family = f"ipv{found.version}"
    return ("default" if what in _EVERYWHERE else str(found.network if "/" in what else found), family)

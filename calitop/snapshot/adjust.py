"""Changes to what a format read, by what is known from outside: line numbers, hints, cuts.

Knows no format and no file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from calitop.formats.fragment import Fragment
from calitop.model.network import IpRule, Route
from calitop.model.rules import Chain, Rule, Ruleset
from calitop.snapshot.hints import Hint


def map_chains(rulesets: tuple[Ruleset, ...], change: Callable[[Chain], Chain]) -> tuple[Ruleset, ...]:
    """The same rulesets with every chain changed by a function."""

    def changed(ruleset: Ruleset) -> Ruleset:
        tables = [
            replace(table, chains={name: change(chain) for name, chain in table.chains.items()})
            for table in ruleset.tables
        ]
        return replace(ruleset, tables=tuple(tables))

    return tuple(changed(ruleset) for ruleset in rulesets)


def shift_lines(fragment: Fragment, by: int) -> Fragment:
    """The same facts with line numbers counted from further up in the file."""
    if not by:
        return fragment
    return replace(
        fragment,
        problems=tuple(
            problem if problem.line is None else replace(problem, line=problem.line + by)
            for problem in fragment.problems
        ),
        routes=None
        if fragment.routes is None
        else tuple(_route_down(route, by) for route in fragment.routes),
        ip_rules=None
        if fragment.ip_rules is None
        else tuple(_ip_rule_down(r, by) for r in fragment.ip_rules),
        rulesets=None
        if fragment.rulesets is None
        else map_chains(fragment.rulesets, lambda c: _chain_down(c, by)),
    )


def _route_down(route: Route, by: int) -> Route:
    return route if route.line is None else replace(route, line=route.line + by)


def _ip_rule_down(rule: IpRule, by: int) -> IpRule:
    return rule if rule.line is None else replace(rule, line=rule.line + by)


def _chain_down(chain: Chain, by: int) -> Chain:
    def down(rule: Rule) -> Rule:
        return rule if rule.line is None else replace(rule, line=rule.line + by)

    return replace(chain, rules=tuple(down(rule) for rule in chain.rules))


def apply_hint(fragment: Fragment, hint: Hint) -> Fragment:
    """The facts with what the content left open filled from outside: table, family, backend, device.

    The backend is filled only from a command: a file's name may be older than its content.
    """
    if fragment.routes and (hint.table or hint.family):
        fragment = replace(fragment, routes=tuple(_hinted_route(route, hint) for route in fragment.routes))
    if fragment.rulesets and hint.topic == "iptables":
        fragment = replace(
            fragment, rulesets=tuple(_hinted_ruleset(each, hint) for each in fragment.rulesets)
        )
    if fragment.ip_rules and hint.family == "ipv6":
        fragment = replace(fragment, ip_rules=tuple(_hinted_ip_rule(rule) for rule in fragment.ip_rules))
    if fragment.bpf and hint.topic == "tc" and hint.dev:
        found = tuple(
            each if each.dev else replace(each, dev=hint.dev, direction=each.direction or hint.direction)
            for each in fragment.bpf
        )
        fragment = replace(fragment, bpf=found)
    if fragment.pods and hint.namespace:
        pods = tuple(replace(pod, namespace=pod.namespace or hint.namespace) for pod in fragment.pods)
        fragment = replace(fragment, pods=pods)
    return _cut(fragment) if hint.cut else fragment


def _hinted_route(route: Route, hint: Hint) -> Route:
    if hint.table and route.table == "main":
        route = replace(route, table=hint.table)
    names_no_family = route.dst == "default" and not (route.gateway or route.src or route.nexthops)
    return replace(route, family="ipv6") if hint.family == "ipv6" and names_no_family else route


def _hinted_ruleset(ruleset: Ruleset, hint: Hint) -> Ruleset:
    if ruleset.backend == "native":
        return ruleset
    backend = ruleset.backend or (hint.backend if hint.told else None)
    tables = ruleset.tables
    if hint.told and hint.table and ruleset.table(hint.table) is None:
        tables = tuple(replace(each, name=each.name or hint.table) for each in tables)
    return replace(ruleset, family=ruleset.family or hint.family, backend=backend, tables=tables)


def _hinted_ip_rule(rule: IpRule) -> IpRule:
    return rule if rule.src or rule.dst else replace(rule, family="ipv6")


def _cut(fragment: Fragment) -> Fragment:
    """Rules that came through a filter have no number, and their chains are known to be cut."""
    if fragment.rulesets is None:
        return fragment
    return replace(fragment, rulesets=map_chains(fragment.rulesets, cut_chain))


def cut_chain(chain: Chain) -> Chain:
    """The chain marked as incomplete, its rules without number."""
    return replace(chain, rules=tuple(replace(rule, number=None) for rule in chain.rules), complete=False)

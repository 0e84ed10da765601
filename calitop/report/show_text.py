"""One node's state as text for people: what was read, what it was taken for, and what it tells."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.cni.index import NodeIndex
from calitop.cni.pods import pod_name
from calitop.model.network import Route
from calitop.model.node import NodeState, SourceFile
from calitop.model.rules import Chain, Rule, Ruleset, Table, VerdictMap
from calitop.report.text import columns, number, plural, printable

_PROBLEMS_SHOWN = 5


def show_text(state: NodeState, index: NodeIndex | None = None) -> str:
    """Everything that matters of one node at one moment, as lines of text.

    Args:
        state: The node.
        index: What its names mean; made here when it is not at hand.
    """
    names = index if index is not None else NodeIndex(state)
    parts = (_head(state), _files(state), _links(state, names), _routes(state, names), _ip_rules(state))
    more = (_pods(state), _sets(state), _counts(state), _rules(state))
    return "\n".join(line for part in (*parts, *more) for line in part) + "\n"


def _head(state: NodeState) -> Iterator[str]:
    facts = (("captured", state.captured_at), ("kernel", state.kernel))
    told = ", ".join(f"{word} {printable(value)}" for word, value in facts if value)
    yield f"node {printable(state.name or '(unnamed)')}" + (f", {told}" if told else "")
    for warning in state.warnings:
        yield f"warning: {printable(warning)}"


def _files(state: NodeState) -> Iterator[str]:
    yield ""
    yield f"{plural(len(state.files), 'file')} read"
    for each in state.files:
        yield _file_line(each)
        for problem in each.problems[:_PROBLEMS_SHOWN]:
            place = f"line {problem.line}: " if problem.line is not None else ""
            words = f": {printable(problem.text)}" if problem.text else ""
            yield f"      {place}{printable(problem.why)}{words}"
        left = len(each.problems) - _PROBLEMS_SHOWN
        if left > 0:
            yield f"      and {plural(left, 'more problem')} (all with --json)"


def _file_line(each: SourceFile) -> str:
    lines = plural(each.lines, "line")
    bad = f", {plural(len(each.problems), 'problem')}" if each.problems else ""
    note = f" ({printable(each.note)})" if each.note else ""
    kind = printable(each.kind or ("not read" if each.note else "not recognised"))
    return f"  {printable(each.file)}: {kind}, {lines}{bad}{note}"


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from lines


def _links(state: NodeState, names: NodeIndex) -> Iterator[str]:
    pods = {pod.interface: pod_name(pod) for pod in state.pods if pod.interface}
    rows = [
        (
            link.name,
            names.role_of_link(link) or link.kind,
            {True: "up", False: "down", None: None}[link.up],
            None if link.mtu is None else f"mtu {link.mtu}",
            " ".join(link.addresses),
            pods.get(link.name),
        )
        for link in state.links
    ]
    return _section(plural(len(rows), "interface"), columns(rows))


def _routes(state: NodeState, names: NodeIndex) -> Iterator[str]:
    rows = [
        (
            route.dst,
            _way(route),
            route.dev,
            f"table {route.table}",
            route.proto,
            f"metric {route.metric}",
            names.owner_of_route(route),
        )
        for route in state.routes
    ]
    return _section(plural(len(rows), "route"), columns(rows))


def _way(route: Route) -> str | None:
    if route.type is None:
        return " or ".join(route.types)
    if route.nexthops:
        return ", ".join(f"via {each.gateway or each.dev or '-'}" for each in route.nexthops)
    if route.type != "unicast":
        return route.type
    return f"via {route.gateway}" if route.gateway else None


def _ip_rules(state: NodeState) -> Iterator[str]:
    rows = [
        (
            str(rule.priority),
            rule.family,
            "not" if rule.inverted else None,
            f"from {rule.src or 'all'}",
            f"to {rule.dst}" if rule.dst else None,
            None if rule.fwmark is None else f"fwmark {rule.fwmark:#x}",
            f"table {rule.table}" if rule.table else rule.action,
        )
        for rule in state.ip_rules
    ]
    return _section(plural(len(rows), "policy rule"), columns(rows))


def _pods(state: NodeState) -> Iterator[str]:
    rows = [(pod_name(pod), pod.ip, pod.node, pod.interface) for pod in state.pods]
    return _section(plural(len(rows), "pod"), columns(rows))


def _sets(state: NodeState) -> Iterator[str]:
    rows = [
        (each.name, each.type, number(len(each.members) if each.members is not None else each.size))
        for each in state.sets
    ]
    return _section(plural(len(rows), "IP set"), columns(rows))


def _counts(state: NodeState) -> Iterator[str]:
    told = (
        ("sysctl", "sysctls", len(state.sysctls)),
        ("kernel statistic", None, len(state.stats)),
        ("neighbour", None, len(state.neighbours)),
        ("conntrack entry", "conntrack entries", len(state.conntrack)),
        ("BPF program or filter", "BPF programs and filters", len(state.bpf)),
    )
    words = [plural(count, one, many) for one, many, count in told if count]
    return _section(", ".join(words), [""]) if words else iter(())


# -- rules ------------------------------------------------------------------------------


def _rules(state: NodeState) -> Iterator[str]:
    for ruleset in state.rulesets:
        for table in ruleset.tables:
            yield ""
            yield _table_line(ruleset, table)
            yield from map(_map_line, table.maps)
            for chain in table.chains.values():
                yield from _chain(chain)


def _map_line(each: VerdictMap) -> str:
    kind = "map" if each.is_map else "set of"
    told = "" if each.complete else ", not all told"
    elements = plural(len(each.elements), "element")
    return f"  {printable(each.name)}: {kind} {printable(each.type)}, {elements}{told}"


def _table_line(ruleset: Ruleset, table: Table) -> str:
    side = " ".join((ruleset.family or "family unknown", ruleset.backend or "backend unknown"))
    count = sum(len(chain.rules) for chain in table.chains.values())
    name = printable(table.name) if table.name else "(table unknown)"
    size = f"{plural(len(table.chains), 'chain')}, {plural(count, 'rule')}"
    return f"table {name} ({side}): {size}"


def _chain(chain: Chain) -> Iterator[str]:
    yield f"  {printable(chain.name)}{_chain_state(chain)}"
    for rule in chain.rules:
        yield _rule_line(rule)


def _chain_state(chain: Chain) -> str:
    if not chain.present:
        return ": not in this text"
    words = []
    if chain.policy is not None:
        counted = "" if chain.packets is None else f" [{chain.packets}:{number(chain.bytes)}]"
        words.append(f"policy {chain.policy}{counted}")
    if chain.complete is False:
        words.append("rules are missing from this text")
    return f": {', '.join(words)}" if words else ""


def _rule_line(rule: Rule) -> str:
    place = number(rule.number).rjust(4)
    counted = "" if rule.packets is None else f"[{rule.packets}:{number(rule.bytes)}] "
    return f"  {place} {counted}{printable(rule.text)}"

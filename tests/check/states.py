"""The healthy lab, and small changes to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from calitop.model.network import Link, Route
from calitop.model.node import IpSet, NodeState
from calitop.model.rules import Backend, Chain, Rule, Ruleset, Table
from calitop.snapshot.open import open_snapshots

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"


@cache
def lab(name: str = "k8s-work1") -> NodeState:
    """One node of the healthy lab: both CNIs, iptables-nft, IPIP, six pods."""
    nodes = open_snapshots([str(SNAPSHOTS / "lab")])
    return next(node.moments[0] for node in nodes if node.name == name)


def with_link(state: NodeState, name: str, **changes: object) -> NodeState:
    """The link changed, or added where there is none."""
    known = state.link(name) or Link(name, up=True, mtu=1480)
    others = tuple(link for link in state.links if link.name != name)
    return replace(state, links=(*others, replace(known, **changes)))  # type: ignore[arg-type]


def without_link(state: NodeState, name: str) -> NodeState:
    return replace(state, links=tuple(link for link in state.links if link.name != name))


def with_route(state: NodeState, dst: str, dev: str | None = None, **more: object) -> NodeState:
    """One more route."""
    route = Route("ipv4", dst, dev=dev, **more)  # type: ignore[arg-type]
    return replace(state, routes=(*state.routes, route))


def without_route(state: NodeState, *dsts: str) -> NodeState:
    return replace(state, routes=tuple(route for route in state.routes if route.dst not in dsts))


def with_sysctl(state: NodeState, name: str, value: int) -> NodeState:
    return replace(state, sysctls={**state.sysctls, name: str(value)})


def with_members(state: NodeState, name: str, members: Sequence[str]) -> NodeState:
    """The set with these members instead of its own."""
    others = tuple(one for one in state.sets if one.name != name)
    return replace(state, sets=(*others, IpSet(name, "hash:net", tuple(members))))


def without_set(state: NodeState, name: str) -> NodeState:
    return replace(state, sets=tuple(one for one in state.sets if one.name != name))


def chain_of(state: NodeState, table: str, name: str) -> Chain:
    return next(chain for key, chain in state.chains().items() if key[2:] == (table, name))


def with_chain(state: NodeState, table: str, chain: Chain) -> NodeState:
    """The chain in place of its namesake, or added."""
    rulesets = tuple(
        replace(
            ruleset,
            tables=tuple(each.with_chain(chain) if each.name == table else each for each in ruleset.tables),
        )
        for ruleset in state.rulesets
    )
    return replace(state, rulesets=rulesets)


def with_rule(state: NodeState, table: str, name: str, text: str, at: int | None = None) -> NodeState:
    """One more rule, at the end or before the rule of that index; numbers follow."""
    chain = chain_of(state, table, name)
    rules = [*chain.rules]
    words = text.split()
    target = words[words.index("-j") + 1] if "-j" in words else None
    rules.insert(len(rules) if at is None else at, Rule(text, None, target=target, verb="jump"))
    numbered = tuple(replace(rule, number=number) for number, rule in enumerate(rules, 1))
    return with_chain(state, table, replace(chain, rules=numbered))


def with_backend(state: NodeState, backend: Backend, *chains: Chain) -> NodeState:
    """A second backend with a table filter."""
    table = Table("filter", {chain.name: chain for chain in chains})
    return replace(state, rulesets=(*state.rulesets, Ruleset("ipv4", backend, (table,))))


def counted(state: NodeState, table: str, name: str, words: str, packets: int = 5) -> NodeState:
    """The rules of a chain that hold these words have counted so many packets more."""
    chain = chain_of(state, table, name)
    rules = tuple(
        replace(rule, packets=(rule.packets or 0) + packets) if words in rule.text else rule
        for rule in chain.rules
    )
    return with_chain(state, table, replace(chain, rules=rules))


def with_stat(state: NodeState, name: str, more: int) -> NodeState:
    """The kernel's statistic is higher."""
    return replace(state, stats={**state.stats, name: state.stats.get(name, 0) + more})

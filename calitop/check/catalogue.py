"""All checks, and how they are run: a check that lacks its input is told, never passed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from calitop.check import (
    across,
    backends,
    cni,
    conntrack,
    counted,
    flows,
    forward,
    hashes,
    host_endpoints,
    leftovers,
    links,
    marks,
    mtu,
    peers,
    pods,
    ranges,
    routes,
    rp,
    rules,
    services,
    sets,
    untracked,
)
from calitop.check.facts import NEEDS, Need, NodeFacts
from calitop.check.records import (
    SEVERITIES,
    Check,
    Checked,
    CrossCheck,
    Finding,
    Found,
    KnownFault,
    NodeChecks,
    NotChecked,
    Unjudged,
)
from calitop.check.together import Together, twins
from calitop.cni.index import NodeIndex
from calitop.counters.counts import Counts
from calitop.garbage import no_collections
from calitop.model.node import NodeState

NODE_CHECKS: tuple[Check, ...] = (
    *routes.CHECKS,
    *ranges.CHECKS,
    *links.CHECKS,
    *pods.CHECKS,
    *sets.CHECKS,
    *backends.CHECKS,
    *forward.CHECKS,
    *rules.CHECKS,
    *untracked.CHECKS,
    *leftovers.CHECKS,
    *services.CHECKS,
    *host_endpoints.CHECKS,
    *rp.CHECKS,
    *mtu.CHECKS,
    *hashes.CHECKS,
    *marks.CHECKS,
    *conntrack.CHECKS,
    *cni.CHECKS,
    *counted.CHECKS,
)
CROSS_CHECKS: tuple[CrossCheck, ...] = (
    *across.CHECKS,
    *peers.CROSS_CHECKS,
    *flows.CROSS_CHECKS,
    *hashes.CROSS_CHECKS,
)


@no_collections()
def check(
    states: Sequence[NodeState],
    counts: Sequence[Counts | None] = (),
    indexes: Sequence[NodeIndex | None] = (),
) -> Checked:
    """Run every check on every node, and the cross-node checks where there are two or more.

    Args:
        states: One moment of each node.
        counts: For each node what was counted up to this moment; None or left out where only one is known.
        indexes: For each node one of its rules, if there is one already: its lookups are shared.
    """
    nodes = [NodeFacts(*given) for given in zip_longest(states, counts, indexes)]
    told = [each for facts in nodes for each in _on_node(facts)]
    if len(nodes) > 1:
        told += _across(nodes)
    findings = [each for each in told if isinstance(each, Finding)]
    findings.sort(key=lambda each: SEVERITIES.index(each.severity))
    not_checked = tuple(each for each in told if isinstance(each, NotChecked))
    return Checked(
        tuple(findings), not_checked, tuple(_counted(facts, len(nodes) > 1, not_checked) for facts in nodes)
    )


def _counted(facts: NodeFacts, with_others: bool, not_checked: Sequence[NotChecked]) -> NodeChecks:
    checks: tuple[KnownFault, ...] = (*NODE_CHECKS, *CROSS_CHECKS) if with_others else NODE_CHECKS
    not_done = len({each.id for each in not_checked if each.node == facts.name})
    return NodeChecks(facts.name, len(checks) - not_done, not_done)


def _on_node(facts: NodeFacts) -> Iterator[Finding | NotChecked]:
    for one in NODE_CHECKS:
        missing = facts.lacks(one.needs)
        if missing:
            yield NotChecked(one.id, facts.name, _words(missing))
        else:
            yield from (_told(one, facts, found) for found in one.find(facts))


def _across(nodes: Sequence[NodeFacts]) -> Iterator[Finding | NotChecked]:
    groups: dict[tuple[NodeFacts, ...], Together] = {}
    same = twins(nodes)
    for one in CROSS_CHECKS:
        able = tuple(facts for facts in nodes if facts not in same and not facts.lacks(one.needs))
        for facts in nodes:
            if first := same.get(facts):
                yield NotChecked(
                    one.id, facts.name, f"another node: its pods are those of {first.name or '?'}"
                )
            elif missing := facts.lacks(one.needs):
                yield NotChecked(one.id, facts.name, _words(missing))
        if len(able) > 1:
            yield from (
                _told(one, facts, found) for facts, found in one.find(groups.setdefault(able, Together(able)))
            )


def _told(one: KnownFault, facts: NodeFacts, found: Found | Unjudged) -> Finding | NotChecked:
    if isinstance(found, Unjudged):
        return NotChecked(one.id, facts.name, found.needs)
    return Finding(
        id=one.id,
        severity=found.severity or one.severity,
        node=facts.name,
        title=found.title,
        evidence=found.evidence,
        explain=one.explain,
        fix=one.fix,
        source=one.source,
    )


def _words(needs: Iterable[Need]) -> str:
    return ", ".join(NEEDS[need] for need in needs)

"""Pairs of known pods that stand for all: one pod of each CNI on each node, with each other one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice, permutations

from calitop.check.facts import NodeFacts
from calitop.cni.names import link_owner
from calitop.model.node import Pod
from calitop.model.values import Address
from calitop.path.policy import Way
from calitop.path.routing import lookup

MOST_PAIRS = 48
"""Pairs that are looked at; four nodes with two CNIs make 48 between different nodes."""


@dataclass(frozen=True, slots=True)
class End:
    """One pod and the node that it runs on."""

    facts: NodeFacts
    pod: Pod
    ip: Address
    cni: str
    """calico or cilium."""

    def way_to(self, other: End) -> Way | None:
        """The way that the pod's packets leave its node by; None where it is not certain."""
        way = lookup(self.facts.world, other.ip, self.ip, any_source=True).way
        return None if way is None or way.error is not None else way


def pairs(nodes: Sequence[NodeFacts]) -> Iterator[tuple[End, End]]:
    """Ordered pairs on different nodes."""
    ends = [end for facts in nodes for end in _ends(facts)]
    apart = ((one, other) for one, other in permutations(ends, 2) if one.facts is not other.facts)
    return islice(apart, MOST_PAIRS)


def _ends(facts: NodeFacts) -> Iterator[End]:
    """The first running pod of each CNI."""
    seen = set()
    for pod in facts.running:
        ip = ip_address((pod.ip or "").split("/")[0])
        cni = _cni_of(facts, pod, ip)
        if cni is not None and cni not in seen:
            seen.add(cni)
            yield End(facts, pod, ip, cni)


def _cni_of(facts: NodeFacts, pod: Pod, ip: Address) -> str | None:
    """Whose interface the pod has, else whose the route to it is."""
    link = facts.world.links.get(pod.interface or "")
    owner = facts.index.owner_of_link(link) if link is not None else None
    if owner is None:
        way = lookup(facts.world, ip).way
        owner = link_owner(way.dev) if way is not None and way.dev else None
    return owner if owner in ("calico", "cilium") else None

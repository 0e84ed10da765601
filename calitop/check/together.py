"""Nodes looked at together, and the pairs of pods that stand for all: one of each CNI on each node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from itertools import islice, permutations

from calitop.check.facts import NEEDS, NodeFacts
from calitop.cni.names import link_owner
from calitop.errors import CalitopError
from calitop.model.node import Pod
from calitop.model.values import Address
from calitop.path.network import Network
from calitop.path.policy import Way
from calitop.path.routing import lookup
from calitop.path.trace import Request, Traced, trace

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


class Together:
    """Two or more nodes; what several checks ask of them is found once.

    Attributes:
        nodes: In the order in which they were given.
    """

    def __init__(self, nodes: Sequence[NodeFacts]) -> None:
        self.nodes = tuple(nodes)

    @cached_property
    def by_name(self) -> dict[str, NodeFacts]:
        """The nodes that have a name."""
        return {facts.name: facts for facts in self.nodes if facts.name is not None}

    @cached_property
    def pairs(self) -> Sequence[tuple[End, End]]:
        """Ordered pairs on different nodes."""
        return _pairs(self.nodes)

    @cached_property
    def traced(self) -> Sequence[tuple[End, End, Traced]]:
        """What becomes of a packet between each pair of named nodes, and of its answer.

        Ports are left open, so that what is decided holds for every port. Pairs that cannot be traced
        are left out.
        """
        named = tuple(self.by_name.values())
        network = Network([facts.node for facts in named])
        told = ((one, other, _traced(network, one, other)) for one, other in _pairs(named))
        return [(one, other, traced) for one, other, traced in told if traced is not None]


def twins(nodes: Sequence[NodeFacts]) -> dict[NodeFacts, NodeFacts]:
    """States that are of one node given twice, each with the one to look at: of which more was read.

    A pod's address at an interface of the same name is the same pod, since the name is a hash of the
    pod's. One such may have moved and left its route; several are the node itself.
    """
    found: dict[NodeFacts, NodeFacts] = {}
    kept: list[NodeFacts] = []
    for facts in sorted(nodes, key=lambda facts: len(facts.lacks(tuple(NEEDS)))):
        pods = _pods_routed(facts)
        first = next((one for one in kept if _is_same(pods, _pods_routed(one))), None)
        if first is None:
            kept.append(facts)
        else:
            found[facts] = first
    return found


def _pods_routed(facts: NodeFacts) -> frozenset[tuple[str, str]]:
    return frozenset(
        (route.dst, route.dev)
        for route, prefix in facts.routes_of("calico")
        if route.dev and route.gateway is None and prefix.prefixlen == prefix.max_prefixlen
    )


def _is_same(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> bool:
    shared = len(one & other)
    return shared > 1 and 2 * shared >= min(len(one), len(other))


def _pairs(nodes: Sequence[NodeFacts]) -> Sequence[tuple[End, End]]:
    ends = [end for facts in nodes for end in _ends(facts)]
    apart = ((one, other) for one, other in permutations(ends, 2) if one.facts is not other.facts)
    return tuple(islice(apart, MOST_PAIRS))


def _traced(network: Network, one: End, other: End) -> Traced | None:
    try:
        return trace(network, Request(src=one.ip, dst=other.ip, protocol="tcp", reply=True), decided=True)
    except CalitopError:
        return None


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

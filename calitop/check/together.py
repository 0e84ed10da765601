"""Nodes looked at together, and the pairs of pods that stand for all: one of each CNI on each node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from itertools import islice, permutations

from calitop.check.facts import NodeFacts
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

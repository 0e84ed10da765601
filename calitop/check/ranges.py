"""Ranges of addresses where two CNIs share a node."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_route
from calitop.check.facts import POOL_SETS, NodeFacts, prefix_of
from calitop.check.records import Check, Evidence, Found
from calitop.model.network import Route


def _leaked(facts: NodeFacts) -> Iterator[Found]:
    """Single addresses that Calico's routes take out of a range of Cilium."""
    ranges = [(route, prefix) for route, prefix in facts.routes_of("cilium") if prefix.prefixlen < 32]
    for route, prefix in facts.routes_of("calico"):
        if prefix.prefixlen != prefix.max_prefixlen or route.gateway is None:
            continue
        for around, wider in ranges:
            if prefix.version == wider.version and prefix.network_address in wider:
                title = f"{route.dst} is Cilium's, but Calico's route by {route.dev} takes it"
                yield Found(title, (of_route(route), of_route(around)))
                break


def _overlap(facts: NodeFacts) -> Iterator[Found]:
    ours = [(route, prefix) for route, prefix in facts.routes_of("calico") if _is_range(prefix.prefixlen)]
    for theirs, wider in facts.routes_of("cilium"):
        for route, prefix in ours if _is_range(wider.prefixlen) else ():
            if prefix.version == wider.version and prefix.overlaps(wider):
                title = f"Calico's {route.dst} and Cilium's {theirs.dst} overlap"
                yield Found(title, (of_route(route), of_route(theirs)))


def _is_range(length: int) -> bool:
    """Whether a prefix is a range of addresses in either family; single addresses are another check's."""
    return length not in (32, 128)


def _pool_overlap(facts: NodeFacts) -> Iterator[Found]:
    pools = [one for one in facts.state.sets if one.name in POOL_SETS]
    for one in pools:
        for pool in map(prefix_of, (member.split()[0] for member in one.members or ())):
            inside = [
                route
                for route, prefix in facts.routes_of("cilium")
                if pool is not None and prefix.version == pool.version and prefix.overlaps(pool)
            ]
            if inside:
                evidence = (Evidence("set", one.name, f"{one.name} holds {pool}"), *map(of_route, inside))
                yield Found(f"Calico's pool {pool} holds addresses of Cilium", evidence)


def _asymmetric(facts: NodeFacts) -> Iterator[Found]:
    """Ranges of other nodes that each CNI leads through a device of its own."""
    ours, theirs = _remote_ranges(facts, "calico"), _remote_ranges(facts, "cilium")
    if ours and theirs:
        there, back = ours[0].dev, theirs[0].dev
        title = f"packets to Calico's ranges leave by {there}, those to Cilium's by {back}"
        yield Found(title, tuple(map(of_route, (*ours, *theirs))))


def _remote_ranges(facts: NodeFacts, owner: str) -> list[Route]:
    return [
        route
        for route, prefix in facts.routes_of(owner)
        if route.gateway is not None and _is_range(prefix.prefixlen)
    ]


CHECKS = (
    Check(
        "leaked-address",
        "info",
        ("routes",),
        "BIRD, it seems, announces another node's address of cilium_host as if it were Calico's. Packets "
        "to this very address take Calico's tunnel; those to the rest of the range take Cilium's. Answers "
        "may come back the other way.",
        "Exclude Cilium's ranges from what BIRD exports (BGPFilter), if hosts talk to these addresses.",
        "projectcalico/calico#8700; cilium/cilium#27666",
        _leaked,
    ),
    Check(
        "overlapping-ranges",
        "error",
        ("routes",),
        "Both CNIs route addresses of one range: which pod gets a packet depends on the longer prefix.",
        "Give Cilium a cluster CIDR of its own, distinct from every Calico pool.",
        "Cilium documentation, k8s-install-migration",
        _overlap,
    ),
    Check(
        "pool-holds-cilium",
        "info",
        ("routes", "sets"),
        "Calico counts Cilium's pods as its own: it does not masquerade towards them, and its IPAM may give "
        "out addresses that Cilium uses.",
        "Give Cilium a cluster CIDR outside every Calico pool.",
        "Cilium documentation, k8s-install-migration; projectcalico/calico#7345",
        _pool_overlap,
    ),
    Check(
        "asymmetric-ranges",
        "info",
        ("routes",),
        "Between a pod of Calico and one of Cilium on two nodes that are set alike, packets take one tunnel "
        "and answers the other. What tests the way back (rp_filter, ctstate INVALID) sees half of them.",
        "Nothing while it works. If such pods do not reach each other: calitop trace --reply.",
        "projectcalico/calico#7434; kubernetes/kubernetes#94861",
        _asymmetric,
    ),
)

"""Ranges of addresses where two CNIs share a node."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_link, of_route
from calitop.check.facts import MASQUERADED_SET, POOL_SETS, NodeFacts, Prefix, prefix_of
from calitop.check.mtu import wire
from calitop.check.records import Check, Evidence, Found
from calitop.model.network import Route

_WIRES = ("physical", "bond", "vlan")


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
    held = ((name, pool) for name in POOL_SETS for pool in _members(facts, name))
    for name, pool in held:
        inside = [route for route, prefix in facts.routes_of("cilium") if _holds(pool, prefix)]
        if inside:
            evidence = (Evidence("set", name, f"{name} holds {pool}"), *map(of_route, inside))
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


def _masqueraded(facts: NodeFacts) -> Iterator[Found]:
    """Ranges of Cilium outside all pools: Calico's pods reach them with the node's address."""
    inside, masked = (_members(facts, name) for name in (POOL_SETS[0], MASQUERADED_SET))
    outside = [
        route
        for route, prefix in facts.routes_of("cilium")
        if _is_range(prefix.prefixlen) and not any(_holds(pool, prefix) for pool in inside)
    ]
    if outside and masked:
        pools = Evidence("set", MASQUERADED_SET, f"{MASQUERADED_SET} holds {masked[0]}")
        title = f"packets of Calico's pods to Cilium's {outside[0].dst} get the node's address"
        yield Found(title, (pools, *map(of_route, outside)))


def _members(facts: NodeFacts, name: str) -> list[Prefix]:
    """A set's ranges; none where it is not there."""
    found = facts.world.sets.get(name)
    members = (member.split()[0] for member in (found.members if found is not None else None) or ())
    return [prefix for member in members if (prefix := prefix_of(member)) is not None]


def _node_network(facts: NodeFacts) -> Iterator[Found]:
    """Networks of the node's own wires inside a pool."""
    best = wire(facts)
    for link in facts.state.links:
        networks = (own.network for own in facts.world.prefixes(link.name))
        is_wire = link is best or facts.index.role_of_link(link) in _WIRES
        for network in networks if is_wire else ():
            for pool in _members(facts, POOL_SETS[0]):
                if _holds(pool, network):
                    held = Evidence("set", POOL_SETS[0], f"{POOL_SETS[0]} holds {pool}")
                    title = f"Calico's pool {pool} holds the network {network} of {link.name}"
                    yield Found(title, (held, of_link(link)))


def _holds(pool: Prefix, prefix: Prefix) -> bool:
    return pool.version == prefix.version and pool.overlaps(prefix)


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
        "masqueraded-to-cilium",
        "info",
        ("routes", "sets"),
        "Calico masquerades what leaves its pools (natOutgoing). Cilium's pods see a node instead of the "
        "pod: policies that know pods by address do not fit. During a migration with distinct ranges this "
        "is as documented.",
        "If policies need the pod's address: a disabled IP pool over Cilium's range ends the masquerade.",
        "felix rules/nat.go; projectcalico/calico#3440, #7446",
        _masqueraded,
    ),
    Check(
        "pool-holds-network",
        "info",
        ("links", "sets"),
        "Calico does not masquerade towards its pools: hosts of this network get packets from pod addresses "
        "and need a route back. Some make such a pool on purpose (disabled: true).",
        "If pods do not reach this network: take it out of the pools.",
        "projectcalico/calico#7345, #7446",
        _node_network,
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

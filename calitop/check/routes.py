"""Routes that lose packets, or lead them another way than people think."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from calitop.check.evidence import of_link, of_pod, of_route
from calitop.check.facts import NodeFacts, is_running, prefix_of
from calitop.check.records import Check, Evidence, Found
from calitop.model.network import IpFamily, Route
from calitop.model.node import Pod

_DISCARDING = ("blackhole", "unreachable", "prohibit")
_LEADING_TO_MAIN = ("kernel", "cilium")
"""Owners of policy rules that leave unmarked packets for others to table main."""


def _dead_devices(facts: NodeFacts) -> Iterator[Found]:
    for route in facts.unicast:
        for dev in dict.fromkeys(filter(None, (route.dev, *(hop.dev for hop in route.nexthops)))):
            link = facts.world.links.get(dev)
            if link is None:
                yield Found(f"{route.dst} leaves by {dev}, which does not exist", (of_route(route),))
            elif link.up is False:
                yield Found(f"{route.dst} leaves by {dev}, which is down", (of_route(route), of_link(link)))


def _twice(facts: NodeFacts) -> Iterator[Found]:
    """One address twice in one table, with a workload at one end of it."""
    same: defaultdict[tuple[str, str], list[Route]] = defaultdict(list)
    for route in facts.unicast:
        if (prefix := prefix_of(route.dst)) is not None and prefix.prefixlen == prefix.max_prefixlen:
            same[route.table, route.dst].append(route)
    for (_, dst), found in same.items():
        devices = list(dict.fromkeys(route.dev for route in found if route.dev))
        if len(devices) > 1 and any(_is_workload(facts, dev) for dev in devices):
            yield Found(f"{dst} is routed to {' and to '.join(devices)}", tuple(map(of_route, found)))


def _is_workload(facts: NodeFacts, dev: str) -> bool:
    link = facts.world.links.get(dev)
    return dev.startswith("cali") or (link is not None and facts.index.role_of_link(link) == "workload")


def _blackholed(facts: NodeFacts) -> Iterator[Found]:
    for pod in filter(is_running, facts.state.pods):
        route = _best(facts, pod)
        if route is not None and route.type in _DISCARDING:
            title = f"{(pod.ip or '').split('/')[0]} of a running pod falls into {route.type} {route.dst}"
            yield Found(title, (of_route(route), of_pod(pod)))


def _best(facts: NodeFacts, pod: Pod) -> Route | None:
    """The route that an unmarked packet to the pod takes; None where a policy rule may lead it elsewhere."""
    prefix = prefix_of(pod.ip or "")
    if prefix is None:
        return None
    family: IpFamily = "ipv4" if prefix.version == 4 else "ipv6"
    owners = (facts.index.owner_of_ip_rule(rule) for rule in facts.world.rules(family))
    if not all(owner in _LEADING_TO_MAIN for owner in owners):
        return None
    fib = facts.world.fib(family, "main")
    found = None if fib is None else next(fib.candidates(int(prefix.network_address)), None)
    return None if found is None else found[1]


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
    pools = [one for one in facts.state.sets if one.name.endswith("all-ipam-pools") and one.members]
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


CHECKS = (
    Check(
        "route-dead-interface",
        "error",
        ("links", "routes"),
        "The kernel drops what takes this route, or does not use it and takes a wider one.",
        "Bring the interface up, or find out why its owner left the route: Felix removes a workload's route "
        "with its interface, BIRD needs tunl0 up.",
        "projectcalico/calico#3134, #4273, #3467, #6968",
        _dead_devices,
    ),
    Check(
        "duplicate-pod-route",
        "warning",
        ("routes",),
        "Only the route with the smaller metric is used. If the pod is at the other one, it is unreachable.",
        "Find the interface that the pod really has; the other is stale, or the address was given twice.",
        "projectcalico/calico#3467, #6968, #2461",
        _twice,
    ),
    Check(
        "blackhole-over-pod",
        "error",
        ("routes", "pods"),
        "The block's blackhole is the longest prefix for a running pod's address: its packets are dropped.",
        "See why the pod's own route is missing: BIRD for a borrowed address on another node, Felix for a "
        "pod of this node.",
        "projectcalico/calico#3246, #2612, #2457",
        _blackholed,
    ),
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
)

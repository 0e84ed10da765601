"""Routes that lose packets, or lead them another way than people think."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from calitop.check.evidence import of_link, of_pod, of_route
from calitop.check.facts import NEEDS, NodeFacts, Prefix, address_of, is_running, prefix_of
from calitop.check.records import Check, Found, Unjudged
from calitop.cni.pods import pod_name
from calitop.model.network import IpFamily, Route
from calitop.model.node import Pod
from calitop.path.policy import NO_ROUTE
from calitop.path.routing import lookup

_DISCARDING = ("blackhole", "unreachable", "prohibit")
_LEADING_TO_MAIN = ("kernel", "cilium")
"""Owners of policy rules that leave unmarked packets for others to table main."""
_SHOWN = 20
"""Pods that a finding shows; a block has up to hundreds."""


def _dead_devices(facts: NodeFacts) -> Iterator[Found]:
    """Routes none of whose ways is alive: of several the kernel takes another one (fib_select_multipath)."""
    for route in facts.unicast:
        devices = list(dict.fromkeys(filter(None, (route.dev, *(hop.dev for hop in route.nexthops)))))
        if not all(_is_dead(facts, dev) for dev in devices):
            continue
        for dev in devices:
            link = facts.world.links.get(dev)
            if link is None:
                yield Found(f"{route.dst} leaves by {dev}, which does not exist", (of_route(route),))
            else:
                yield Found(f"{route.dst} leaves by {dev}, which is down", (of_route(route), of_link(link)))


def _is_dead(facts: NodeFacts, dev: str) -> bool:
    link = facts.world.links.get(dev)
    return link is None or link.up is False


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


def _blackholed(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """One finding for each route that takes running pods.

    By table main; where packets may take another table, nothing is certain of any pod.
    """
    unjudged: set[str] = set()
    taken: defaultdict[Route, list[Pod]] = defaultdict(list)
    for pod in filter(is_running, facts.state.pods):
        prefix = prefix_of(pod.ip or "")
        if prefix is None:
            unjudged.add(f"the address of {pod_name(pod)}")
            continue
        family: IpFamily = "ipv4" if prefix.version == 4 else "ipv6"
        if why := _not_by_main(facts, family):
            unjudged.add(why)
            continue
        route = _best(facts, family, prefix)
        if route is not None and route.type in _DISCARDING:
            taken[route].append(pod)
    for route, pods in taken.items():
        title = f"{_first_of(pods)} into {route.type} {route.dst}"
        yield Found(title, (of_route(route), *map(of_pod, pods[:_SHOWN])))
    yield from map(Unjudged, sorted(unjudged))


def _first_of(pods: Sequence[Pod]) -> str:
    """How a title begins: the first address, and how many more."""
    address = (pods[0].ip or "").split("/")[0]
    more = len(pods) - 1
    return f"{address} of a running pod and {more} more fall" if more else f"{address} of a running pod falls"


def _unrouted(facts: NodeFacts) -> Iterator[Found]:
    """One finding for all running pods to which nothing leads, where every table was read."""
    lost = [pod for pod in filter(is_running, facts.state.pods) if _is_unrouted(facts, pod)]
    if lost:
        more = f" and of {len(lost) - 1} more" if len(lost) > 1 else ""
        title = f"no route at all leads to {(lost[0].ip or '').split('/')[0]} of a running pod{more}"
        yield Found(title, tuple(map(of_pod, lost[:_SHOWN])))


def _is_unrouted(facts: NodeFacts, pod: Pod) -> bool:
    prefix, address = prefix_of(pod.ip or ""), address_of((pod.ip or "").split("/")[0])
    if prefix is None or address is None:
        return False
    family: IpFamily = "ipv4" if prefix.version == 4 else "ipv6"
    if _not_by_main(facts, family) is None and _best(facts, family, prefix) is not None:
        return False
    answer = lookup(facts.world, address)
    return not answer.assumed and answer.way is not None and answer.way.type == NO_ROUTE


def _not_by_main(facts: NodeFacts, family: IpFamily) -> str | None:
    """What is lacking to tell that unmarked packets to others take table main; None where they do."""
    if not facts.world.rules_read(family):
        return f"the policy rules (ip {'-6 ' if family == 'ipv6' else ''}-j rule)"
    if facts.world.fib(family, "main") is None:
        return NEEDS["routes"]
    owners = (facts.index.owner_of_ip_rule(rule) for rule in facts.world.rules(family))
    if all(owner in _LEADING_TO_MAIN for owner in owners):
        return None
    return "ip route get ADDRESS: policy rules may lead packets to pods past table main"


def _best(facts: NodeFacts, family: IpFamily, prefix: Prefix) -> Route | None:
    fib = facts.world.fib(family, "main")
    found = None if fib is None else next(fib.candidates(int(prefix.network_address)), None)
    return None if found is None else found[1]


def _shared_block(facts: NodeFacts) -> Iterator[Found]:
    """Several next hops by tunl0 are several nodes; elsewhere they may be routers of a fabric."""
    for route in facts.unicast:
        hops = [hop.gateway for hop in route.nexthops if hop.dev == "tunl0" and hop.gateway]
        if len(set(hops)) > 1 and prefix_of(route.dst) is not None:
            yield Found(f"{route.dst} is at {' and at '.join(hops)}", (of_route(route),))


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
        "no-route-to-pod",
        "error",
        ("routes", "pods"),
        "Neither a block's route nor a default route leads to the pod: the sender is told that the "
        "network is unreachable (IpExt.InNoRoutes).",
        "See the peers of BIRD (calicoctl node status) and, for Cilium's pods, that its agent runs: they "
        "make the routes to other nodes' pods.",
        "projectcalico/calico#8751, #8606",
        _unrouted,
    ),
    Check(
        "block-multipath",
        "error",
        ("routes",),
        "Several nodes announce this block: the kernel sends each of them some of the connections, and each "
        "drops what belongs to the other's pods.",
        "See who owns the block (calicoctl ipam show --show-blocks), and release it on the other node.",
        "projectcalico/calico#6486, #6867, #4471",
        _shared_block,
    ),
)

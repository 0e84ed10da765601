"""Faults that only two or more nodes together show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import permutations

from calitop.check.evidence import of_route
from calitop.check.facts import NodeFacts, Prefix, address_of, prefix_of
from calitop.check.records import CrossCheck, Found
from calitop.check.together import Together
from calitop.model.network import Route

_Claim = tuple[NodeFacts, Route]


def _one_block_twice(together: Together) -> Iterator[tuple[NodeFacts, Found]]:
    """A Calico block that several nodes discard, so that each holds it for its own."""
    yield from _claimed_twice(together, "blackhole", "claim the block")


def _one_pod_twice(together: Together) -> Iterator[tuple[NodeFacts, Found]]:
    """One address at workloads of several nodes."""
    yield from _claimed_twice(together, "unicast", "have a pod with")


def _claimed_twice(together: Together, kind: str, words: str) -> Iterator[tuple[NodeFacts, Found]]:
    claims: defaultdict[str, list[_Claim]] = defaultdict(list)
    for facts in together.nodes:
        for route in facts.state.routes:
            if _is_claim(facts, route, kind):
                claims[route.dst].append((facts, route))
    for dst, found in claims.items():
        names = list(dict.fromkeys(facts.name or "?" for facts, _ in found))
        if len(names) > 1:
            evidence = tuple(of_route(route, facts.name) for facts, route in found)
            yield found[0][0], Found(f"{' and '.join(names)} {words} {dst}", evidence)


def _is_claim(facts: NodeFacts, route: Route, kind: str) -> bool:
    prefix = prefix_of(route.dst)
    if prefix is None or route.type != kind or route.table == "local":
        return False
    if kind == "blackhole":
        return route.proto in ("bird", "80", "12") and prefix.prefixlen < prefix.max_prefixlen
    is_single = prefix.prefixlen == prefix.max_prefixlen
    return is_single and route.gateway is None and (route.dev or "").startswith("cali")


def _leaked_ranges(together: Together) -> Iterator[tuple[NodeFacts, Found]]:
    """Ranges of Cilium on one node that another one reaches by Calico's tunnel."""
    for here, there in permutations(together.nodes, 2):
        ours = [one for one in _ranges_of(here, "calico") if address_of(one[0].gateway) in there.world.owners]
        for theirs, wider in _ranges_of(there, "cilium") if ours else ():
            for route, prefix in ours:
                if prefix.version == wider.version and prefix.overlaps(wider):
                    title = f"{route.dst} is Cilium's on {there.name or '?'}, but leaves here by {route.dev}"
                    yield here, Found(title, (of_route(route), of_route(theirs, there.name)))


def _ranges_of(facts: NodeFacts, owner: str) -> Iterator[tuple[Route, Prefix]]:
    """Routes of one owner by a next hop to more than one address."""
    for route, prefix in facts.routes_of(owner):
        if route.gateway is not None and prefix.prefixlen < prefix.max_prefixlen:
            yield route, prefix


CHECKS = (
    CrossCheck(
        "block-on-two-nodes",
        "error",
        ("routes",),
        "Both nodes announce one block: the others send half of its packets to each (ECMP), and each drops "
        "what belongs to the other's pods.",
        "See who owns the block (calicoctl ipam show --show-blocks), and release it on the other node.",
        "projectcalico/calico#6486, #6867, #4471",
        _one_block_twice,
    ),
    CrossCheck(
        "address-on-two-nodes",
        "error",
        ("routes",),
        "Two pods have one address, or one node kept the route of a pod that is gone: packets reach the "
        "wrong one.",
        "See where the pod really runs (kubectl get pods -A -o wide); restart Felix on the other node.",
        "projectcalico/calico#3467, #6968, #2461",
        _one_pod_twice,
    ),
    CrossCheck(
        "leaked-range",
        "info",
        ("routes",),
        "BIRD, it seems, announces a range of Cilium as if it were Calico's: packets to these pods take "
        "Calico's tunnel. It works while the other node lets them in (rp_filter), and answers may take "
        "another way.",
        "Exclude Cilium's ranges from what BIRD exports (BGPFilter), or give Cilium a cluster CIDR outside "
        "every Calico pool.",
        "projectcalico/calico#8700; cilium/cilium#27666",
        _leaked_ranges,
    ),
)

"""Pods against the routes that lead to them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from calitop.check.evidence import of_link, of_pod, of_route, of_rule
from calitop.check.facts import NodeFacts, drops_spoofed
from calitop.check.records import Check, Evidence, Found, Unjudged
from calitop.cni.pods import node_of_list
from calitop.model.network import Route
from calitop.path.routing import lookup

_SHOWN = 20
"""Routes that a finding shows; a listing of one namespace leaves out hundreds."""


def _unplaced(facts: NodeFacts) -> Iterator[Unjudged]:
    """What is lacking where the list has pods, but nobody knows which of them are here."""
    if not facts.index.local_pods and node_of_list(facts.state) is None:
        yield Unjudged("the pods of this node: the list names none (kubectl get pods -A -o wide)")


def _without_route(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    yield from _unplaced(facts)
    routed = {(route.dst.split("/")[0], route.dev) for route in facts.unicast}
    for pod in facts.running:
        link = facts.world.links.get(pod.interface or "")
        if link is None or pod.ip is None or facts.index.owner_of_link(link) != "calico":
            continue
        address = pod.ip.split("/")[0]
        if (address, link.name) not in routed:
            yield Found(f"no route leads {address} to its pod at {link.name}", (of_pod(pod), of_link(link)))


def _refused_source(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Pods whose address is surely routed elsewhere, where Calico tests the way back itself."""
    yield from _unplaced(facts)
    test = next(_rpfilters(facts), None)
    for pod in facts.running if test is not None else ():
        link = facts.world.links.get(pod.interface or "")
        if link is None or pod.ip is None or facts.index.owner_of_link(link) != "calico":
            continue
        address = pod.ip.split("/")[0]
        way = lookup(facts.world, ip_address(address)).way
        if way is None:
            yield Unjudged(f"ip route get {address}: its way is not certain")
        if way is not None and way.type == "unicast" and way.dev != link.name and test is not None:
            proofs = (of_route(way.route),) if way.route is not None else ()
            title = f"{address} is routed to {way.dev}: Calico drops what its pod sends by {link.name}"
            yield Found(title, (of_pod(pod), *proofs, test))


def _rpfilters(facts: NodeFacts) -> Iterator[Evidence]:
    """Calico's own reverse path test in table raw."""
    for key, chain in facts.index.chains.items():
        if chain.may_hold("rpfilter", "fib saddr"):
            tests = (at for at, rule in enumerate(chain.rules) if drops_spoofed(key, rule))
            yield from (of_rule(key, at, chain.rules[at]) for at in tests)


def _without_pod(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """One finding for all addresses at workloads that no listed pod has, where this node's are listed."""
    yield from _unplaced(facts)
    known = {pod.ip.split("/")[0] for pod in facts.state.pods if pod.ip}
    lone: list[Route] = []
    for route, prefix in facts.routes_of("calico") if facts.running else ():
        is_single = prefix.prefixlen == prefix.max_prefixlen and route.gateway is None
        link = facts.world.links.get(route.dev or "")
        is_workload = link is not None and facts.index.role_of_link(link) == "workload"
        if is_single and is_workload and str(prefix.network_address) not in known:
            lone.append(route)
    if lone:
        more = f" and {len(lone) - 1} more" if len(lone) > 1 else ""
        title = f"{lone[0].dst}{more} is routed to a pod's interface, but no listed pod has it"
        yield Found(title, tuple(map(of_route, lone[:_SHOWN])))


CHECKS = (
    Check(
        "pod-without-route",
        "error",
        ("links", "routes", "pods"),
        "The pod runs here and its interface exists, but no route of a single address leads to it: the "
        "block's blackhole or the default route takes its packets.",
        "See that Felix runs and its log for this interface.",
        "projectcalico/calico#3467, #6968",
        _without_route,
    ),
    Check(
        "pod-source-refused",
        "error",
        ("links", "routes", "rules", "pods"),
        "Calico's reverse path test in table raw takes only sources whose route back is the pod's own "
        "interface; the settings rp_filter do not change it.",
        "Find who made the other route (its proto), and remove it; a restart of Felix makes the pod's anew.",
        "projectcalico/calico#4630, #3467",
        _refused_source,
    ),
    Check(
        "route-without-pod",
        "info",
        ("links", "routes", "pods"),
        "The route of a pod that is gone, or the listing of pods is of another moment.",
        "List the pods again; if the route stays, see that Felix runs.",
        "projectcalico/calico#3467, #6968",
        _without_pod,
    ),
)

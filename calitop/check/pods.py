"""Pods against the routes that lead to them."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_link, of_pod
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found


def _without_route(facts: NodeFacts) -> Iterator[Found]:
    routed = {(route.dst.split("/")[0], route.dev) for route in facts.unicast}
    for pod in facts.running:
        link = facts.world.links.get(pod.interface or "")
        if link is None or pod.ip is None or facts.index.owner_of_link(link) != "calico":
            continue
        address = pod.ip.split("/")[0]
        if (address, link.name) not in routed:
            yield Found(f"no route leads {address} to its pod at {link.name}", (of_pod(pod), of_link(link)))


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
)

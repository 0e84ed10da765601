"""What a removed CNI has left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from calitop.check.evidence import of_chain
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found
from calitop.cni.names import link_owner

_SIGNS: dict[str, tuple[tuple[str, ...], Callable[[str], bool]]] = {
    "Cilium": (("CILIUM_", "OLD_CILIUM_"), lambda name: link_owner(name) == "cilium"),
    "Flannel": (("FLANNEL-",), lambda name: link_owner(name) == "flannel"),
    "Weave": (("WEAVE",), lambda name: name.startswith(("weave", "vethwe"))),
}
"""How the chains begin, and which interfaces are the owner's; who has interfaces is there."""


def _leftovers(facts: NodeFacts) -> Iterator[Found]:
    """Chains that are still called, without any interface of their owner."""
    for owner, (chains, is_own) in _SIGNS.items():
        if any(map(is_own, facts.world.links)):
            continue
        called = [
            key
            for key in facts.index.chains
            if key.chain.startswith(chains) and facts.index.rules.is_called(key)
        ]
        if called:
            title = f"{len(called)} chains of {owner} are called, but it has no interface here"
            yield Found(title, tuple(map(of_chain, called[:5])))


def _calico(facts: NodeFacts) -> Iterator[Found]:
    """Calico's chains without any of its interfaces or routes."""
    owners = {facts.index.owner_of_link(link) for link in facts.state.links}
    has_workload = facts.index.rules.workload_interfaces & facts.world.links.keys()
    has_routes = any(True for _ in facts.routes_of("calico")) or any(
        route.type == "blackhole" and facts.index.owner_of_route(route) == "calico"
        for route in facts.state.routes
    )
    dispatch = [key for key in facts.index.chains if key.chain.endswith("cali-from-wl-dispatch")]
    if dispatch and not has_workload and not has_routes and "calico" not in owners:
        title = "Calico's chains stand here, without any interface or route of Calico"
        yield Found(title, tuple(map(of_chain, dispatch)))


CHECKS = (
    Check(
        "cni-leftovers",
        "info",
        ("links", "rules"),
        "The chains of a CNI that seems to be removed still see every packet.",
        "If it is removed, drain and reboot the node, or remove its chains.",
        "projectcalico/calico#12920",
        _leftovers,
    ),
    Check(
        "calico-leftovers",
        "info",
        ("links", "routes", "rules"),
        "Felix's chains outlive it. If Calico was removed they drop what comes from new interfaces that "
        "begin as its own did (Unknown interface). On a new node without pods this is normal.",
        "If Calico is removed, reboot the node, or remove its chains.",
        "projectcalico/calico#5100; aws/amazon-vpc-cni-k8s#589",
        _calico,
    ),
)

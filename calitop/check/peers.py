"""Tunnels between the given nodes: whom the other end takes packets from, and what fits its wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from itertools import permutations

from calitop.check.evidence import of_link, of_route, on_node
from calitop.check.facts import HOSTS_SET, NodeFacts, address_of
from calitop.check.mtu import tunnels, wire
from calitop.check.records import CrossCheck, Evidence, Found, Unjudged
from calitop.check.together import Together
from calitop.model.network import Route
from calitop.path.routing import lookup

_ANY = (None, "any", "0.0.0.0")
"""A tunnel that takes its outer source from the route."""
_DROP = "Drop IPIP packets from non-Calico hosts"
_Placed = tuple[NodeFacts, Found | Unjudged]


def _unknown_senders(together: Together) -> Iterator[_Placed]:
    """Nodes whose IPIP packets another one drops, by the outer source that their routes choose."""
    for receiver, sender in permutations(together.nodes, 2):
        hosts = receiver.hosts
        if not _drops_strangers(receiver):
            continue
        if hosts is None:
            yield receiver, Unjudged(f"the members of {HOSTS_SET} (ipset save)")
            continue
        for source, route in _sources(sender, receiver).items():
            if not any(ip_address(source) in host for host in hosts):
                absent = Evidence("set", HOSTS_SET, f"{HOSTS_SET} does not hold {source}")
                title = f"{sender.name or '?'} sends IPIP from {source}, which is not in {HOSTS_SET}"
                yield receiver, Found(title, (absent, on_node(of_route(route), sender.name)))


def _drops_strangers(facts: NodeFacts) -> bool:
    chains = (chain for key, chain in facts.index.chains.items() if key.chain.endswith("cali-INPUT"))
    return any(_DROP in rule.text for chain in chains for rule in chain.rules)


def _sources(sender: NodeFacts, receiver: NodeFacts) -> dict[str, Route]:
    """Outer sources of what one node sends to the other by tunl0, each with the route that leads there."""
    found: dict[str, Route] = {}
    local = dict(sender.world.links["tunl0"].info).get("local") if "tunl0" in sender.world.links else None
    for route in sender.unicast:
        hop = address_of(route.gateway) if route.dev == "tunl0" else None
        if hop is None or hop not in receiver.world.owners:
            continue
        way = lookup(sender.world, hop).way
        source = local if local not in _ANY else way.src if way is not None else None
        if source is not None:
            found.setdefault(source, route)
    return found


def _too_big_there(together: Together) -> Iterator[_Placed]:
    """A tunnel whose packets fit this node's wire but not the other one's."""
    for here, there in permutations(together.nodes, 2):
        for link, overhead in tunnels(here):
            near, far = wire(here, link), wire(there, there.world.links.get(link.name))
            if near is None or far is None or not (near.mtu and far.mtu and link.mtu):
                yield here, Unjudged(f"the wires under {link.name} and all sizes (ip route, ip link)")
            elif far.mtu < link.mtu + overhead <= near.mtu:
                title = f"{link.name} with {link.mtu} bytes and {overhead} of header exceeds {far.name}"
                evidence = (of_link(link), replace(of_link(far), node=there.name))
                yield here, Found(f"{title} of {there.name or '?'} with {far.mtu}", evidence)


CROSS_CHECKS = (
    CrossCheck(
        "ipip-sender-unknown",
        "error",
        ("links", "routes", "rules"),
        "Calico drops IPIP packets whose outer source is not in this set. The sender's routes choose a "
        "source that Calico does not know it by: what its pods send is dropped here in cali-INPUT.",
        "See which address Calico knows the sender by (calicoctl get node -o yaml), and pin the "
        "autodetection (IP_AUTODETECTION_METHOD).",
        "projectcalico/calico#3665, #4456",
        _unknown_senders,
    ),
    CrossCheck(
        "mtu-between-nodes",
        "warning",
        ("links", "routes"),
        "The nodes' wires have different sizes: a full packet in this tunnel does not fit the other node's. "
        "Pings pass, big packets hang.",
        "Set one MTU for all nodes, the smallest wire's less the tunnel's header (FelixConfiguration "
        "ipipMTU, vxlanMTU, wireguardMTU).",
        "projectcalico/calico#1709, #7651",
        _too_big_there,
    ),
)

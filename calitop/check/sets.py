"""Sets that rules ask, and who is in them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from calitop.check.evidence import of_link, of_route, of_rule
from calitop.check.facts import HOSTS_SET, NodeFacts, address_of
from calitop.check.records import Check, Evidence, Found, Unjudged
from calitop.model.network import Route

_MEMBERS = f"the members of {HOSTS_SET} (ipset save)"
_NOT_NODES = ("cilium", "docker", "flannel")
"""Owners of interfaces whose addresses are never a node's."""


def _missing(facts: NodeFacts) -> Iterator[Found]:
    """The first rule that asks each set that the listing lacks."""
    for name, refs in facts.index.sets.users_by_set.items():
        if name not in facts.world.sets:
            key, at = refs[0].key, refs[0].index
            evidence = of_rule(key, at, facts.index.chains[key].rules[at])
            yield Found(f"a rule asks set {name}, which is not listed", (evidence,))


def _missing_peers(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Next hops by tunl0 whose packets the IPIP rules would not know."""
    hosts, peers = facts.hosts, _ipip_peers(facts)
    if hosts is None and peers and facts.has_calico_rules:
        yield Unjudged(_MEMBERS)
    for gateway, route in peers.items() if hosts is not None else ():
        if not any(gateway in host for host in hosts or ()):
            absent = Evidence("set", HOSTS_SET, f"{HOSTS_SET} does not hold {gateway}")
            yield Found(f"IPIP peer {gateway} is not in {HOSTS_SET}", (absent, of_route(route)))


def _foreign_hosts(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Members that are an address of another CNI's interface here."""
    hosts = facts.hosts or ()
    if facts.hosts is None and HOSTS_SET in facts.world.sets:
        yield Unjudged(_MEMBERS)
    for link in facts.state.links:
        if facts.index.owner_of_link(link) not in _NOT_NODES:
            continue
        for address in (text.split("/")[0] for text in link.addresses):
            if any(str(host.network_address) == address for host in hosts):
                member = Evidence("set", HOSTS_SET, f"{HOSTS_SET} holds {address}")
                yield Found(f"{HOSTS_SET} holds {address} of {link.name}", (member, of_link(link)))


def _ipip_peers(facts: NodeFacts) -> dict[IPv4Address, Route]:
    """Each next hop by tunl0 with the first route that uses it."""
    peers: dict[IPv4Address, Route] = {}
    for route in facts.unicast:
        hop = address_of(route.gateway) if route.dev == "tunl0" else None
        if isinstance(hop, IPv4Address):
            peers.setdefault(hop, route)
    return peers


CHECKS = (
    Check(
        "rule-missing-set",
        "warning",
        ("rules", "set_names"),
        "The kernel keeps a set while a rule asks it, so rules and sets were read at different moments, or "
        "the listing is cut. Whether such a rule fits is unknown.",
        "Read both again at once (calitop save).",
        "ipset(8), destroy; projectcalico/calico#8025",
        _missing,
    ),
    Check(
        "ipip-peer-unknown",
        "error",
        ("rules", "sets", "routes"),
        "Calico drops IPIP packets from hosts that are not in this set: this node's packets may "
        "reach the peer, but what the peer sends is dropped in cali-INPUT.",
        "See which address Calico knows the node by (calicoctl get node -o yaml), and that Felix runs here.",
        "projectcalico/calico#4456, #3665, #1357",
        _missing_peers,
    ),
    Check(
        "host-address-autodetected-wrong",
        "warning",
        ("links", "sets"),
        "Calico takes the address of another CNI's interface for the node's own: peers tunnel to it.",
        "Pin the autodetection (IP_AUTODETECTION_METHOD, or kubernetes: NodeInternalIP).",
        "projectcalico/calico#8700, #5705, #10233; cilium/cilium#27666",
        _foreign_hosts,
    ),
)

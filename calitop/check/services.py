"""Service addresses and what kube-proxy, Calico and Cilium do to packets for them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

from calitop.check.evidence import of_link, of_route, of_rule
from calitop.check.facts import SERVICE_SETS, NodeFacts, Prefix, address_of, prefix_of
from calitop.check.records import Check, Found, Unjudged
from calitop.formats.spec import spec
from calitop.model.matches import Mark
from calitop.model.rules import ChainKey
from calitop.model.targets import SetMark
from calitop.model.values import Address
from calitop.path.routing import lookup

_SERVICE = re.compile(r" -d (\S+)/(?:32|128) ")
_NFT_CLUSTER_IPS = ("kube-proxy", "cluster-ips")
"""Its table and set of service addresses in nftables mode."""
_FIELD, _HOST, _IDENTITY = 0xF00, 0xC00, 0xF00
"""Cilium's field of the mark, "from this host" and "carries an identity" (bpf/lib/common.h)."""


def _blackholed(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """A blackhole that takes a service's address where no interface has it."""
    if any(route.type == "blackhole" for route in facts.state.routes):
        yield from (Unjudged(f"the members of {name}") for name in _unread(facts))
    services = {version: sorted(found) for version, found in _by_version(facts).items()}
    for route in facts.state.routes:
        prefix = prefix_of(route.dst) if route.type == "blackhole" else None
        first = None if prefix is None else _first_in(services.get(prefix.version, []), prefix)
        way = None if first is None else lookup(facts.world, first).way
        if way is not None and way.type == "blackhole":
            title = f"blackhole {route.dst} takes what this host sends to the service {first}"
            yield Found(title, (of_route(route),))


def _by_version(facts: NodeFacts) -> dict[int, set[int]]:
    """Services' addresses as numbers, by version of IP."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for address in _addresses(facts):
        found[address.version].add(int(address))
    return found


def _first_in(numbers: Sequence[int], prefix: Prefix) -> Address | None:
    """The lowest of sorted addresses in a prefix."""
    at = bisect_left(numbers, int(prefix.network_address))
    is_in = at < len(numbers) and numbers[at] <= int(prefix.broadcast_address)
    return type(prefix.network_address)(numbers[at]) if is_in else None


def _addresses(facts: NodeFacts) -> Iterator[Address]:
    """Addresses of services, by kube-proxy's rules or its sets."""
    return (address for address in map(address_of, _service_words(facts)) if address is not None)


def _service_words(facts: NodeFacts) -> Iterator[str]:
    for key, chain in facts.index.chains.items():
        if key.chain == "KUBE-SERVICES" and key.table == "nat":
            found = (_SERVICE.search(rule.text) for rule in chain.rules)
            yield from (match[1] for match in found if match is not None)
    for one in facts.state.sets:
        if one.name in SERVICE_SETS:
            yield from (member.split(",")[0] for member in one.members or ())
    for key, one_set in facts.world.nft_sets.items():
        if (key.table, key.chain) == _NFT_CLUSTER_IPS:
            yield from (element for element, _ in one_set.elements)


def _unread(facts: NodeFacts) -> Iterator[str]:
    """Sets of services' addresses that were not read whole."""
    for one in facts.state.sets:
        if one.name in SERVICE_SETS and one.members is None:
            yield f"{one.name} (ipset save)"
    for key, one_set in facts.world.nft_sets.items():
        if (key.table, key.chain) == _NFT_CLUSTER_IPS and one_set.complete is not True:
            yield f"{key.chain} (nft list ruleset)"


def _vxlan_order(facts: NodeFacts) -> Iterator[Found]:
    """Calico's masquerade before kube-proxy's, with a VXLAN tunnel behind both."""
    tunnel = facts.world.links.get("vxlan.calico")
    is_used = any(route.dev == "vxlan.calico" for route in facts.unicast)
    for key, chain in facts.index.chains.items() if tunnel is not None and is_used else ():
        if key.table == "nat" and chain.hook == "POSTROUTING" and key.backend != "native":
            ours, theirs = _jump(facts, key, "cali-POSTROUTING"), _jump(facts, key, "KUBE-POSTROUTING")
            if ours is not None and theirs is not None and ours < theirs and tunnel is not None:
                evidence = tuple(of_rule(key, at, chain.rules[at]) for at in (ours, theirs))
                title = "Calico masquerades before kube-proxy, and packets leave by vxlan.calico"
                yield Found(title, (*evidence, of_link(tunnel)))


def _jump(facts: NodeFacts, key: ChainKey, name: str) -> int | None:
    """Index of the first rule that leads to the chain."""
    targets = facts.index.rules.targets(key)
    return next((at for at, called in targets.items() if any(one.chain == name for one in called)), None)


def _host_mark(facts: NodeFacts) -> Iterator[Found]:
    """Cilium marks as the host's own what carries an identity, beside kube-proxy in IPVS mode."""
    ipvs = facts.world.links.get("kube-ipvs0")
    for key, chain in facts.index.chains.items() if ipvs is not None else ():
        for at, rule in enumerate(chain.rules if key.chain == "CILIUM_OUTPUT" else ()):
            actions = [target.action for target in spec(rule).targets]
            sets_host = any(
                isinstance(act, SetMark) and (act.value, act.mask) == (_HOST, _FIELD) for act in actions
            )
            spares = any(
                match.negated and (match.value, match.mask) == (_IDENTITY, _FIELD)
                for match in spec(rule).find(Mark)
            )
            if sets_host and not spares and ipvs is not None:
                title = "Cilium's mark for the host overwrites the identity of pods that IPVS sends on"
                yield Found(title, (of_rule(key, at, rule), of_link(ipvs)))


CHECKS = (
    Check(
        "blackhole-over-services",
        "error",
        ("links", "routes", "rules"),
        "The host looks up the route before kube-proxy rewrites the destination, so what it sends to these "
        "services is dropped. BIRD put the blackhole there for a range that it announces.",
        "Update Calico (fixed in confd by pull request 295), and remove the route: ip route "
        "del blackhole RANGE.",
        "projectcalico/calico#2457; projectcalico/confd#295",
        _blackholed,
    ),
    Check(
        "vxlan-masquerade-order",
        "info",
        ("links", "routes", "rules"),
        "Packets to NodePorts may be rewritten twice on their way into the tunnel. Kernels that then leave "
        "the checksum to the tunnel's offload send bad ones: TCP waits 63 seconds or hangs, ping works. "
        "Whether offload is on, no rule or route shows.",
        "If TCP to services by VXLAN is slow: ethtool -K vxlan.calico tx-checksum-ip-generic off, or a newer "
        "Calico, which masquerades behind kube-proxy.",
        "projectcalico/calico#3145, #8860, #9091",
        _vxlan_order,
    ),
    Check(
        "cilium-host-mark",
        "info",
        ("links", "rules"),
        "With kube-proxy in IPVS mode a pod's packet to a NodePort passes OUTPUT, where this rule replaces "
        "the sign that it carries an identity; Cilium's SNAT for such packets then does not fit.",
        "If pods do not reach NodePorts: let kube-proxy run in iptables mode, or Cilium replace it.",
        "cilium/cilium#18610",
        _host_mark,
    ),
)

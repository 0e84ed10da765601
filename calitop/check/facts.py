"""One node as the checks see it: its lookups, and which of their inputs were read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from calitop.cni.index import NodeIndex
from calitop.cni.names import calico_rest, link_owner
from calitop.counters.counts import Counts
from calitop.model.network import Route
from calitop.model.node import NodeState, Pod, SourceFile
from calitop.model.rules import Chain, ChainKey, Rule
from calitop.model.values import Address
from calitop.path.node import Node

Need = Literal[
    "links", "routes", "rules", "set_names", "sets", "pods", "sysctls", "conntrack_count", "cni", "counts"
]
Prefix = IPv4Network | IPv6Network

NEEDS: dict[Need, str] = {
    "links": "all interfaces (ip -j -d link, ip -j addr)",
    "routes": "the routes (ip -j route show table all)",
    "rules": "the whole ruleset (iptables-save -c)",
    "set_names": "the names of the ipsets (ipset list -t)",
    "sets": "the members of Calico's ipsets (ipset save)",
    "pods": "the pods (kubectl get pods -A -o wide, by --pods)",
    "sysctls": "the settings (sysctl -a)",
    "conntrack_count": "net.netfilter.nf_conntrack_count and _max (sysctl -a)",
    "cni": "the files in /etc/cni/net.d (ls /etc/cni/net.d)",
    "counts": "a second moment, with traffic between both (calitop save, twice)",
}
"""In words, with the command that prints it."""

_KEPT = 16_384
"""Texts whose address or prefix is kept: several checks ask for those of each of 10,000 routes."""

HOSTS_SET = "cali40all-hosts-net"
POOL_SETS = ("cali40all-ipam-pools", "cali60all-ipam-pools")
"""The nodes' addresses and the pools' ranges (felix/rules/rule_defs.go)."""
MASQUERADED_SET = "cali40masq-ipam-pools"
"""The pools with natOutgoing."""
_CALICO_SETS = (HOSTS_SET, *POOL_SETS, MASQUERADED_SET)
SERVICE_SETS = ("KUBE-CLUSTER-IP", "KUBE-6-CLUSTER-IP")
"""The addresses and ports of services (kube-proxy in IPVS mode)."""
ASKED_SETS = (*_CALICO_SETS, *SERVICE_SETS)
"""The sets whose members checks look at: a live reading leaves members out."""


class NodeFacts:
    """What the checks of one node ask for.

    Args:
        state: The node at one moment.
        counts: What was counted since an earlier moment.
        earlier: An index of the same rules, whose lookups are shared.

    Attributes:
        state: The node at one moment.
        index: Owners, roles and callers.
        node: Its chains, ready for a packet to walk.
        world: Addresses, settings, routing tables, sets.
        counts: What was counted since an earlier moment; None where there is none.
    """

    def __init__(
        self, state: NodeState, counts: Counts | None = None, earlier: NodeIndex | None = None
    ) -> None:
        self.state = state
        self.counts = counts
        self.index = earlier if earlier is not None and earlier.state is state else NodeIndex(state, earlier)
        self.node = Node(state.name or "?", state)
        self.world = self.node.world

    @property
    def name(self) -> str | None:
        """The node's name; None where no source tells it."""
        return self.state.name

    def lacks(self, needs: tuple[Need, ...]) -> tuple[Need, ...]:
        """Those of the needs that were not read, or only in part."""
        return tuple(need for need in needs if not _READ[need](self))

    # -- what was read whole

    @cached_property
    def has_all_links(self) -> bool:
        """Whether the listing of interfaces is whole: every namespace has `lo`, and a grep loses it."""
        return "lo" in self.world.links

    @cached_property
    def has_all_rules(self) -> bool:
        """Whether all rules were read: no chain is known to be cut, no backend failed to answer.

        A ruleset that is known to be empty was read, too.
        """
        chains = self.index.chains.values()
        is_whole = all(chain.complete is True for chain in chains) if chains else self.state.has_no_rules
        return is_whole and not any(map(_failed, self.state.files))

    @cached_property
    def is_unabridged(self) -> bool:
        """Whether nobody can have shortened the rules: calitop read them, for a snapshot or just now.

        A live reading names commands (`iptables-save -c`) where a snapshot names files.
        """
        return any(
            one.kind == "manifest" or one.file.endswith(("-save -c", "list ruleset"))
            for one in self.state.files
        )

    @property
    def has_set_names(self) -> bool:
        """Whether the names of all ipsets were read, or there surely are none."""
        return bool(self.state.sets) or "sets" in self.state.none_of

    @property
    def has_members(self) -> bool:
        """Whether sets were read, with the members of all that checks look at."""
        asked = [one for one in self.state.sets if one.name in _CALICO_SETS]
        is_read = self.has_set_names or self._native_hosts is not None
        return is_read and all(one.members is not None for one in asked)

    @property
    def has_counters(self) -> bool:
        """Whether rules were counted at both moments."""
        chains = self.counts.chains.values() if self.counts is not None else ()
        return any(one.values[at] is not None for one in chains for at in range(len(one.values) - 1))

    @property
    def dispatch_maps(self) -> dict[str, bool | None]:
        """Calico's maps from interface to chain in nftables mode, and whether all elements were read."""
        maps = self.world.nft_sets.values()
        return {one.name: one.complete for one in maps if one.is_map and "wl-dispatch" in one.name}

    # -- what is there

    @cached_property
    def hosts(self) -> list[Prefix] | None:
        """The nodes that Calico knows, by its ipset or, in nftables mode, its own set; None if unread."""
        found = self.world.sets.get(HOSTS_SET)
        members = found.members if found is not None else self._native_hosts
        prefixes = [prefix_of(member.split()[0]) for member in members or ()]
        known = [prefix for prefix in prefixes if prefix is not None]
        return known if members is not None and len(known) == len(prefixes) else None

    @property
    def _native_hosts(self) -> tuple[str, ...] | None:
        """Members of the set of that name in the table `calico` (felix/nftables/ipsets.go)."""
        for key, one in self.world.nft_sets.items():
            if (key.table, key.chain) == ("calico", HOSTS_SET) and one.complete is True:
                return tuple(name for name, _ in one.elements)
        return None

    @cached_property
    def unicast(self) -> tuple[Route, ...]:
        """Routes that forward, without the kernel's own table `local`."""
        return tuple(
            route for route in self.state.routes if route.type == "unicast" and route.table != "local"
        )

    def routes_of(self, owner: str) -> Iterator[tuple[Route, Prefix]]:
        """The forwarding routes that one owner made, with their prefixes; no default routes."""
        return iter(self._routes_by_owner.get(owner, ()))

    @cached_property
    def _routes_by_owner(self) -> dict[str | None, list[tuple[Route, Prefix]]]:
        found: defaultdict[str | None, list[tuple[Route, Prefix]]] = defaultdict(list)
        for route in self.unicast:
            prefix = prefix_of(route.dst)
            if prefix is not None:
                found[self.index.owner_of_route(route)].append((route, prefix))
        return found

    @cached_property
    def has_cilium(self) -> bool:
        """Whether Cilium has an interface or a route here."""
        names = {*self.world.links, *(route.dev for route in self.state.routes if route.dev)}
        return any(link_owner(name) == "cilium" for name in names)

    @cached_property
    def is_signed(self) -> bool:
        """Whether a rule of Calico's carries a signature of Felix; a text without comments has none."""
        return any(map(self.index.is_signed, self.index.chains))

    @cached_property
    def has_calico_rules(self) -> bool:
        """Whether rules stand in Calico's chains."""
        chains = self.index.chains.items()
        return any(len(chain.rules) and self.index.owner_of_chain(key) == "calico" for key, chain in chains)

    @cached_property
    def has_calico(self) -> bool:
        """Whether Calico's rules, interfaces or routes are here."""
        links = (self.index.owner_of_link(link) for link in self.state.links)
        chains = any(self.index.owner_of_chain(key) == "calico" for key in self.index.chains)
        return chains or "calico" in links or any(True for _ in self.routes_of("calico"))

    @cached_property
    def running(self) -> tuple[Pod, ...]:
        """Pods of this node that run and have an address of their own."""
        return tuple(pod for pod in self.index.local_pods if is_running(pod))

    def rules(self) -> Iterator[tuple[ChainKey, Chain, int, Rule]]:
        """Every rule with its chain and its index from 0."""
        for key, chain in self.index.chains.items():
            for at, rule in enumerate(chain.rules):
                yield key, chain, at, rule


_RULES = ("iptables-save", "nft list ruleset")
"""Kinds of files that hold rules."""


def _failed(file: SourceFile) -> bool:
    """Whether a program that should have told rules told none."""
    return file.kind in _RULES and not file.lines and bool(file.problems)


def is_running(pod: Pod) -> bool:
    """Whether the pod runs with an address of its own; a finished pod's may be somebody else's by now."""
    return pod.status == "Running" and pod.ip is not None and not pod.host_network


def drops_spoofed(key: ChainKey, rule: Rule) -> bool:
    """Whether it is Calico's own reverse path test in table raw, which no setting of the kernel changes."""
    is_test = "rpfilter" in rule.text or "fib saddr" in rule.text
    return is_test and rule.target == "DROP" and calico_rest(key.chain) == "PREROUTING"


@lru_cache(_KEPT)
def address_of(text: str | None) -> Address | None:
    """A next hop as an address; None where there is none, or a name (`route` without -n)."""
    try:
        return ip_address(text or "")
    except ValueError:
        return None


@lru_cache(_KEPT)
def prefix_of(dst: str) -> Prefix | None:
    """A route's destination as a prefix; None for `default` and what is none."""
    try:
        prefix = ip_network(dst, strict=False)
    except ValueError:
        return None
    return prefix if prefix.prefixlen else None


def _has_counts(facts: NodeFacts) -> bool:
    names = ("net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max")
    return all(facts.world.sysctl(name) is not None for name in names)


_READ: dict[Need, Callable[[NodeFacts], bool]] = {
    "links": lambda facts: facts.has_all_links,
    "routes": lambda facts: bool(facts.state.routes),
    "rules": lambda facts: facts.has_all_rules,
    "set_names": lambda facts: facts.has_set_names,
    "sets": lambda facts: facts.has_members,
    "pods": lambda facts: any(pod.status for pod in facts.state.pods),  # Only a list tells what runs.
    "sysctls": lambda facts: any(name.endswith(".rp_filter") for name in facts.state.sysctls),
    "conntrack_count": _has_counts,
    "cni": lambda facts: bool(facts.state.cni_configs) or "cni_configs" in facts.state.none_of,
    "counts": lambda facts: facts.counts is not None,
}

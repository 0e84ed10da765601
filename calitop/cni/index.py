"""What belongs together on one node: pods, interfaces, routes, chains, and who made them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from calitop.cni.bpf import DecidedInBpf, decided_in_bpf
from calitop.cni.map_index import MapIndex
from calitop.cni.names import (
    CANARIES,
    ChainRole,
    chain_owner,
    chain_role,
    comment_owner,
    link_owner,
    link_role,
    table_owner,
)
from calitop.cni.owners import covers, owner_of_ip_rule, owner_of_link, owner_of_route
from calitop.cni.pod_ends import PodEnds
from calitop.cni.pods import interface_name, node_of_list, pod_name, pods_by_address
from calitop.cni.profiles import profiles_by_chain
from calitop.cni.rule_index import RuleIndex, RuleRef
from calitop.cni.set_index import SetIndex
from calitop.model.network import IpRule, Link, Route
from calitop.model.node import IpSet, NodeState, Pod, PodSign
from calitop.model.rules import Chain, ChainKey, MapKey, Rule, Ruleset, TableKey

if TYPE_CHECKING:
    from calitop.cni.marks import MarkBits

__all__ = ["ChainRole", "NodeIndex", "RuleRef"]

_FROM_AND_TO = {"from workload": "from the pod {} (egress)", "to workload": "to the pod {} (ingress)"}


class NodeIndex:
    """Lookups over one state; the tables behind them are built on first request.

    Attributes:
        state: The node it speaks of.
        rules: The lookups that need the rules only.
        maps: The named sets and maps of nft tables.
        sets: Which rules name an ipset.
        is_prepared: Whether explaining one thing costs no more than that thing (`prepare`).
    """

    is_prepared = False

    def __init__(self, state: NodeState, earlier: NodeIndex | None = None) -> None:
        """Index a state, sharing what an earlier index has found for the very same chains."""
        self.state = state
        shared = earlier.rules if earlier is not None else None
        self.rules: RuleIndex = (
            shared
            if shared and _same(shared.rulesets, state.rulesets)
            else RuleIndex(state.rulesets, shared if shared and shared.chains else None)
        )
        self._roles: dict[ChainKey, ChainRole] = {}
        if earlier is not None and earlier.state.pods == state.pods:
            self._roles = self._roles_after(earlier)
        is_same = earlier is not None and earlier.rules is self.rules
        self.maps: MapIndex = earlier.maps if earlier and is_same else MapIndex(self.rules)
        self.sets: SetIndex = earlier.sets if earlier and is_same else SetIndex(self.rules)

    def prepare(self) -> NodeIndex:
        """Build now what a key may ask for, so that none waits for it."""
        self.prepare_first_screen()
        self.rules.rules_for_interface("")
        for key in self.chains:
            self.role_of_chain(key)
        _ = self.marks, self.cut_tables, self._signed, self.profiles_by_chain
        _ = self.rules.bases_above, self.sets.users_by_set
        self.is_prepared = True
        return self

    def prepare_first_screen(self) -> NodeIndex:
        """Build now what the first screen asks for at once."""
        _ = (
            self.rules.chains_by_interface,
            self.rules.callers_by_chain,
            self._pods_by_address,
            self._routes_by_interface,
            self.bpf,
        )
        return self

    @property
    def chains(self) -> dict[ChainKey, Chain]:
        """Every chain by its key, in the order of the sources."""
        return self.rules.chains

    def pod_of_interface(self, name: str) -> Pod | None:
        """The pod behind that interface; None where unknown."""
        return self._pods_by_interface.get(name)

    def pod_of_address(self, ip: str) -> Pod | None:
        """The pod with that address, given with or without its length; None for host network."""
        return self._pods_by_address.get(ip.split("/")[0])

    def signs_of_interface(self, name: str) -> list[PodSign]:
        """The network namespaces of processes that are at the other end of that interface."""
        return self._signs_by_interface.get(name, [])

    @cached_property
    def sets_by_name(self) -> Mapping[str, IpSet]:
        """The ipsets by name."""
        return {one.name: one for one in self.state.sets}

    @cached_property
    def bpf(self) -> DecidedInBpf | None:
        """What is decided in BPF here and stands in no rule."""
        return decided_in_bpf(self.state, self.chains)

    @cached_property
    def marks(self) -> MarkBits:
        """What the bits of the packet mark mean here."""
        # Imported late: the records of matches cost a tenth of the time to the first frame.
        from calitop.cni.marks import infer

        return infer(self.state)

    @cached_property
    def profiles_by_chain(self) -> Mapping[str, str]:
        """Profiles that may be here, by the name of their chain; also where that is a hash."""
        return profiles_by_chain(self.state.pods, (key.chain for key in self.chains))

    @cached_property
    def local_pods(self) -> tuple[Pod, ...]:
        """The pods that run on this node, by the list or by their interface."""
        node = node_of_list(self.state)
        return tuple(
            pod for pod in self.state.pods if pod.interface or (node is not None and pod.node == node)
        )

    def role_of_chain(self, key: ChainKey) -> ChainRole:
        """What the chain is for, with the pod's name where its interface is known."""
        role = self._roles.get(key)
        if role is None:
            role = self._roles[key] = self._role(key, self.chains.get(key))
        return role

    def owner_of_chain(self, key: ChainKey) -> str | None:
        """Who made the chain; `kernel` for the built-in chains of iptables."""
        chain = self.chains.get(key)
        if chain is not None and chain.builtin and key.backend != "native":
            return "kernel"
        return chain_owner(key.chain, key.table)

    def owner_of_map(self, key: MapKey) -> str | None:
        """Who made a named set or map: whoever made its table."""
        return table_owner(key.table.table)

    def owner_of_link(self, link: Link) -> str | None:
        """Who made the link."""
        return owner_of_link(link, self._workloads, self._tunnelled)

    def owner_of_route(self, route: Route) -> str | None:
        """Who made the route; a discarded prefix around local Calico pods is Calico's block."""
        owner = owner_of_route(route, self._workloads, self._links)
        if (
            owner is None
            and route.proto is None
            and route.type != "unicast"
            and covers(route, self._pod_routes)
        ):
            return "calico"
        return owner

    def owner_of_rule(self, key: ChainKey, rule: Rule) -> str | None:
        """Who wrote the rule: by its signature, else by the chain it leads to or stands in.

        Felix signs every rule, so an unsigned rule in one of its iptables chains is
        somebody else's, unless the text carries no signatures at all (`is_signed`): unknown.
        """
        signed = comment_owner(rule.text)
        if signed is not None:
            return signed
        here = self.owner_of_chain(key)
        if here == "calico" and rule.language == "iptables":
            return None
        if here not in (None, "kernel"):
            return here
        return chain_owner(rule.target) if rule.target else None

    def is_signed(self, key: ChainKey) -> bool:
        """Whether the rules of the chain's family and backend carry Felix's signatures.

        Where none does, as in a text without comments, an unsigned rule tells nothing.
        """
        return key[:2] in self._signed

    @cached_property
    def _signed(self) -> frozenset[tuple[str | None, str | None]]:
        return frozenset(
            key[:2]
            for key, chain in self.chains.items()
            if self.owner_of_chain(key) == "calico"
            and chain.may_hold("cali:")
            and any(comment_owner(rule.text) == "calico" for rule in chain.rules)
        )

    def owner_of_ip_rule(self, rule: IpRule) -> str | None:
        """Who made the policy rule."""
        return owner_of_ip_rule(rule, has_cilium=self._has_cilium)

    def role_of_link(self, link: Link) -> str | None:
        """What the link serves as: workload, ipip, vxlan, loopback, physical, bridge …"""
        return "workload" if link.name in self._workloads else link_role(link.name, link.kind)

    def chains_of_interface(self, name: str) -> list[ChainKey]:
        """The interface's own chains: from-workload, to-workload, endpoint mark, host endpoint."""
        return self.rules.chains_by_interface.get(name, [])

    def interface_of_chain(self, key: ChainKey) -> str | None:
        """The interface whose chain it is; None for all other chains."""
        return self.role_of_chain(key).interface

    def rules_for_interface(self, name: str) -> list[RuleRef]:
        """The rules whose -i or -o (nft: iifname, oifname) that interface fits, wildcards too.

        Those that look it up in a named set or map come last.
        """
        return [*self.rules.rules_for_interface(name), *self.maps.rules_for_interface(name)]

    def callers(self, key: ChainKey) -> list[RuleRef]:
        """The rules that jump or go to the chain."""
        return self.rules.callers(key)

    def routes_of_interface(self, name: str) -> list[Route]:
        """The routes that leave by that interface, as one of several ways too."""
        return self._routes_by_interface.get(name, [])

    def interface_of_route(self, route: Route) -> str | None:
        """The device by which the route leaves; of several ways the first; None for a blackhole."""
        return route.dev or next((hop.dev for hop in route.nexthops if hop.dev), None)

    def _role(self, key: ChainKey, chain: Chain | None) -> ChainRole:
        if chain is not None and chain.builtin:
            return ChainRole("built-in", f"{chain.hook or key.chain}: the kernel calls it")
        role = chain_role(key.chain, key.table)
        pod = self.pod_of_interface(role.interface) if role.interface else None
        if pod is not None and role.group in _FROM_AND_TO:
            return role._replace(words=_FROM_AND_TO[role.group].format(pod_name(pod)))
        if chain is not None and self._is_orphan(key, chain):
            return role._replace(group="orphan", words=role.words or "nobody calls it")
        return role

    def _is_orphan(self, key: ChainKey, chain: Chain) -> bool:
        return (
            chain.present
            and key.chain not in CANARIES
            and TableKey(*key[:3]) not in self.cut_tables
            and not self.rules.is_called(key)
        )

    @cached_property
    def cut_tables(self) -> frozenset[TableKey]:
        """Tables of which rules are or may be missing: who is not called there is unknown."""
        return frozenset(
            TableKey(*key[:3]) for key, chain in self.chains.items() if chain.complete is not True
        )

    def _roles_after(self, earlier: NodeIndex) -> dict[ChainKey, ChainRole]:
        """The roles, those of an earlier index where nothing they depend on has changed."""
        if earlier.rules is self.rules:
            return earlier._roles
        if self.cut_tables != earlier.cut_tables:
            return {}
        was, old, now = earlier._roles, earlier.rules, self.rules
        return {
            key: was[key]
            for key, chain in self.chains.items()
            if key in was and old.chains.get(key) is chain and old.is_called(key) == now.is_called(key)
        }

    @cached_property
    def _links(self) -> dict[str, Link]:
        return {link.name: link for link in self.state.links}

    @cached_property
    def _pods_by_interface(self) -> dict[str, Pod]:
        return {pod.interface: pod for pod in self.state.pods if pod.interface}

    @cached_property
    def _signs_by_interface(self) -> dict[str, list[PodSign]]:
        ends = PodEnds(self.state)
        found: defaultdict[str, list[PodSign]] = defaultdict(list)
        for sign in self.state.pod_signs:
            for name in ends.behind(sign):
                found[name].append(sign)
        return dict(found)

    @cached_property
    def _pods_by_address(self) -> dict[str, Pod]:
        return pods_by_address(self.state.pods)

    @cached_property
    def _workloads(self) -> frozenset[str]:
        """Calico workload interfaces: named so, proven by a pod's hash, or with chains of their own."""
        names = {*self._links, *(route.dev for route in self.state.routes if route.dev)}
        named = {name for name in names if link_owner(name) == "calico" and name.startswith("cali")}
        proven = {
            pod.interface
            for pod in self.state.pods
            if pod.interface
            and pod.namespace is not None
            and pod.interface.endswith(interface_name(pod.namespace, pod.name, ""))
        }
        return frozenset(named | proven | (self.rules.workload_interfaces & names))

    @cached_property
    def _has_cilium(self) -> bool:
        """Whether an interface of Cilium is known here."""
        names = {*self._links, *(route.dev for route in self.state.routes if route.dev)}
        return any(link_owner(name) == "cilium" for name in names)

    @cached_property
    def _tunnelled(self) -> frozenset[str]:
        return frozenset(
            route.dev
            for route in self.state.routes
            if route.dev and route.table != "local" and route.type in ("unicast", None)
        )

    @cached_property
    def _pod_routes(self) -> tuple[str, ...]:
        return tuple(route.dst for route in self.state.routes if route.dev in self._workloads)

    @cached_property
    def _routes_by_interface(self) -> dict[str, list[Route]]:
        routes: defaultdict[str, list[Route]] = defaultdict(list)
        for route in self.state.routes:
            for dev in dict.fromkeys(filter(None, (route.dev, *(hop.dev for hop in route.nexthops)))):
                routes[dev].append(route)
        return dict(routes)


def _same(a: tuple[Ruleset, ...], b: tuple[Ruleset, ...]) -> bool:
    """Whether the tables are the very same; the rulesets around them are made anew with each state."""
    return len(a) == len(b) and all(
        (x.family, x.backend) == (y.family, y.backend)
        and len(x.tables) == len(y.tables)
        and all(one is other for one, other in zip(x.tables, y.tables, strict=True))
        for x, y in zip(a, b, strict=True)
    )

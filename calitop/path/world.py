"""What a packet's way asks of a node's state, each table built on first request and kept.

It answers facts only; what they mean for a packet stands in `matches`, `routing` and `rp_filter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import TypeAlias

from calitop.model.network import IpFamily, IpRule, Link, Route
from calitop.model.node import IpSet, NodeState
from calitop.model.rules import ChainKey, VerdictMap
from calitop.model.values import Address
from calitop.path.fib import TABLE_NAMES, Fib
from calitop.path.ipsets import Members
from calitop.path.three import Truth

AddressWithNetwork: TypeAlias = "IPv4Interface | IPv6Interface"

_CONF = {"ipv4": "net.ipv4.conf", "ipv6": "net.ipv6.conf"}
_OWN_RULES = ((0, "local"), (32766, "main"), (32767, "default"))
"""Priority and table of the rules that the kernel makes; IPv6 has no table `default`."""


class World:
    """Prepared lookups of one node at one moment.

    Attributes:
        state: The node's state, which is never changed.
    """

    def __init__(self, state: NodeState) -> None:
        self.state = state
        self._members: dict[str, Members | None] = {}
        self._nft_members: dict[ChainKey, Members] = {}

    # -- devices and addresses

    @cached_property
    def links(self) -> dict[str, Link]:
        """The devices by name."""
        return {link.name: link for link in self.state.links}

    @cached_property
    def _kinds_known(self) -> bool:
        return any(link.kind is not None for link in self.state.links)

    @cached_property
    def _addresses_known(self) -> bool:
        """Whether addresses were read at all: a listing of links alone names none."""
        return any(link.addresses for link in self.state.links)

    def is_kind(self, name: str, kind: str) -> Truth:
        """Whether the device is of a kind (`bridge`, `vrf`); None where kinds were not read."""
        link = self.links.get(name)
        if link is None or not self._kinds_known:
            return None
        return link.kind == kind

    def is_loopback(self, name: str) -> Truth:
        """Whether the device is the loopback device."""
        link = self.links.get(name)
        return "LOOPBACK" in link.flags if link is not None and link.flags else name == "lo"

    def has_vrf(self) -> Truth:
        """Whether a VRF exists on this node; None where kinds were not read."""
        return any(link.kind == "vrf" for link in self.state.links) if self._kinds_known else None

    def addresses(self, dev: str, family: IpFamily = "ipv4") -> tuple[Address, ...] | None:
        """The addresses of a device in the kernel's order; None where they were not read."""
        link = self.links.get(dev)
        if link is None or not self._addresses_known:
            return None
        found = (_interface(text) for text in link.addresses)
        return tuple(one.ip for one in found if one is not None and _FAMILIES[one.version] == family)

    def prefixes(self, dev: str, family: IpFamily = "ipv4") -> tuple[AddressWithNetwork, ...]:
        """The addresses of a device with their networks; empty where they were not read."""
        link = self.links.get(dev)
        found = (_interface(text) for text in (link.addresses if link else ()))
        return tuple(one for one in found if one is not None and _FAMILIES[one.version] == family)

    @cached_property
    def owners(self) -> dict[Address, tuple[str, ...]]:
        """The devices that hold each local address, as the links tell."""
        found: dict[Address, tuple[str, ...]] = {}
        for link in self.state.links:
            for family in _FAMILIES.values():
                for one in self.prefixes(link.name, family):
                    found[one.ip] = (*found.get(one.ip, ()), link.name)
        return found

    @property
    def addresses_known(self) -> bool:
        """Whether the addresses of this node were read."""
        return self._addresses_known

    # -- settings

    def sysctl(self, name: str) -> int | None:
        """A setting as a number; None where it was not read."""
        value = self.state.sysctls.get(name)
        try:
            return None if value is None else int(value)
        except ValueError:
            return None

    def setting(self, dev: str, name: str, family: IpFamily = "ipv4") -> int | None:
        """A device's own setting (`forwarding`); None where it was not read."""
        return self.sysctl(self.setting_name(dev, name, family))

    def setting_name(self, dev: str, name: str, family: IpFamily = "ipv4") -> str:
        """The name of a device's setting in sysctl's words; a dot of the device is a slash."""
        return f"{_CONF[family]}.{dev.replace('.', '/')}.{name}"

    def either(self, dev: str, name: str) -> Truth:
        """A switch that is on when `all` or the device has it on (IN_DEV_ORCONF)."""
        found = [self.setting("all", name), self.setting(dev, name)]
        if any(found):
            return True
        return None if None in found else False

    # -- routes and rules

    @cached_property
    def fibs(self) -> dict[IpFamily, dict[str, Fib]]:
        """The routing tables of each family by name."""
        routes: dict[IpFamily, dict[str, list[Route]]] = {"ipv4": {}, "ipv6": {}}
        for route in self.state.routes:
            routes[route.family].setdefault(table_name(route.table), []).append(route)
        return {
            family: {name: Fib(family, found) for name, found in tables.items()}
            for family, tables in routes.items()
        }

    def fib(self, family: IpFamily, table: str) -> Fib | None:
        """One routing table; None where it was not read.

        A table without routes is only known to be empty where all tables were listed. The table
        local can be made from the addresses, for it holds one route for each of them.
        """
        tables = self.fibs[family]
        if table in tables or not tables:
            return tables.get(table)
        if table == "local":
            return self._local_by_addresses[family]
        return _EMPTY[family] if self.all_tables_read(family) or table == "main" else None

    @cached_property
    def _local_by_addresses(self) -> dict[IpFamily, Fib | None]:
        return {family: self._local_fib(family) for family in _FAMILIES.values()}

    def _local_fib(self, family: IpFamily) -> Fib | None:
        if not self._addresses_known:
            return None
        routes = [
            route
            for link in self.state.links
            if link.up is not False
            for one in self.prefixes(link.name, family)
            for route in local_routes(link.name, one, family)
        ]
        return Fib(family, routes)

    def all_tables_read(self, family: IpFamily) -> bool:
        """Whether every table was listed: only `show table all` shows the table local."""
        return "local" in self.fibs[family]

    @cached_property
    def _rules(self) -> dict[IpFamily, tuple[IpRule, ...]]:
        found: dict[IpFamily, list[IpRule]] = {"ipv4": [], "ipv6": []}
        for rule in self.state.ip_rules:
            found[rule.family].append(rule)
        return {
            family: tuple(sorted(rules, key=lambda rule: rule.priority)) for family, rules in found.items()
        }

    def rules_read(self, family: IpFamily) -> bool:
        """Whether the policy rules were read; a node always has some."""
        return bool(self._rules[family])

    def rules(self, family: IpFamily) -> tuple[IpRule, ...]:
        """The policy rules in order; the kernel's own where none were read."""
        return self._rules[family] or _own_rules(family)

    def only_own_rules(self, family: IpFamily) -> bool:
        """Whether the rules are exactly those that the kernel itself makes."""
        return tuple(_bare(rule) for rule in self.rules(family)) == _own_rules(family)

    def merged(self, dst: int) -> Fib | None:
        """Tables local and main as one, where that can give another answer for an IPv4 address.

        Until a policy rule is added the kernel keeps both in one trie (fib_unmerge), so a longer
        prefix in main wins over a shorter one in local; nothing shows whether that is the case.
        """
        local, main = self.fib("ipv4", "local"), self.fib("ipv4", "main")
        if local is None or main is None or not self.only_own_rules("ipv4"):
            return None
        is_main_special = any(
            route.type in ("local", "broadcast", "anycast") for _, route in main.candidates(dst)
        )
        return self._local_and_main if is_main_special or any(local.candidates(dst)) else None

    @cached_property
    def _local_and_main(self) -> Fib:
        tables = (self.fib("ipv4", "local"), self.fib("ipv4", "main"))
        return Fib("ipv4", [route for fib in tables if fib is not None for route in fib.routes()])

    # -- sets

    @cached_property
    def sets(self) -> dict[str, IpSet]:
        """The ipsets by name."""
        return {one.name: one for one in self.state.sets}

    def members(self, name: str) -> Members | None:
        """A set's members made ready for lookups; None where the set or its members are not known."""
        if name not in self._members:
            found = self.sets.get(name)
            known = found is not None and found.members is not None
            self._members[name] = Members(found, self.members) if found is not None and known else None
        return self._members[name]

    @cached_property
    def nft_sets(self) -> dict[ChainKey, VerdictMap]:
        """The named nft sets and maps, by the key that a chain of that name in their table would have."""
        return {
            ruleset.key(table).chain(one.name): one
            for ruleset in self.state.rulesets
            for table in ruleset.tables
            for one in table.maps
        }

    def nft_members(self, key: ChainKey, made: Callable[[], Members]) -> Members:
        """An nft set's addresses made ready for lookups, once."""
        found = self._nft_members.get(key)
        if found is None:
            found = self._nft_members[key] = made()
        return found


_FAMILIES: dict[int, IpFamily] = {4: "ipv4", 6: "ipv6"}


_EMPTY: dict[IpFamily, Fib] = {family: Fib(family, []) for family in _FAMILIES.values()}


def local_routes(dev: str, own: AddressWithNetwork, family: IpFamily) -> Iterator[Route]:
    """The routes that the kernel puts into table local for one address (fib_add_ifaddr)."""
    host = f"{own.ip}/{own.max_prefixlen}"
    yield Route(family, host, "local", "local", dev=dev, src=str(own.ip), scope="host")
    if own.ip.is_loopback and family == "ipv4":
        yield Route(family, str(own.network), "local", "local", dev=dev, src=str(own.ip), scope="host")
    if family == "ipv4" and own.network.prefixlen < 31:
        last = own.network.broadcast_address
        yield Route(family, f"{last}/32", "local", "broadcast", dev=dev, src=str(own.ip), scope="link")


def table_name(table: str | None) -> str:
    """One name for a table that a source may also give by number."""
    return TABLE_NAMES.get(table or "main", table or "main")


def _interface(text: str) -> AddressWithNetwork | None:
    try:
        return ip_interface(text.partition("%")[0])
    except ValueError:
        return None


def _own_rules(family: IpFamily) -> tuple[IpRule, ...]:
    """The policy rules of a namespace that nobody touched."""
    own = _OWN_RULES if family == "ipv4" else _OWN_RULES[:2]
    return tuple(IpRule(family, priority, table=table) for priority, table in own)


def _bare(rule: IpRule) -> IpRule:
    """The rule without the line it was read from, its table by name."""
    return replace(rule, line=None, table=table_name(rule.table))

"""Who put a link, route or policy rule there; None where nothing tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from calitop.cni.names import link_owner
from calitop.model.network import IpRule, Link, Route

_KERNEL_TYPES = ("local", "broadcast", "multicast", "anycast")
_CALICO_PROTOS = ("bird", "12", "80")
"""BIRD's protocol and Felix's (`DeviceRouteProtocol`, default 80)."""
_KERNEL_LOOKUPS = {(0, "local"), (32766, "main"), (32767, "default")}
_CILIUM_TABLES = frozenset({"2004", "2005"})
"""To and from the L7 proxy (`linux_defaults.go`)."""
_CILIUM_LOCAL_PRIORITY = 100
_FELIX_WIREGUARD_PRIORITY = 99


def owner_of_link(link: Link, workloads: Collection[str], routed: Collection[str]) -> str | None:
    """Who made the link.

    Args:
        link: The link.
        workloads: Names of interfaces that are known to be Calico workloads' by their pods.
        routed: Devices of the routes that BIRD or Felix made.
    """
    if link.name in workloads:
        return "calico"
    if link.name == "tunl0":
        # The kernel makes a tunl0 in every namespace once ipip is loaded; used, it is Calico's.
        return "calico" if link.addresses or "tunl0" in routed else "kernel"
    return link_owner(link.name)


def owner_of_route(route: Route, workloads: Collection[str], links: Mapping[str, Link]) -> str | None:
    """Who made the route: the kernel's own first, then by device, then by protocol."""
    if route.table == "local" or route.type in _KERNEL_TYPES:
        return "kernel"
    for dev in _devices(route):
        if dev in workloads or dev == "tunl0":
            return "calico"
        owner = link_owner(dev)
        if owner not in (None, "kernel"):
            return owner
    if route.proto in _CALICO_PROTOS:
        return "calico"
    if route.proto == "kernel" or _is_connected(route, links):
        return "kernel"
    return None


def owner_of_ip_rule(rule: IpRule) -> str | None:
    """Who made the policy rule: kernel, cilium, calico or unknown."""
    selectors = (rule.src, rule.dst, rule.iif, rule.oif, rule.fwmark)
    bare = all(selector is None for selector in selectors) and not rule.other
    if bare and (rule.priority, rule.table) in _KERNEL_LOOKUPS:
        return "kernel"
    if bare and (rule.priority, rule.table) == (_CILIUM_LOCAL_PRIORITY, "local"):
        return "cilium"
    if rule.table in _CILIUM_TABLES:
        return "cilium"
    if rule.inverted and rule.priority == _FELIX_WIREGUARD_PRIORITY and rule.fwmark is not None:
        return "calico"
    return None


def covers(route: Route, addresses: Collection[str]) -> bool:
    """Whether the route's prefix holds one of the addresses; the default route never does."""
    network = _interface(route.dst)
    if network is None:
        return False
    return any(address.ip in network.network for address in map(_interface, addresses) if address)


def _devices(route: Route) -> list[str]:
    return [dev for dev in (route.dev, *(hop.dev for hop in route.nexthops)) if dev]


def _is_connected(route: Route, links: Mapping[str, Link]) -> bool:
    """Whether the route is what the kernel makes for an address with a length."""
    link, network = links.get(route.dev or ""), _interface(route.dst)
    if link is None or network is None or route.gateway or route.proto:
        return False
    return any(own.network == network.network for own in map(_interface, link.addresses) if own)


def _interface(text: str) -> IPv4Interface | IPv6Interface | None:
    """An address with its prefix; None for `default` and for what is none (`route` without -n)."""
    try:
        return ip_interface(text)
    except ValueError:
        return None

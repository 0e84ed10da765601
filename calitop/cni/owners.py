"""Who put a link, route or policy rule there; None where nothing tells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from calitop.cni.names import link_owner
from calitop.model.network import IpRule, Link, Route

_KERNEL_TYPES = ("local", "broadcast", "multicast", "anycast")
_CALICO_PROTOS = ("bird", "12", "80")
"""BIRD's protocol and Felix's (`DeviceRouteProtocol`, default 80)."""
_KERNEL_LOOKUPS = {(0, "local"), (32766, "main"), (32767, "default")}
"""By priority and table (fib_default_rules_init)."""
_FELIX_WIREGUARD_PRIORITY = 99
_PROXY_TABLES = frozenset({"2004", "2005"})
"""Cilium's, to and from its L7 proxy."""
_CILIUM_LOOKUPS = {(100, "local"), (112, "202")}
"""Cilium's, without a mark: the kernel's own look into `local`, moved; and to VTEPs."""
_CILIUM_MARKS = {
    (1, 0xD00, 0xF00),
    (1, 0xE00, 0xF00),
    (109, 0x80, 0x80),
}
"""Cilium's, by priority, mark and mask: IPsec, WireGuard, and node ports of several nodes."""
_CILIUM_PODS = {20: "dst", 110: "src", 111: "src"}
"""Cilium's for one pod where each network interface has its table; priorities that others use, too."""
_TAILSCALE_MARK = (0x80000, 0xFF0000)
_TAILSCALE_TABLE = "52"
_AWS_MARK = (1024, 0x80, 0x80)
_KUBE_ROUTER_TABLES = frozenset({"kube-router", "kube-router-dsr", "external_ip"})


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


def owner_of_ip_rule(rule: IpRule, *, has_cilium: bool = False) -> str | None:
    """Who made the policy rule; kube-proxy and Docker make none.

    Args:
        rule: The rule.
        has_cilium: Whether Cilium is on the node: some of its rules only their priority tells.

    Returns:
        kernel, cilium, calico, tailscale, aws-vpc-cni, kube-router, wg-quick, or None.

    Source:
        Linux, net/ipv4/fib_rules.c, drivers/net/vrf.c (l3mdev); Cilium, linux_defaults.go; Felix,
        wireguard/wireguard.go; Tailscale, wgengine/router; amazon-vpc-cni-k8s, pkg/networkutils;
        kube-router, pkg/controllers; wireguard-tools, wg-quick.
    """
    return next((owner for owner, is_own in _IP_RULES if is_own(rule, has_cilium)), None)


def _is_kernels(rule: IpRule, _: bool) -> bool:
    is_vrf = rule.priority == 1000 and rule.other == ("l3mdev",) and _has_no_selector(rule)
    return is_vrf or (_is_bare(rule) and (rule.priority, rule.table) in _KERNEL_LOOKUPS)


def _is_felix(rule: IpRule, _: bool) -> bool:
    return rule.inverted and rule.priority == _FELIX_WIREGUARD_PRIORITY and rule.fwmark is not None


def _is_ciliums(rule: IpRule, has_cilium: bool) -> bool:
    if rule.table in _PROXY_TABLES or (rule.priority, rule.fwmark, rule.fwmask) in _CILIUM_MARKS:
        return True
    if (rule.priority, rule.table) in _CILIUM_LOOKUPS:
        return rule.fwmark is None and not rule.inverted and (rule.table != "local" or _is_bare(rule))
    side = _CILIUM_PODS.get(rule.priority)
    return has_cilium and side is not None and getattr(rule, side) is not None and rule.fwmark is None


def _is_tailscales(rule: IpRule, _: bool) -> bool:
    is_marked = (rule.fwmark, rule.fwmask) == _TAILSCALE_MARK and not rule.inverted
    return is_marked or (_is_bare(rule) and rule.table == _TAILSCALE_TABLE)


def _is_aws(rule: IpRule, _: bool) -> bool:
    return (rule.priority, rule.fwmark, rule.fwmask) == _AWS_MARK and rule.table == "main"


def _is_kube_routers(rule: IpRule, _: bool) -> bool:
    return rule.table in _KUBE_ROUTER_TABLES


def _is_wg_quicks(rule: IpRule, _: bool) -> bool:
    """All but WireGuard's own packets go to a table whose number is their mark."""
    return rule.inverted and rule.fwmark is not None and rule.table == str(rule.fwmark)


_IP_RULES: tuple[tuple[str, Callable[[IpRule, bool], bool]], ...] = (
    ("kernel", _is_kernels),
    ("calico", _is_felix),
    ("cilium", _is_ciliums),
    ("tailscale", _is_tailscales),
    ("aws-vpc-cni", _is_aws),
    ("kube-router", _is_kube_routers),
    ("wg-quick", _is_wg_quicks),
)


def _is_bare(rule: IpRule) -> bool:
    return _has_no_selector(rule) and not rule.other and rule.suppress_prefixlength is None


def _has_no_selector(rule: IpRule) -> bool:
    selectors = (rule.src, rule.dst, rule.iif, rule.oif, rule.fwmark)
    return all(selector is None for selector in selectors)


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

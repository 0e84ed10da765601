"""Whom an address or a range belongs to, as far as the node's own facts tell it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_pton

from calitop.cni.index import NodeIndex
from calitop.cni.pods import pod_name, pods_by_address
from calitop.model.network import Route

_CNIS = {"calico": "Calico", "cilium": "Cilium"}
"""Who gives addresses to pods, as people write them."""
_SERVICES = "kube-ipvs0"
"""Its addresses are those of services (kube-proxy in IPVS mode)."""
_SERVICE_SETS = frozenset(
    f"KUBE-{family}{kind}" for family in ("", "6-") for kind in ("CLUSTER-IP", "EXTERNAL-IP", "LOAD-BALANCER")
)
_SERVICE = re.compile(
    r"-d ([0-9a-f.:]+)(?:/32|/128)? .*--comment \"?(\S+?/[^\s:\"]+)(?::\S*)? "
    r"(?:cluster|external|loadbalancer) IP"
)
"""kube-proxy's rule for one address of a service (proxier.go of iptables); ports have names behind `:`."""
_TUNNELS = ("ipip", "vxlan", "wireguard")


class AddressBook:
    """Pods, nodes and ranges by address; made once for many questions.

    Args:
        index: The node that tells it.
    """

    def __init__(self, index: NodeIndex) -> None:
        self._index = index

    def who(self, text: str) -> str | None:
        """Whom it belongs to in words (`pod default/web`, `node work2`); None where nobody is known.

        Args:
            text: An address, or a range with its length.
        """
        host = _host(text)
        return self._hosts.get(host) or self._ranges.get(host) or self._within(host)

    @cached_property
    def _hosts(self) -> dict[str, str]:
        """Single addresses, the surest word last: it replaces the others."""
        found = dict(self._next_hops())
        for pod in self._index.state.pods:
            if pod.ip and pod.host_network and pod.node:
                found[pod.ip.split("/")[0]] = f"node {pod.node}"
        for address, pod in pods_by_address(self._index.state.pods).items():
            found[address] = f"pod {pod_name(pod)}"
        found.update(self._services())
        for link in self._index.state.links:
            if link.name == _SERVICES:
                for address in link.addresses:
                    found.setdefault(address.split("/")[0], "a service")
                continue
            role = self._index.role_of_link(link)
            words = f"this node, {link.name}" + (f" ({role} tunnel)" if role in _TUNNELS else "")
            found.update((address.split("/")[0], words) for address in link.addresses)
        return found

    def _services(self) -> Iterator[tuple[str, str]]:
        """Addresses of services: those in kube-proxy's sets, and by name those in its rules."""
        for one in self._index.state.sets:
            if one.name in _SERVICE_SETS:
                for member in one.members or ():
                    yield member.partition(",")[0], "a service"
        for key, chain in self._index.chains.items():
            if key.chain == "KUBE-SERVICES":
                for rule in chain.rules:
                    if told := _SERVICE.search(rule.text):
                        yield told[1], f"service {told[2]}"

    def _next_hops(self) -> Iterator[tuple[str, str]]:
        """Nodes that Calico sends to; Cilium's routes name this node's own cilium_host."""
        for route, owner in self._routes():
            for hop in (route.gateway, *(hop.gateway for hop in route.nexthops)):
                if hop is not None and owner == "calico":
                    yield hop, "another node, next hop of its pods' ranges"

    @cached_property
    def _ranges(self) -> dict[str, str]:
        """Ranges of pods, and single pods here, by the destination of the route that leads there."""
        return {
            _host(route.dst): words
            for route, owner in self._routes()
            if (words := _route_words(route, owner)) is not None
        }

    def _within(self, host: str) -> str | None:
        """The narrowest of the ranges that holds it."""
        first, slash, own = host.partition("/")
        version, width = (6, 128) if ":" in first else (4, 32)
        try:
            number = int.from_bytes(inet_pton(AF_INET6 if version == 6 else AF_INET, first), "big")
            longest = int(own) if slash else width
        except (OSError, ValueError):
            return None
        for of, length, numbers in self._by_length:
            if of == version and length < longest:
                found = numbers.get(number >> (width - length))
                if found is not None:
                    return f"in {found}"
        return None

    @cached_property
    def _by_length(self) -> list[tuple[int, int, dict[int, str]]]:
        """IP version, length, and the ranges of that length by their leading bits; the longest first."""
        found: defaultdict[tuple[int, int], dict[int, str]] = defaultdict(dict)
        for dst, words in self._ranges.items():
            if "/" in dst:
                one = ip_network(dst, strict=False)
                number = int(one.network_address) >> (one.max_prefixlen - one.prefixlen)
                found[one.version, one.prefixlen][number] = words
        return [(*key, found[key]) for key in sorted(found, key=lambda key: -key[1])]

    def _routes(self) -> Iterator[tuple[Route, str]]:
        """The routes that the two CNIs made for pods, with the CNI."""
        for route in self._index.state.routes:
            owner = self._index.owner_of_route(route)
            if owner in _CNIS and route.table != "local" and route.dst != "default":
                yield route, owner


def _host(text: str) -> str:
    """A range of one address as that address."""
    return text.removesuffix("/32").removesuffix("/128")


def _route_words(route: Route, owner: str) -> str | None:
    """What a route of a CNI leads to; None for a single address elsewhere, of which it tells no more."""
    cni = _CNIS[owner]
    if route.type == "blackhole":
        return f"{cni}'s block of this node"
    if _host(route.dst) != route.dst:
        if route.gateway is not None or route.dev is None:
            return None
        what = f"{cni}'s own address" if route.dev.startswith("cilium_") else f"a pod of {cni}"
        return f"{what} at {route.dev}"
    way = route.dev if owner == "cilium" or route.gateway is None else route.gateway
    return f"{cni}'s range {route.dst}" + (f" behind {way}" if way else "")

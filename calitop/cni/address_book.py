"""Whom an address or a range belongs to, as far as the node's own facts tell it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from ipaddress import ip_address, ip_network

from calitop.cni.index import NodeIndex
from calitop.cni.pods import pod_name, pods_by_address
from calitop.model.network import Route

_CNIS = {"calico": "Calico", "cilium": "Cilium"}
"""Who gives addresses to pods, as people write them."""
_SERVICES = "kube-ipvs0"
"""Its addresses are those of services (kube-proxy in IPVS mode)."""


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
        for link in self._index.state.links:
            words = "a service" if link.name == _SERVICES else f"this node, {link.name}"
            found.update((address.split("/")[0], words) for address in link.addresses)
        return found

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
        try:
            address = ip_address(host)
        except ValueError:
            return None
        for length in self._lengths:
            if length < address.max_prefixlen:
                found = self._ranges.get(str(ip_network((address, length), strict=False)))
                if found is not None:
                    return f"in {found}"
        return None

    @cached_property
    def _lengths(self) -> list[int]:
        """The lengths of the ranges, the longest first."""
        return sorted({int(dst.partition("/")[2]) for dst in self._ranges if "/" in dst}, reverse=True)

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

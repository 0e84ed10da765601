"""Sources and destinations that a node knows by itself, to choose from instead of typing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from calitop.cni.index import NodeIndex
from calitop.cni.pods import pod_name
from calitop.model.network import Link, Route
from calitop.model.node import Pod


@dataclass(frozen=True, slots=True)
class KnownEnd:
    """One end of a flow that can be asked for."""

    name: str
    """What a request calls it: pod, interface or address."""
    words: str = ""
    """What else is known of it."""


def known_sources(index: NodeIndex) -> list[KnownEnd]:
    """Who can send: pods of this node first, its interfaces, then pods and addresses elsewhere."""
    pods = [pod for pod in index.state.pods if pod.ip or pod.interface]
    here = [_pod(pod) for pod in pods if pod in index.local_pods]
    return _each_once([*here, *_interfaces(index), *map(_pod, pods), *_addresses(index)])


def known_targets(index: NodeIndex) -> list[KnownEnd]:
    """Who can be sent to: pods whose address is known, then addresses of pods and nodes."""
    named = [_pod(pod) for pod in index.state.pods if pod.ip]
    return _each_once([*named, *_addresses(index)])


def matching(ends: Iterable[KnownEnd], typed: str) -> list[KnownEnd]:
    """The ends in whose name or words every word that was typed stands; all for nothing typed."""
    words = typed.lower().split()
    return [end for end in ends if all(word in f"{end.name} {end.words}".lower() for word in words)]


def _pod(pod: Pod) -> KnownEnd:
    words = (_bare(pod.ip), pod.interface, pod.node and f"on {pod.node}")
    return KnownEnd(pod_name(pod), " ".join(word for word in words if word))


def _interfaces(index: NodeIndex) -> Iterator[KnownEnd]:
    """Those that no pod's name stands for."""
    for link in index.state.links:
        own = [_bare(text) for text in _reachable(link)]
        if index.pod_of_interface(link.name) is None and (own or link.peer_netns is not None):
            yield KnownEnd(link.name, ", ".join(own))


def _addresses(index: NodeIndex) -> Iterator[KnownEnd]:
    """Single addresses that routes lead to, the gateways of routes, and the node's own."""
    for route in index.state.routes:
        if _is_one_address(route) and route.table != "local":
            yield KnownEnd(_bare(route.dst), _route_words(index, route))
    for route in index.state.routes:
        if route.gateway and _is_address(route.gateway):
            yield KnownEnd(_bare(route.gateway), f"gateway by {route.dev or '?'}")
    for link in index.state.links:
        yield from (KnownEnd(_bare(text), f"own, of {link.name}") for text in _reachable(link))


def _is_one_address(route: Route) -> bool:
    address, _, length = route.dst.partition("/")
    return length in ("32", "128") and _is_address(address) and route.type in ("unicast", None)


def _route_words(index: NodeIndex, route: Route) -> str:
    pod = index.pod_of_address(route.dst)
    if pod is None and route.gateway is None and route.dev:
        pod = index.pod_of_interface(route.dev)
    way = f"via {route.gateway} {route.dev or ''}".rstrip() if route.gateway else route.dev or ""
    return f"{pod_name(pod)} {way}" if pod is not None else way


def _reachable(link: Link) -> Iterator[str]:
    for text in link.addresses:
        address = ip_address(_bare(text))
        if not (address.is_loopback or address.is_link_local):
            yield text


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _bare(text: str | None) -> str:
    return (text or "").split("/")[0]


def _each_once(ends: Iterable[KnownEnd]) -> list[KnownEnd]:
    found: dict[str, KnownEnd] = {}
    for end in ends:
        found.setdefault(end.name, end)
    return list(found.values())

"""Pods and the host ends of their veth pairs.

Calico names a pod's interface by hash (libcalico-go `VethNameForWorkload`), so the name can be
computed and looked for. Cilium's names come from container ids: only a route, a neighbour or
an attached program can tell them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import replace

from calitop.cni.names import chain_role
from calitop.model.node import NodeState, Pod

_HASHED = re.compile(r"[a-z]{1,4}([0-9a-f]{11})")
"""Interface names that may end in a pod's hash; 15 characters are the kernel's limit."""
_PROFILE = re.compile(r"(?:filter-)?cali-pr[io]-kns\.(.+)")
"""The chains of a namespace's profile."""


def interface_name(namespace: str, pod: str, prefix: str = "cali") -> str:
    """The name that Calico gives the host end of that pod's veth pair."""
    return prefix + _hash(namespace, pod)


def pod_name(pod: Pod) -> str:
    """A pod as people write it: `default/calico-python3-daemon-2jlc5`."""
    return f"{pod.namespace}/{pod.name}" if pod.namespace else pod.name


def with_interfaces(state: NodeState) -> NodeState:
    """The state with each pod's interface filled in where this node's own facts tell it.

    The hash of a pod's name counts only when an interface that ends in it stands in the links,
    routes or chains: then its prefix (`cali`, `eni` …) is right too.
    """
    if not state.pods:
        return state
    by_hash = {match[1]: name for name in _interfaces(state) if (match := _HASHED.fullmatch(name))}
    by_address = _interfaces_by_address(state)
    spaces = _namespaces(state)
    pods = tuple(_with_interface(pod, spaces, by_hash, by_address) for pod in state.pods)
    return replace(state, pods=pods)


def node_of_list(state: NodeState) -> str | None:
    """The name under which the pod list knows this node.

    The node's own name where the list uses it, else the name whose pods' addresses agree best
    with the node's routes to single addresses; None where neither fits.
    """
    names = {pod.node for pod in state.pods if pod.node}
    if state.name in names:
        return state.name
    local = set(_interfaces_by_address(state))
    agreeing = Tally(pod.node for pod in state.pods if pod.node and _address(pod.ip) in local)
    best = agreeing.most_common(2)
    if not best or (len(best) == 2 and best[0][1] == best[1][1]):
        return None
    return best[0][0]


def fits(pods: Sequence[Pod], state: NodeState) -> bool:
    """Whether a pod list speaks of this node: by its name, or by the addresses routed here."""
    return node_of_list(replace(state, pods=tuple(pods))) is not None


def local_pods(state: NodeState) -> tuple[Pod, ...]:
    """The pods that run on this node, by the list or by their interface."""
    node = node_of_list(state)
    return tuple(pod for pod in state.pods if pod.interface or (node is not None and pod.node == node))


def _hash(namespace: str, pod: str) -> str:
    # The name is the kernel's business, not security's.
    return hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()[:11]


def _with_interface(
    pod: Pod, spaces: Iterable[str], by_hash: dict[str, str], by_address: dict[str, str]
) -> Pod:
    """The pod with its interface, and with its namespace where the hash proves one."""
    if pod.interface is not None or pod.host_network:
        return pod
    for namespace in spaces if pod.namespace is None else (pod.namespace,):
        interface = by_hash.get(_hash(namespace, pod.name))
        if interface is not None:
            return replace(pod, namespace=namespace, interface=interface)
    interface = by_address.get(_address(pod.ip) or "")
    return pod if interface is None else replace(pod, interface=interface)


def _namespaces(state: NodeState) -> set[str]:
    """Namespaces to try for pods whose listing does not tell theirs."""
    profiles = (_PROFILE.fullmatch(key.chain) for key in state.chains())
    named = {pod.namespace for pod in state.pods if pod.namespace}
    return {"default", "kube-system", *named, *(match[1] for match in profiles if match)}


def _interfaces(state: NodeState) -> Iterable[str]:
    yield from (link.name for link in state.links)
    yield from (route.dev for route in state.routes if route.dev)
    for key in state.chains():
        interface = chain_role(key.chain).interface
        if interface is not None:
            yield interface


def _interfaces_by_address(state: NodeState) -> dict[str, str]:
    """Interface by the single address that is routed or resolved straight to it."""
    found = {
        neighbour.address.split("/")[0]: neighbour.dev
        for neighbour in state.neighbours
        if neighbour.dev and neighbour.dev.startswith("lxc")
    }
    for route in state.routes:
        if route.dev and route.gateway is None and route.table != "local" and route.type in ("unicast", None):
            address, _, length = route.dst.partition("/")
            if length in ("32", "128") and not _own_address(state, route.dev, address):
                found[address] = route.dev
    return found


def _own_address(state: NodeState, dev: str, address: str) -> bool:
    link = state.link(dev)
    return dev.startswith("cilium_") or (
        link is not None and any(own.split("/")[0] == address for own in link.addresses)
    )


def _address(ip: str | None) -> str | None:
    return None if ip is None else ip.split("/")[0]

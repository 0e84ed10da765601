"""Which pod list belongs to a node.

A list fits when it names the node, or when the pods that it puts on one node have the
addresses that are local here (a folder says `work1` where kubectl says `k8s-work1`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calitop.model.node import NodeState, Pod, SourceFile


@dataclass(frozen=True, eq=False)
class PodList:
    """One pod list with the file it came from."""

    pods: tuple[Pod, ...]
    told: SourceFile | None = None


def pods_for(
    state: NodeState, own: tuple[Pod, ...], lists: Sequence[PodList], given: PodList | None
) -> tuple[Pod, ...]:
    """The pods to show with a node: the operator's list, its own, else the first that fits."""
    if given is not None:
        return given.pods
    if own:
        return own
    return next((each.pods for each in lists if fits(state, each.pods)), ())


def fits(state: NodeState, pods: Sequence[Pod]) -> bool:
    """Whether a pod list is of this node's cluster."""
    return node_in_list(state, pods) is not None


def node_in_list(state: NodeState, pods: Sequence[Pod]) -> str | None:
    """The name by which a pod list calls this node; None when the list does not know it."""
    nodes = [pod.node for pod in pods if pod.node]
    if state.name is not None and state.name in nodes:
        return state.name
    local = local_addresses(state)
    agreeing: dict[str, int] = {}
    for pod in pods:
        if pod.node and pod.ip and pod.ip in local:
            agreeing[pod.node] = agreeing.get(pod.node, 0) + 1
    return max(agreeing, key=lambda node: agreeing[node], default=None)


def local_addresses(state: NodeState) -> frozenset[str]:
    """Addresses of this node and of the pods behind its own interfaces, with their length."""
    own = {address.split("/")[0] for link in state.links for address in link.addresses if link.name != "lo"}
    routed = {
        route.dst
        for route in state.routes
        if route.dst.endswith(("/32", "/128")) and route.gateway is None and route.dev is not None
    }
    return frozenset({f"{one}/{128 if ':' in one else 32}" for one in own} | routed)

"""Names of pods and of the host ends of their veth pairs, and which pods of a list are this node's.

Calico names a pod's interface by hash (libcalico-go `VethNameForWorkload`), so the name can be
computed and looked for. Cilium's names come from container ids: only what the node itself tells
(`pod_ends.py`) leads to them.
"""

from __future__ import annotations

import hashlib
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import replace

from calitop.cni.names import link_role
from calitop.model.node import NodeState, Pod

FINISHED = frozenset({"Succeeded", "Failed", "Completed", "Evicted"})
"""Pods whose address may be another one's by now."""
_UNRESOLVED = frozenset({"FAILED", "INCOMPLETE", "NONE"})
"""Neighbours that were asked for and have not answered."""


def interface_name(namespace: str, pod: str, prefix: str = "cali") -> str:
    """The name that Calico gives the host end of that pod's veth pair."""
    # The name is the kernel's business, not security's.
    digest = hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()
    return prefix + digest[:11]


def pod_name(pod: Pod) -> str:
    """A pod as people write it: `default/calico-python3-daemon-2jlc5`."""
    return f"{pod.namespace}/{pod.name}" if pod.namespace else pod.name


def node_of_list(state: NodeState) -> str | None:
    """The name under which the pod list knows this node.

    The node's own name where the list uses it, else the name whose pods' addresses agree best
    with the node's routes to single addresses; None where neither fits.
    """
    names = {pod.node for pod in state.pods if pod.node}
    if state.name in names:
        return state.name
    local = routed_addresses(state)
    agreeing = Tally(pod.node for pod in state.pods if pod.node and address_of(pod) in local)
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


def address_of(pod: Pod) -> str | None:
    """The pod's address without its length."""
    return None if pod.ip is None else pod.ip.split("/")[0]


def pods_by_address(pods: Iterable[Pod]) -> dict[str, Pod]:
    """The pods by their own addresses without length; a finished one only where no other has its."""
    own = [pod for pod in pods if pod.ip and not pod.host_network]
    found = {pod.ip.split("/")[0]: pod for pod in own if pod.ip and pod.status in FINISHED}
    found.update((pod.ip.split("/")[0], pod) for pod in own if pod.ip and pod.status not in FINISHED)
    return found


def routed_addresses(state: NodeState) -> dict[str, list[str]]:
    """The single addresses that are routed straight to an interface, each with those interfaces.

    Addresses that the node itself has there, and Cilium's own devices, are not among them.
    """
    found: dict[str, list[str]] = {}
    own = {(link.name, address.split("/")[0]) for link in state.links for address in link.addresses}
    for route in state.routes:
        if route.dev and route.gateway is None and route.table != "local" and route.type in ("unicast", None):
            address, _, length = route.dst.partition("/")
            is_own = route.dev.startswith("cilium_") or (route.dev, address) in own
            if length in ("32", "128") and not is_own and route.dev not in found.setdefault(address, []):
                found[address].append(route.dev)
    return {address: devices for address, devices in found.items() if devices}


def resolved_addresses(state: NodeState) -> dict[str, list[str]]:
    """The addresses that the neighbour table has seen at a workload's interface."""
    found: dict[str, list[str]] = {}
    for entry in state.neighbours:
        is_workload = entry.dev is not None and link_role(entry.dev, None) == "workload"
        has_answered = (entry.mac or entry.state) and not _UNRESOLVED.intersection(entry.state)
        if entry.dev and is_workload and has_answered:
            found.setdefault(entry.address.split("/")[0], []).append(entry.dev)
    return found

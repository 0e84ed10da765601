"""The flow as the operator writes it: addresses or pods' names, made into two addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from calitop.cni.pods import pod_name
from calitop.errors import UsageError
from calitop.hits.moved import NodeHits
from calitop.model.node import Pod
from calitop.model.values import Address


def asked_ends(
    nodes: Sequence[NodeHits], source: str | None, target: str | None
) -> tuple[Address, Address] | None:
    """Both ends of the flow; None where none was given.

    Raises:
        UsageError: One end alone, an unknown end, or two families.
    """
    if source is None and target is None:
        return None
    if source is None or target is None:
        raise UsageError("one end alone is no flow", "give both, from and to")
    return both_ends((pod for node in nodes for pod in node.after.pods), source, target)


def both_ends(pods: Iterable[Pod], source: str, target: str) -> tuple[Address, Address]:
    """Both ends of a flow, each an address or the name of one of the pods.

    Raises:
        UsageError: An unknown end, or two families.
    """
    known = tuple(pods)
    ends = _address(known, source), _address(known, target)
    if ends[0].version != ends[1].version:
        raise UsageError(
            f"'{source}' and '{target}' are of different families", "give two IPv4 or two IPv6 ends"
        )
    return ends


def _address(pods: Iterable[Pod], text: str) -> Address:
    """An address, or that of the pod whose name it is."""
    try:
        return ip_address(text.split("/")[0])
    except ValueError:
        pass
    found = {pod.ip.split("/")[0] for pod in pods if pod.ip and _named(text, pod)}
    if len(found) != 1:
        reason = "several pods are called so" if found else "it is neither an address nor a known pod"
        raise UsageError(
            f"no end '{text}': {reason}", "give an IP address; pods' names come from calitop --pods FILE"
        )
    return ip_address(found.pop())


def _named(text: str, pod: Pod) -> bool:
    return text in (pod.name, pod_name(pod))

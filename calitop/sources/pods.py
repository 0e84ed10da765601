"""Which pods a node has: from a list that the operator gives, or from the kubelet's log folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from calitop.errors import SourceUnavailable
from calitop.model.node import Pod
from calitop.snapshot.hints import Hint
from calitop.snapshot.recognise import decode, recognise


def listed_pods(path: Path) -> tuple[Pod, ...]:
    """The pods of a file that holds `kubectl get pods -A -o wide` or `-o json`.

    Raises:
        SourceUnavailable: The file cannot be read, or no pods stand in it.
    """
    try:
        text = decode(path.read_bytes())
    except OSError as error:
        raise SourceUnavailable(
            f"cannot read the pods in '{path}': {error.strerror}",
            "give the output of kubectl get pods -A -o wide",
        ) from error
    pods = recognise(text or "", Hint(topic="pods", told=True)).fragment.pods
    if not pods:
        raise SourceUnavailable(
            f"no pods in '{path}'", "give the output of kubectl get pods -A -o wide, or of -o json"
        )
    return pods


def pods_of_log_folders(listing: str, links: Iterable[str]) -> tuple[Pod, ...]:
    """The pods of this node by the names of their log folders, with the interface that Calico gave them.

    Args:
        listing: `ls /var/log/pods`, one `NAMESPACE_POD_UID` a line.
        links: Names of the links that exist; a pod gets an interface only when it does.
    """
    present = frozenset(links)
    found = []
    for line in listing.splitlines():
        parts = line.strip().split("_")
        if len(parts) == 3 and all(parts):
            interface = interface_of_pod(parts[0], parts[1])
            found.append(Pod(parts[0], parts[1], interface=interface if interface in present else None))
    return tuple(found)


def with_interfaces(pods: Iterable[Pod], links: Iterable[str]) -> tuple[Pod, ...]:
    """The pods with the Calico interface that their name gives, where such a link exists."""
    present = frozenset(links)

    def known(pod: Pod) -> Pod:
        if pod.namespace is None:
            return pod
        interface = interface_of_pod(pod.namespace, pod.name)
        return replace(pod, interface=interface) if pod.interface is None and interface in present else pod

    return tuple(known(pod) for pod in pods)


def interface_of_pod(namespace: str, pod: str) -> str:
    """Name of the host end of a Calico pod's veth.

    Source:
        Calico's CNI plugin: `cali` and the first 11 hex digits of SHA-1 of "NAMESPACE.POD".
    """
    digest = hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()
    return f"cali{digest[:11]}"

"""The lab's cluster: nodes, pods, addresses and names. Data only.

The names and addresses are those of a published field report, so that interface names,
endpoint marks and the routing table of work2 come out as a real node printed them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Cni = Literal["calico", "cilium"]

UNDERLAY = "172.16.189.0/24"
GATEWAY = "172.16.189.2"
MASTER_ADDRESS = "172.16.189.100"
MASTER_BLOCK = "10.222.12.0/24"
MASTER_CILIUM_HOST = "10.222.0.18"
"""The master is only an address: it stands in routes and sets, no namespace belongs to it."""
POOL = "10.222.0.0/16"
"""Calico's pool; Cilium's ranges lie inside it, as in the field report."""
CILIUM_RANGES = ("10.222.0.0/24", "10.222.1.0/24", "10.222.2.0/24")
CILIUM_MAC = "ce:11:1a:00:00:01"
"""All Cilium-side interfaces share it, which stands in for the rewriting that BPF does."""
CALICO_MAC = "ee:ee:ee:ee:ee:ee"
CALICO_GATEWAY = "169.254.1.1"


@dataclass(frozen=True)
class Pod:
    """One pod."""

    name: str
    ip: str
    cni: Cni
    namespace: str = "default"
    identity: int | None = None
    """Cilium's number for the pod's labels, which BPF writes into the packet mark."""

    @cached_property
    def interface(self) -> str:
        """Host end of the pod's veth pair.

        Source:
            Calico, VethNameForWorkload: SHA-1 of namespace and name. Cilium hashes a container
            id, which the lab has not; it hashes the same words instead.
        """
        words = f"{self.namespace}.{self.name}".encode()
        if self.cni == "calico":
            return "cali" + hashlib.sha1(words).hexdigest()[:11]
        return "lxc" + hashlib.sha256(words).hexdigest()[:12]


@dataclass(frozen=True)
class Node:
    """One node with its pods."""

    name: str
    address: str
    mac: str
    tunnel_address: str
    block: str
    """Calico's block of addresses on this node."""
    cilium_host: str
    pod_range: str
    """Cilium's range of addresses on this node."""
    pods: tuple[Pod, ...]

    @property
    def hostname(self) -> str:
        """The name Kubernetes has for the node."""
        return f"k8s-{self.name}"

    @property
    def calico_pods(self) -> tuple[Pod, ...]:
        """Pods made before the migration."""
        return tuple(pod for pod in self.pods if pod.cni == "calico")

    @property
    def cilium_pods(self) -> tuple[Pod, ...]:
        """Pods made after it."""
        return tuple(pod for pod in self.pods if pod.cni == "cilium")

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Workload interfaces in Felix's order, which is by name."""
        return tuple(sorted(pod.interface for pod in self.calico_pods))


def _calico(*pods: tuple[str, str]) -> tuple[Pod, ...]:
    return tuple(Pod(f"calico-{name}", ip, "calico") for name, ip in pods)


def _cilium(*pods: tuple[str, str, int]) -> tuple[Pod, ...]:
    return tuple(Pod(f"cilium-{name}", ip, "cilium", identity=identity) for name, ip, identity in pods)


WORK1 = Node(
    name="work1",
    address="172.16.189.101",
    mac="00:50:56:01:01:01",
    tunnel_address="10.222.219.0",
    block="10.222.219.0/24",
    cilium_host="10.222.1.160",
    pod_range="10.222.1.0/24",
    pods=_calico(
        ("python-daemon-8p6zt", "10.222.219.6"),
        ("python1-daemon-9wbq6", "10.222.219.1"),
        ("python2-daemon-mdn45", "10.222.219.2"),
        ("python3-daemon-mlc68", "10.222.219.3"),
        ("python4-daemon-fl6kn", "10.222.219.4"),
        ("python5-daemon-h79cp", "10.222.219.5"),
    )
    + _cilium(
        ("python-daemon-gglvj", "10.222.1.239", 0x2B5F),
        ("python-no-check-daemon-g78qf", "10.222.1.245", 0x4C21),
        ("python1-daemon-k2zkl", "10.222.1.48", 0x7E03),
    ),
)
WORK2 = Node(
    name="work2",
    address="172.16.189.102",
    mac="00:50:56:01:01:02",
    tunnel_address="10.222.160.0",
    block="10.222.160.0/24",
    cilium_host="10.222.2.80",
    pod_range="10.222.2.0/24",
    pods=_calico(
        ("python-daemon-b5xgr", "10.222.160.6"),
        ("python1-daemon-74hcx", "10.222.160.1"),
        ("python2-daemon-8v689", "10.222.160.2"),
        ("python3-daemon-2jlc5", "10.222.160.3"),
        ("python4-daemon-w6nhd", "10.222.160.4"),
        ("python5-daemon-vqx6z", "10.222.160.5"),
    )
    + _cilium(
        ("python-daemon-4x7zw", "10.222.2.82", 0x2B5F),
        ("python-no-check-daemon-hz6rq", "10.222.2.181", 0x4C21),
        ("python1-daemon-mbrqv", "10.222.2.159", 0x7E03),
    ),
)
NODES = (WORK1, WORK2)
PODS = {pod.name: pod for node in NODES for pod in node.pods}
HOSTS = (WORK1.address, WORK2.address, MASTER_ADDRESS)


def peer(node: Node) -> Node:
    """The other node."""
    return WORK1 if node is WORK2 else WORK2


def node_of(pod: Pod) -> Node:
    """The node a pod runs on."""
    return next(node for node in NODES if pod in node.pods)


def pod(name: str) -> Pod:
    """The pod of this name, of this address, or with the only name that ends so.

    Raises:
        KeyError: No pod, or several, are meant.
    """
    found = [pod for pod in PODS.values() if name in (pod.name, pod.ip) or pod.name.endswith(f"-{name}")]
    if len(found) != 1:
        raise KeyError(name)
    return found[0]


def pod_list() -> str:
    """What `kubectl get pods -A -o wide` prints for the lab's pods."""
    row = "{:<12} {:<42} {:<7} {:<9} {:<10} {:<7} {:<16} {:<12} {:<16} {}"
    words = ("NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE")
    lines = [row.format(*words, "NOMINATED NODE", "READINESS GATES")]
    for node in NODES:
        for one in node.pods:
            fixed = (one.namespace, one.name, "1/1", "Running", "0", "3h24m", one.ip, node.hostname)
            lines.append(row.format(*fixed, "<none>", "<none>"))
    return "\n".join([lines[0], *sorted(lines[1:])]) + "\n"

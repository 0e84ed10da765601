"""A trial: pings in the lab as it is, and what moved on both nodes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab import measure, topology
from lab.faults import Fault, Proof
from lab.machine import Lab, Settings
from lab.measure import Reading
from lab.ping import Pinged, ping
from lab.plan import KubeProxy, Plan


@dataclass(frozen=True)
class Trial:
    """What was measured."""

    pinged: Pinged
    moved: Mapping[str, Reading]
    """By name of the node."""

    def packets(self, proof: Proof) -> int:
        """How many packets a proof's counter moved by."""
        return self.moved[proof.node].moved(proof.what)


def run(lab: Lab, backend: str, pings: Callable[[], Pinged], both: bool = False) -> Trial:
    """Reads both nodes, pings, reads again."""
    nodes = [node.name for node in topology.NODES]
    before = {node: measure.read(lab, node, backend, both) for node in nodes}
    pinged = pings()
    after = {node: measure.read(lab, node, backend, both) for node in nodes}
    return Trial(pinged, {node: after[node].since(before[node]) for node in nodes})


def of_fault(lab: Lab, backend: str, fault: Fault, home: KubeProxy = "ipvs") -> Trial:
    """Loads a fault, in the style of kube-proxy called home where it shows there, and sends its pings."""
    kube = fault.needs or home
    plans = fault.plans(kube)
    lab.load(Settings(backend, kube, fault.name, home), plans)
    return run(lab, backend, lambda: pings_of(lab, fault), has_other_backend(plans))


def has_other_backend(plans: Mapping[str, Plan]) -> bool:
    """Whether a node has rules in both backends, so that both are to be read."""
    return any(plan.other_backend for plan in plans.values())


def pings_of(lab: Lab, fault: Fault, count: int = 5) -> Pinged:
    """Sends the pings in which a fault shows."""
    return ping(lab, fault.source, fault.destination, count, fault.size, fault.whole)

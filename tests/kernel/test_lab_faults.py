"""Every fault of the lab moves what it says, in both backends and both styles of kube-proxy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from lab import measure, together, topology, trial
from lab.faults import BY_NAME, FAULTS, PINGS, Fault
from lab.machine import Lab, Settings
from lab.plan import KubeProxy, healthy
from lab.shell import inside, run

pytestmark = pytest.mark.kernel


POD_STATE = "ip route show cache"
NODE_STATE = """ip route show table all | sort; ip route show cache; ip rule
ip -br address | sed 's/@if[0-9]*//'
ip -o link | sed 's/.*: \\(.*\\)@.*mtu \\([0-9]*\\).*/\\1 \\2/; s/link.ether.*//'
sysctl -a 2>/dev/null | grep -E '^net.(ipv4.(ip_forward|conf|neigh)|netfilter)' | grep -v _count
for device in /proc/sys/net/ipv4/conf/*; do
    for way in ingress egress; do tc filter show dev "${device##*/}" $way 2>/dev/null; done
done
ipset save | sed 's/ initval .*//' | sort; sort /proc/net/ip_tables_names; conntrack -L 2>/dev/null
"""
RULES = "iptables-{backend}-save | sed '/^#/d; s/\\[[0-9:]*\\]//'\n"
NATIVE_RULES = "nft -s list table ip calico; nft -s list table ip kube-proxy\n"


@dataclass(frozen=True)
class Built:
    """A running lab of this test run's own."""

    machine: Lab
    backend: str
    kube: KubeProxy
    state: Mapping[str, list[str]]
    """By namespace, as it was built: healthy."""

    def heal(self) -> None:
        """Loads the healthy state."""
        self.machine.load(Settings(self.backend, self.kube, home=self.kube), healthy(self.kube))


@pytest.fixture(
    scope="module", params=[("nft", "ipvs"), ("legacy", "iptables"), ("native", "nft")], ids="-".join
)
def lab(request: pytest.FixtureRequest) -> Iterator[Built]:
    """A lab in each backend and in each style of kube-proxy."""
    backend, kube = request.param
    made = Lab(f"ct-f{os.getpid() % 100000}{backend[:3]}")
    made.up(Settings(backend, kube, home=kube), healthy(kube))
    yield Built(made, backend, kube, state(made, backend))
    made.down()


def state(lab: Lab, backend: str) -> dict[str, list[str]]:
    """What a fault could leave behind: settings, routes, sets, rules, conntrack; processes everywhere."""
    nodes = {lab.namespace(node.name) for node in topology.NODES}
    node_script = NODE_STATE + RULES.format(backend=backend)
    if backend == "native":
        node_script = NODE_STATE + RULES.format(backend="nft") + NATIVE_RULES
    found = {}
    for name in lab.namespaces:
        text = inside(name, "sh", stdin=node_script if name in nodes else POD_STATE)
        found[name] = [*text.splitlines(), f"{len(run('ip', 'netns', 'pids', name).split())} processes"]
    return found


def kernel() -> tuple[int, int]:
    """Version of the running kernel."""
    first, second, *_ = os.uname().release.split(".")
    return int(first), int(second)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_moves_what_it_says(lab: Built, fault: Fault) -> None:
    """Replies, counters that prove the fault and those that stay are as stated; healed, nothing is left."""
    if lab.backend == "native" and not fault.in_native:
        pytest.skip("made of iptables rules")
    if fault.name == "identity-mark" and kernel() < (6, 6):
        pytest.skip("no tcx before kernel 6.6")
    measured = trial.of_fault(lab.machine, lab.backend, fault, lab.kube)
    assert measured.pinged.received == fault.replies
    assert {proof.what: measured.packets(proof) for proof in fault.proofs} == {
        proof.what: proof.packets for proof in fault.proofs
    }
    assert {proof.what: measured.packets(proof) for proof in fault.still} == {
        proof.what: 0 for proof in fault.still
    }
    lab.heal()
    assert state(lab.machine, lab.backend) == lab.state


def test_healed_lab_answers(lab: Built) -> None:
    """After every fault the pings come back."""
    lab.heal()
    measured = trial.run(lab.machine, lab.backend, lambda: trial.pings_of(lab.machine, FAULTS[0]))
    assert measured.pinged.received == PINGS


def test_pods_forget_a_small_path(lab: Built) -> None:
    """Loading the fault again measures the same: no pod still knows the packet size of the first time."""
    for _ in range(2):
        measured = trial.of_fault(lab.machine, lab.backend, BY_NAME["mtu"], lab.kube)
        assert measured.moved["work2"].moved("Ip.FragFails") == 1
    lab.heal()


def test_two_faults_at_once(lab: Built) -> None:
    """Both are in place: the first takes the packets, and healed of it the second does."""
    filtering, policy = BY_NAME["rpf-tunl0-1"], BY_NAME["policy-denies"]
    dropped = policy.proofs[-1]
    for faults, denied in (([filtering, policy], 0), ([policy], PINGS)):
        lab.machine.load(Settings(lab.backend, lab.kube), together.plans(faults, lab.kube))
        measured = trial.run(lab.machine, lab.backend, lambda: trial.pings_of(lab.machine, filtering))
        assert measured.moved["work1"].moved("TcpExt.IPReversePathFilter") == PINGS - denied
        assert measured.packets(dropped) == denied
    lab.heal()


def test_rewriting_takes_the_counters_of_living_chains(lab: Built) -> None:
    """While Felix rewrites, an endpoint chain that has counted is back at zero a round later."""
    fault = BY_NAME["rewriting"]
    if lab.backend == "native":
        pytest.skip("the lab rewrites iptables chains only")
    trial.of_fault(lab.machine, lab.backend, fault, lab.kube)
    chain = f"filter cali-fw-{fault.destination.interface}: RELATED,ESTABLISHED"
    deadline = time.monotonic() + 20
    while measure.read(lab.machine, "work1", lab.backend).moved(chain) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert measure.read(lab.machine, "work1", lab.backend).moved(chain) == 0
    lab.heal()

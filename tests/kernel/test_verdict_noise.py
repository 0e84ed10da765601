"""Five pings among other traffic, and among chains that are written anew: told apart, or undecided."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from calitop.hits.moved import node_hits
from calitop.verdict.answer import answer
from lab import topology
from lab.faults import BY_NAME, Fault
from lab.machine import Lab, Settings
from lab.ping import ping
from tests.kernel.test_verdict_faults import NODES, check_no_false_accusation, read, words

pytestmark = pytest.mark.kernel

PER_SECOND = 2000
OTHER_SOURCE = topology.pod("cilium-python1-daemon-mbrqv")
OTHER_DESTINATION = topology.pod("calico-python2-daemon-mdn45")
NOISY = ("rpf-tunl0-1", "profile-denies", "identity-mark", "blackhole", "peer-missing")


@pytest.fixture(scope="module", params=["nft", "legacy"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A running lab of this test run's own, and its backend."""
    made = Lab(f"ct-n{os.getpid() % 100000}{request.param[0]}")
    made.up(Settings(request.param))
    yield made, request.param
    made.down()


FLOOD = """
import socket, sys, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
begin = time.monotonic()
for number in range(int(sys.argv[3]) * 15):
    try:
        sender.sendto(b"x" * 56, (sys.argv[1], int(sys.argv[2])))
    except OSError:
        pass
    ahead = begin + number / int(sys.argv[3]) - time.monotonic()
    if ahead > 0:
        time.sleep(ahead)
"""
"""Sends datagrams at an even pace for 15 s at most."""


@contextmanager
def noise(machine: Lab) -> Iterator[None]:
    """Other pods' datagrams over the same tunnel, 2,000 a second, for as long as the block lasts."""
    command = [sys.executable, "-c", FLOOD, OTHER_DESTINATION.ip, "9", str(PER_SECOND)]
    flood = subprocess.Popen(["ip", "netns", "exec", machine.namespace(OTHER_SOURCE.name), *command])
    try:
        time.sleep(0.3)
        yield
    finally:
        flood.kill()
        flood.wait()


@pytest.mark.parametrize("fault", [BY_NAME[name] for name in NOISY], ids=lambda fault: fault.name)
def test_among_other_traffic_nobody_is_accused_falsely(lab: tuple[Lab, str], fault: Fault) -> None:
    """The place is named, or the answer is undecided and says why."""
    machine, backend = lab
    machine.load(Settings(backend, fault.kube, fault.name), fault.plans())
    with noise(machine):
        before = read(machine)
        sent = ping(machine, fault.source, fault.destination).sent
        after = read(machine)
    nodes = [node_hits(node, before[node], after[node]) for node in NODES]
    assert max(each.packets or 0 for node in nodes for each in node.moved) > 500, "there was no noise"
    verdict = answer(nodes, (ip_address(fault.source.ip), ip_address(fault.destination.ip)), sent).verdict
    check_no_false_accusation(verdict, fault)
    print(f"{fault.name} {backend}: {words(verdict)}: {verdict.because}")
    assert verdict.because

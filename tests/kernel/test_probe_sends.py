"""Exactly what was asked for is sent, from where it was asked for, and it stops when told to."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest

from calitop.cni.index import NodeIndex
from calitop.errors import SourceUnavailable, UsageError
from calitop.probe.node import ProbedNode
from calitop.probe.origin import find_origin
from calitop.probe.records import ProbeCancelled, ProbeResult, Progress, Protocol, Request
from calitop.probe.run import probe
from tests.kernel.netns import Namespace, attach_pod

pytestmark = pytest.mark.kernel

NODE, POD = "192.0.2.1", "192.0.2.2"
RULES = """\
*filter
:INPUT ACCEPT [0:0]
-A INPUT -p icmp -m icmp --icmp-type 8 -j {verdict}
-A INPUT -p tcp -m tcp --dport 81 --tcp-flags SYN,ACK SYN -j {verdict}
-A INPUT -p udp -m udp --dport 81 -j {verdict}
COMMIT
"""
PORTS: dict[Protocol, int | None] = {"icmp": None, "tcp": 81, "udp": 81}


@pytest.fixture
def node(make_netns: Callable[[str], Namespace]) -> Iterator[Namespace]:
    """A node with one pod behind `cali0`; the pod's gateway is an address of the node's loopback."""
    node, pod = make_netns("pn"), make_netns("pp")
    attach_pod(node, pod, NODE, POD)
    yield node


def run(
    node: Namespace, request: Request, on_progress: Callable[[Progress], None] = lambda _: None
) -> ProbeResult:
    probed = ProbedNode(node.name)
    try:
        return probe(probed, request, on_progress)
    finally:
        probed.close()


def counters(node: Namespace) -> list[int]:
    lines = node.run("iptables-nft-save", "-c").splitlines()
    return [int(line[1:].split(":")[0]) for line in lines if line.startswith("[")]


@pytest.mark.parametrize("protocol", list(PORTS))
def test_as_many_packets_as_asked_for(node: Namespace, protocol: Protocol) -> None:
    node.load(RULES.format(verdict="DROP"))
    result = run(node, Request("cali0", NODE, protocol, PORTS[protocol], count=4))
    place = list(PORTS).index(protocol)
    assert counters(node) == [4 if at == place else 0 for at in range(3)]
    assert result.sending is not None and (result.sending.sent, result.sending.answered) == (4, 0)
    verdict = result.answer.verdict
    assert verdict.where is not None
    assert (verdict.outcome, verdict.where.number, verdict.packets) == ("lost", place + 1, 4)


@pytest.mark.parametrize("source", ["cali0", POD])
def test_what_is_answered_passes(node: Namespace, source: str) -> None:
    node.load(RULES.format(verdict="ACCEPT"))
    result = run(node, Request(source, NODE))
    assert result.sending is not None and all(rtt is not None for rtt in result.sending.rtt_ms)
    assert result.answer.verdict.outcome == "passed" and counters(node) == [5, 0, 0]


def test_a_closed_udp_port_is_told_as_refused_by_the_target(node: Namespace) -> None:
    node.load(RULES.format(verdict="ACCEPT"))
    result = run(node, Request("cali0", NODE, "udp", 81, count=3))
    assert result.sending is not None and result.sending.refused == 3
    assert result.answer.verdict.outcome == "passed"


def test_a_probe_stops_when_told_to(node: Namespace) -> None:
    node.load(RULES.format(verdict="ACCEPT"))
    answered: list[int] = []

    def note(progress: Progress) -> None:
        if progress.stage == "answered":
            answered.append(progress.done)

    probed = ProbedNode(node.name)
    with pytest.raises(ProbeCancelled):
        probe(probed, Request("cali0", NODE, count=50), note, lambda: len(answered) >= 2)
    probed.close()
    assert counters(node)[0] <= 3


def test_an_interrupt_ends_the_sending_at_once(node: Namespace) -> None:
    node.load(RULES.format(verdict="ACCEPT"))
    words = ["--netns", node.name, "probe", "--from", "cali0", "--to", NODE, "--count", "100"]
    started = subprocess.Popen(
        [sys.executable, "-m", "calitop", *words],
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background hands down an ignored interrupt, which a program is right to keep.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert started.stderr is not None
    while "1/100" not in started.stderr.readline():
        assert started.poll() is None
    started.send_signal(signal.SIGINT)
    left = started.communicate(timeout=5)[1]
    assert started.returncode == 130 and "Traceback" not in left
    assert counters(node)[0] < 50  # a busy machine reads the signal late


@pytest.mark.parametrize("target", ["192.0.2.255", "224.0.0.1", "255.255.255.255"])
def test_nothing_is_sent_to_many(node: Namespace, target: str) -> None:
    node.ip("addr", "add", "192.0.2.3/24", "dev", "lo")
    before = node.ip("-s", "link", "show", "cali0")
    with pytest.raises(UsageError):
        run(node, Request("cali0", target))
    assert node.ip("-s", "link", "show", "cali0") == before


def test_an_unknown_source_is_wrong_usage(node: Namespace) -> None:
    with pytest.raises(UsageError, match="no source 'nobody'"):
        run(node, Request("nobody", NODE))


def test_an_address_that_is_gone_is_told(node: Namespace) -> None:
    """The route is still there, the pod behind it is another one."""
    node.ip("route", "add", "192.0.2.9/32", "dev", "cali0")
    with pytest.raises(SourceUnavailable, match=r"192\.0\.2\.9"):
        run(node, Request("192.0.2.9", NODE))


def test_a_pod_without_a_named_namespace_is_found_by_its_process(netns: Namespace) -> None:
    with netns.process("unshare", "-n", "sleep", "60") as started:
        pid = str(started.pid)
        for _ in range(100):
            ready = subprocess.run(["readlink", f"/proc/{pid}/ns/net"], capture_output=True).stdout
            ours = subprocess.run(
                ["stat", "-Lc", "net:[%i]", f"/run/netns/{netns.name}"], capture_output=True
            )
            name = subprocess.run(["cat", f"/proc/{pid}/comm"], capture_output=True).stdout
            if ready != ours.stdout and name == b"sleep\n":
                break
        netns.ip("link", "add", "lxc0", "type", "veth", "peer", "name", "eth0", "netns", pid)
        netns.ip("link", "set", "lxc0", "up")
        enter = ["nsenter", "-t", pid, "-n", "ip"]
        subprocess.run([*enter, "addr", "add", f"{POD}/32", "dev", "eth0"], check=True)
        subprocess.run([*enter, "link", "set", "eth0", "up"], check=True)
        subprocess.run([*enter, "route", "add", "default", "dev", "eth0"], check=True)
        probed = ProbedNode(netns.name)
        try:
            index = NodeIndex(probed.read().state)
            for text in ("lxc0", POD):
                found = find_origin(probed, index, text, ip_address(NODE))
                assert (str(found.address), found.device) == (POD, "lxc0")
                assert found.space == f"/proc/{pid}/ns/net"
        finally:
            probed.close()


def test_without_privilege_the_reason_is_told(node: Namespace) -> None:
    node.load(RULES.format(verdict="ACCEPT"))
    words = ["probe", "--from", "cali0", "--to", NODE]
    command = [*node.prefix, "setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-m", "calitop"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 4, done.stderr
    assert counters(node) == [0, 0, 0]

"""Probes between the lab's two nodes: what is sent, what is heard, and what is said about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.cni.index import NodeIndex
from calitop.hits.moved import Moved
from calitop.probe.node import ProbedNode
from calitop.probe.origin import find_origin
from calitop.probe.records import ProbeResult, Progress, Request
from calitop.probe.run import probe
from lab import topology
from lab.faults import BY_NAME, CALICO1, CILIUM2
from lab.machine import Lab, Settings
from lab.measure import rule_packets
from lab.ping import ping
from lab.plan import healthy
from lab.shell import inside

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", params=["nft", "legacy"])
def built(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    made = Lab(f"ct-p{os.getpid() % 100000}{request.param[0]}")
    made.up(Settings(request.param), healthy())
    yield made, request.param
    made.down()


@pytest.fixture
def lab(built: tuple[Lab, str]) -> tuple[Lab, str]:
    """A healthy lab, and its backend."""
    built[0].load(Settings(built[1]), healthy())
    return built


@pytest.fixture
def pods(tmp_path: Path) -> Path:
    file = tmp_path / "pods.txt"
    file.write_text(topology.pod_list())
    return file


def load(lab: tuple[Lab, str], fault: str) -> None:
    made, backend = lab
    chosen = BY_NAME[fault]
    made.load(Settings(backend, chosen.kube, fault), chosen.plans())


def probed(lab: tuple[Lab, str], at: str = "work2", source: str = CILIUM2.ip) -> ProbeResult:
    node = ProbedNode(lab[0].namespace(at))
    try:
        return probe(node, Request(source, CALICO1.ip), lambda _: None)
    finally:
        node.close()


def counted(lab: tuple[Lab, str], node: str) -> Counter[str]:
    return rule_packets(inside(lab[0].namespace(node), f"iptables-{lab[1]}-save", "-c"))


def name_of(each: Moved) -> str:
    """A rule or policy in the words of `rule_packets`."""
    words = each.text if each.rule is None else f"#{each.number} {each.text.split(' ', 2)[2]}"
    return f"{each.key.table} {each.key.chain} {words}"


def traces(lab: tuple[Lab, str]) -> list[object]:
    """What a probe could leave behind."""
    spaces = [*(node.name for node in topology.NODES), CILIUM2.name, CALICO1.name]
    names = [lab[0].namespace(place) for place in spaces]
    return [
        sorted(path.name for path in Path("/run/netns").iterdir() if path.name.startswith(lab[0].name)),
        [inside(name, "ss", "-Htuwan") for name in names],
        [
            subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout
            for name in names
        ],
        [inside(name, f"iptables-{lab[1]}-save").count("\n-A") for name in names],
        [inside(name, "ip", "link") for name in names],
        sorted(thread.name for thread in threading.enumerate()),
    ]


@pytest.mark.parametrize("pod", [CILIUM2, topology.pod("10.222.160.6")], ids=["cilium", "calico"])
def test_a_pod_is_found_by_name_interface_and_address(
    lab: tuple[Lab, str], pods: Path, pod: topology.Pod
) -> None:
    node = ProbedNode(lab[0].namespace("work2"), pods=pods)
    try:
        index = NodeIndex(node.read().state)
        for text in (pod.name, f"default/{pod.name}", pod.interface, pod.ip, f"{pod.ip}/32"):
            found = find_origin(node, index, text, ip_address(CALICO1.ip))
            assert (str(found.address), found.here, found.device) == (pod.ip, True, pod.interface)
            assert found.space == f"/run/netns/{lab[0].namespace(pod.name)}"
            assert found.pod == f"default/{pod.name}"
    finally:
        node.close()


def test_the_nodes_own_address_sends_from_the_node(lab: tuple[Lab, str]) -> None:
    node = ProbedNode(lab[0].namespace("work2"))
    try:
        index = NodeIndex(node.read().state)
        for text in (topology.WORK2.address, "ens160"):
            found = find_origin(node, index, text, ip_address(topology.WORK1.address))
            assert (str(found.address), found.here, found.space) == (topology.WORK2.address, True, None)
        other = find_origin(node, index, CALICO1.ip, ip_address(CILIUM2.ip))
        assert (str(other.address), other.here) == (CALICO1.ip, False)
    finally:
        node.close()


def test_healthy_pings_pass_and_every_moved_rule_is_told(lab: tuple[Lab, str]) -> None:
    before, left = counted(lab, "work2"), traces(lab)
    result = probed(lab)
    moved = counted(lab, "work2") - before
    assert result.sending is not None and (result.sending.sent, result.sending.answered) == (5, 5)
    assert (result.answer.verdict.outcome, result.answer.verdict.where) == ("passed", None)
    assert Counter({name_of(each): each.packets for each in result.answer.nodes[0].moved}) == moved
    assert all(each.delta.exact for each in result.answer.nodes[0].moved)
    assert traces(lab) == left, "nothing stays behind"


@pytest.mark.parametrize("fault", ["rpf-tunl0-1", "profile-denies", "peer-missing"])
def test_a_loss_on_the_other_node_stays_undecided_here(lab: tuple[Lab, str], fault: str) -> None:
    load(lab, fault)
    result = probed(lab)
    verdict = result.answer.verdict
    assert result.sending is not None and (result.sending.sent, result.sending.answered) == (5, 0)
    assert (verdict.outcome, verdict.where) == ("undecided", None)
    assert topology.WORK1.address in " ".join(verdict.missing)
    assert verdict.candidates and all(each.collect for each in verdict.candidates)


@pytest.mark.parametrize(
    ("fault", "kind", "place"),
    [
        ("identity-mark", "rule", "cali-from-endpoint-mark"),
        ("rpf-sender", "kernel", "rp_filter"),
        ("forward-drop", "policy", "FORWARD"),
    ],
)
def test_a_loss_on_this_node_is_named(lab: tuple[Lab, str], fault: str, kind: str, place: str) -> None:
    load(lab, fault)
    verdict = probed(lab).answer.verdict
    assert verdict.where is not None and (verdict.outcome, verdict.packets) == ("lost", 5)
    assert (verdict.where.kind, verdict.where.chain or verdict.where.name) == (kind, place)
    assert verdict.where.node == lab[0].namespace("work2")


@pytest.mark.parametrize(
    ("fault", "outcome"), [(None, "undecided"), ("rpf-tunl0-1", "lost"), ("profile-denies", "lost")]
)
def test_the_operators_own_ping_is_waited_for_where_the_source_is_elsewhere(
    lab: tuple[Lab, str], fault: str | None, outcome: str
) -> None:
    """The node of the receiver alone: a loss here is named, healthy traffic accuses nobody."""
    if fault is not None:
        load(lab, fault)
    asked, steps = threading.Event(), list[Progress]()

    def note(progress: Progress) -> None:
        steps.append(progress)
        if progress.stage == "waiting":
            asked.set()

    def operator() -> None:
        if asked.wait(30):
            ping(lab[0], CILIUM2, CALICO1, 5)

    sender = threading.Thread(target=operator)
    sender.start()
    node = ProbedNode(lab[0].namespace("work1"))
    try:
        result = probe(node, Request(CILIUM2.ip, CALICO1.ip, wait_s=8), note)
    finally:
        node.close()
        sender.join()
    assert result.sending is None and result.seen == 5
    assert result.answer.verdict.outcome == outcome
    assert all(step.stage != "sending" for step in steps)


def test_the_command_tells_what_it_sends_and_answers_in_json(lab: tuple[Lab, str], pods: Path) -> None:
    words = ["probe", "--from", CILIUM2.name, "--to", CALICO1.ip, "--count", "3", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "calitop", "--netns", lab[0].namespace("work2"), "--pods", str(pods), *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    announced = next(line for line in done.stderr.splitlines() if "sending" in line)
    for word in ("3 echo requests of 84 bytes", CILIUM2.ip, CALICO1.ip, lab[0].namespace(CILIUM2.name)):
        assert word in announced
    told = json.loads(done.stdout)
    assert told["verdict"]["outcome"] == "passed" and told["nodes"][0]["moved"]
    sent = told["probe"]
    assert (sent["source"], sent["destination"]) == (f"{CILIUM2.ip}/32", f"{CALICO1.ip}/32")
    assert (sent["protocol"], sent["sent"], sent["answered"], len(sent["rtt_ms"])) == ("icmp", 3, 3, 3)
    assert sent["background"]["seconds"] >= 0.9


def test_exit_status_of_lost_and_undecided(lab: tuple[Lab, str]) -> None:
    for fault, status in (("identity-mark", 1), ("rpf-tunl0-1", 6)):
        load(lab, fault)
        words = ["probe", "--from", CILIUM2.interface, "--to", CALICO1.ip, "--count", "2"]
        command = [sys.executable, "-m", "calitop", "--netns", lab[0].namespace("work2"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout
        assert "2 sent, 0 answered" in done.stdout

"""Which pod is behind which interface, from real network namespaces, processes and folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from calitop.cni.pods import interface_name
from calitop.model.node import Known, NodeState, Pod
from calitop.snapshot.open import open_snapshots
from calitop.snapshot.save import save
from calitop.sources.collect import collect
from calitop.sources.kernel import KernelSource
from calitop.sources.namespace import ReaderThread
from calitop.sources.process_spaces import process_spaces
from calitop.sources.source import Source
from calitop.sources.via import CommandSource
from tests.kernel.netns import Namespace, run, wire

pytestmark = pytest.mark.kernel

CALI, LXC = interface_name("default", "web-0"), "lxc0123456789ab"
UID = "0d3a1b2c-1111-2222-3333-444455556666"
WAYS: dict[str, Callable[[Namespace], Source]] = {
    "kernel": lambda space: KernelSource(netns=space.name),
    "via": lambda space: CommandSource(f"ip netns exec {space.name}"),
}
CONTAINER = 'hostname "$1"; mount --bind "$2" /etc/hostname; echo up; exec env HOSTNAME="$1" sleep 300'
"""A process with a host name of its own, as a runtime gives it."""


LINKED = 'mount -t tmpfs none /etc; ln -s "$2" /etc/hostname; echo up; exec env -u HOSTNAME sleep 300'
"""A process whose own /etc/hostname is a link to what is the host's."""


@contextmanager
def container(
    space: Namespace, hostname: str, folder: Path, script: str = CONTAINER
) -> Iterator[subprocess.Popen[str]]:
    """A process in that network namespace whose host name is the pod's."""
    file = folder / hostname
    file.write_text(f"{hostname}\n")
    words = ["unshare", "--uts", "--mount", "sh", "-c", script, "sh", hostname, str(file)]
    process = subprocess.Popen([*space.prefix, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        wait_until(lambda: b"sleep" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def wait_until(is_so: Callable[[], bool]) -> None:
    for _attempt in range(200):
        if is_so():
            return
        time.sleep(0.02)
    raise AssertionError("it never came about")


@pytest.fixture
def node(make_netns: Callable[[str], Namespace], tmp_path: Path) -> Iterator[Namespace]:
    """A node with a Calico pod and a Cilium pod, each with a process."""
    node = make_netns("node")
    with ExitStack() as running:
        for at, (link, name) in enumerate(((CALI, "web-0"), (LXC, "db-1")), 5):
            pod = make_netns("pod")
            wire(node, link, pod, "eth0")
            pod.ip("addr", "add", f"10.9.0.{at}/32", "dev", "eth0")
            running.enter_context(container(pod, name, tmp_path))
        yield node


def by_name(state: NodeState) -> dict[str, Pod]:
    return {pod.name: pod for pod in state.pods}


def told(state: NodeState) -> set[tuple[str | None, str, str | None, str | None]]:
    return {(pod.namespace, pod.name, pod.ip, pod.interface) for pod in state.pods}


def sources(state: NodeState) -> dict[str, list[Known]]:
    """Where each pod is known from, but for the node, whose name a snapshot has from elsewhere."""
    return {pod.name: [known for known in pod.known_from if known.what != "node"] for pod in state.pods}


EXPECTED = {("default", "web-0", "10.9.0.5/32", CALI), (None, "db-1", "10.9.0.6/32", LXC)}


@pytest.mark.parametrize("way", list(WAYS))
def test_processes_tell_the_pods_of_a_node(way: str, node: Namespace) -> None:
    with closing(WAYS[way](node)) as source:
        state = source.structure().state
    assert told(state) == EXPECTED
    assert not [warning for warning in state.warnings if warning.startswith("pod ")]
    known = [known.source for known in sources(state)["web-0"]]
    assert any("proven by the hash" in source for source in known)
    assert any("network namespace of process" in source for source in known)


@pytest.mark.parametrize("way", list(WAYS))
def test_a_pod_cannot_show_a_file_of_the_host(
    way: str, make_netns: Callable[[str], Namespace], tmp_path: Path
) -> None:
    """Its /etc/hostname is a link; followed, it would lead to a file of the host's own."""
    node, pod = make_netns("node"), make_netns("pod")
    wire(node, LXC, pod, "eth0")
    with (
        container(pod, "secret-of-the-host", tmp_path, LINKED),
        closing(WAYS[way](node)) as source,
    ):
        state = source.structure().state
    assert any(sign.interface == LXC or sign.kind == "namespace" for sign in state.pod_signs)
    assert "secret-of-the-host" not in str(state.pod_signs) + str(state.pods)


@pytest.mark.parametrize("way", ["kernel", "via"])
def test_a_saved_node_has_the_same_pods(way: str, node: Namespace, tmp_path: Path) -> None:
    with closing(WAYS[way](node)) as source:
        live = source.structure().state
    prefix = f"ip netns exec {node.name}" if way == "via" else None
    save(collect(None if prefix else node.name, prefix), tmp_path / "saved")
    opened = open_snapshots([str(tmp_path / "saved")], None)[0].moments[0]
    assert told(opened) == told(live)
    assert sources(opened) == sources(live)


def test_a_namespace_without_a_process_is_found_by_its_name(
    make_netns: Callable[[str], Namespace],
) -> None:
    node, pod = make_netns("node"), make_netns("pod")
    wire(node, LXC, pod, "eth0")
    pod.ip("addr", "add", "10.9.0.7/32", "dev", "eth0")
    with closing(KernelSource(netns=node.name)) as source:
        state = source.structure().state
    found = [sign for sign in state.pod_signs if "10.9.0.7/32" in sign.addresses]
    assert [sign.source for sign in found] == [f"network namespace /run/netns/{pod.name}"]


def test_a_pod_that_comes_while_one_looks_is_seen(
    make_netns: Callable[[str], Namespace], tmp_path: Path
) -> None:
    node, pod = make_netns("node"), make_netns("pod")
    with closing(KernelSource(netns=node.name)) as source:
        assert source.structure().state.pods == ()
        wire(node, CALI, pod, "eth0")
        pod.ip("addr", "add", "10.9.0.5/32", "dev", "eth0")
        with container(pod, "web-0", tmp_path):
            node.ip("route", "add", "10.9.0.5/32", "dev", CALI)
            wait_until(lambda: "web-0" in by_name(source.structure().state))


def test_what_is_looked_at_is_bounded_in_time(node: Namespace) -> None:
    thread = ReaderThread(node.name)
    try:
        text = thread.call(lambda: process_spaces(0))
    finally:
        thread.close()
    assert "it took too long" in text
    assert " process " not in text


LOOK = """
import os, sys
from calitop.sources.namespace import ReaderThread
from calitop.sources.process_spaces import process_spaces
thread = ReaderThread(sys.argv[1])
print(thread.call(process_spaces))
"""


def test_no_namespace_of_a_pod_is_entered(node: Namespace, tmp_path: Path) -> None:
    log = tmp_path / "trace"
    calls = "trace=setns,unshare,fork,vfork,execve,connect"
    words = ("strace", "-f", "-qq", "-e", calls, "-o", str(log), sys.executable, "-B", "-c", LOOK)
    assert "10.9.0.5" in run([*words, node.name])
    entered = [line for line in log.read_text().splitlines() if "execve(" not in line]
    assert len(entered) == 1 and "setns(" in entered[0], "only the reader's own, to the node"


# -- folders of the kubelet and of Cilium, in a mount namespace of their own

FOLDERS = r"""
set -e
mkdir "$1/netns"; mount --rbind /run/netns "$1/netns"
mount -t tmpfs none /run; mkdir -p /run/netns; mount --rbind "$1/netns" /run/netns
mount -t tmpfs none /var/log; mkdir -p "/var/log/pods/default_web-0_$2"
mkdir -p /run/cilium/state/77 /run/cilium/state/77_next /run/cilium/state/templates
echo "$3" > /run/cilium/state/77/ep_config.json
shift 3
exec "$@"
"""


@pytest.mark.parametrize("way", list(WAYS))
def test_log_folders_and_ciliums_state_name_the_pods(
    way: str, make_netns: Callable[[str], Namespace], tmp_path: Path
) -> None:
    node, pod, other = make_netns("node"), make_netns("pod"), make_netns("pod")
    wire(node, CALI, pod, "eth0")
    wire(node, LXC, other, "eth0")
    node.ip("route", "add", "10.9.0.5/32", "dev", CALI)
    endpoint = {"ID": 77, "IfName": LXC, "IPv4": "10.9.0.6", "K8sPodName": "db-1", "K8sNamespace": "data"}
    option = ["--netns", node.name] if way == "kernel" else ["--via", f"ip netns exec {node.name}"]
    show = [str(Path(sys.executable).parent / "calitop"), "show", "--json", *option]
    folders = ["sh", "-c", FOLDERS, "sh", str(tmp_path), UID, json.dumps({**endpoint, "OpLabels": "hidden"})]
    assert os.path.realpath("/var/run") == "/run"
    shown = json.loads(run(["unshare", "--mount", *folders, *show]))
    pods = {(each["namespace"], each["name"]): each for each in shown["pods"]}
    assert {key: (each["ip"], each["interface"]) for key, each in pods.items()} == {
        ("default", "web-0"): ("10.9.0.5/32", CALI),
        ("data", "db-1"): ("10.9.0.6/32", LXC),
    }
    names = [
        known["source"] for each in pods.values() for known in each["known_from"] if known["what"] == "name"
    ]
    assert set(names) == {f"/var/log/pods/default_web-0_{UID}", "/var/run/cilium/state/77"}
    assert "hidden" not in json.dumps(shown)

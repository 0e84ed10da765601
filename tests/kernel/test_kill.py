"""Killed at any moment, calitop leaves nothing behind: no process, socket, rule, set, setting or file."""

from __future__ import annotations

import os
import random
import re
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from calitop.snapshot.save import TEMPORARY_PREFIX
from tests.kernel.netns import Namespace, attach_pod, run
from tests.kernel.test_source_readonly import CALLS, files_written
from tests.perf.soak import Churn
from tests.perf.terminal import Terminal

pytestmark = pytest.mark.kernel

NODE, POD = "192.0.2.1", "192.0.2.2"
RULES = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A FORWARD -i cali+ -j DROP
COMMIT
"""
MOMENTS = 8
MARK = "CALITOP_TEST_KILL"
"""In the environment of everything that a killed calitop started."""
ENDS_WITHIN_S = 10.0
"""A program that calitop started reads to its end, and ends."""
SOCKETS = ("netlink", "raw", "raw6", "icmp", "tcp", "tcp6", "udp", "udp6", "packet")
PROBE_COUNT = 100
SILENT_S = 1.0
"""A probe sends five packets in that time."""
COMMANDS = {
    "explorer": (3.0, ["--netns", "{node}", "--interval", "0.1"]),
    "explorer by a prefix": (3.0, ["--via", "ip netns exec {node}", "--interval", "0.1"]),
    "show": (1.0, ["show", "--netns", "{node}", "--json"]),
    "save": (1.5, ["save", "--netns", "{node}", "{folder}/saved"]),
    "probe": (
        4.0,
        ["probe", "--netns", "{node}", "--from", "cali0", "--to", NODE, "--count", f"{PROBE_COUNT}"],
    ),
}
"""The latest moment, seconds, and the words."""


@pytest.fixture
def node(make_netns: Callable[[str], Namespace]) -> Namespace:
    """A node with one pod, with rules of every kind, that nobody but a probe sends packets to."""
    node, pod = make_netns("kn"), make_netns("kp")
    attach_pod(node, pod, NODE, POD)
    node.load(RULES, "nft")
    node.load(RULES, "legacy")
    node.run("ipset", "create", "some", "hash:ip")
    node.run(
        "nft", "-f", "-", text="table inet own { set kept { type ipv4_addr; }; chain used { counter; }; }"
    )
    return node


@contextmanager
def churn(node: Namespace, seed: int) -> Iterator[None]:
    """Rules of both backends change all the time; a lock that stays taken would make this fail."""
    ended, failed = threading.Event(), list[BaseException]()
    changing = [Churn(node.name, backend, seed) for backend in ("nft", "legacy")]

    def change() -> None:
        try:
            while not ended.is_set():
                for each in changing:
                    each.change()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not failed


@dataclass(frozen=True)
class Traces:
    """What a namespace and the machine around it hold."""

    rules: dict[str, str]
    """By the program that printed them, without what the churn wrote."""
    tables: list[str]
    sets: str
    legacy_tables: str
    settings: str
    links: str
    sockets: dict[str, list[str]]
    mounts: list[str]
    processes: str


def traces(node: Namespace, *, counted: bool) -> Traces:
    """All of it, now; without counters where a probe may have moved them."""
    programs = ("iptables-nft-save -c", "iptables-legacy-save -c", "nft -a list table inet own")
    return Traces(
        {program: own(node.run(*program.split()), counted) for program in programs},
        sorted(node.run("nft", "list", "tables").splitlines()),
        node.run("ipset", "save"),
        node.run("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"),
        re.sub(r"(?m)^.*nf_conntrack_count.*\n", "", node.run("sysctl", "-a", "--pattern", r"^net\.")),
        node.ip("-br", "link"),
        {name: sockets(node.run("cat", f"/proc/net/{name}")) for name in SOCKETS},
        [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if node.name in line],
        run(["ip", "netns", "pids", node.name]),
    )


def own(text: str, counted: bool) -> str:
    """Rules that are not the churn's, and no dates."""
    text = text if counted else re.sub(r"\[\d+:\d+\] ?", "", text)
    kept = [line for line in text.splitlines() if not line.startswith("#") and "SOAK-" not in line]
    return "\n".join(kept)


def sockets(table: str) -> list[str]:
    """Each socket's kind, and address or port; not the memory it uses."""
    return sorted(" ".join(line.split()[1:4]) for line in table.splitlines()[1:])


def marked(mark: str) -> list[int]:
    """Processes of this machine that were started with the mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def all_ended(mark: str) -> bool:
    """Whether they end by themselves."""
    end = time.monotonic() + ENDS_WITHIN_S
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.05)
    return not marked(mark)


def modules() -> set[str]:
    """Kernel modules by name, built in or loaded."""
    return {path.name for path in Path("/sys/module").iterdir()}


def words(command: str, node: Namespace, folder: Path) -> list[str]:
    """The command as it is started; no bytecode, as of an installed one."""
    texts = [word.format(node=node.name, folder=folder) for word in COMMANDS[command][1]]
    return [sys.executable, "-B", "-m", "calitop", *texts]


def pings(node: Namespace) -> int:
    """Echo requests that the node has received."""
    return int(re.findall(r"\[(\d+):\d+\] -A INPUT", node.run("iptables-nft-save", "-c"))[0])


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_left_of_a_kill_at_any_moment(
    command: str, node: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under changing rules, at random moments; `CALITOP_SEED` repeats them."""
    seed = int(os.environ.get("CALITOP_SEED") or secrets.randbelow(2**32))
    print(f"CALITOP_SEED={seed}")
    moments = [random.Random(seed).uniform(0, COMMANDS[command][0]) for _ in range(MOMENTS)]
    counted = command != "probe"
    before, loaded = traces(node, counted=counted), modules()
    mark = secrets.token_hex(8)
    with churn(node, seed):
        monkeypatch.setenv(MARK, mark)
        for moment in moments:
            with Terminal(words(command, node, tmp_path), 120, 36) as terminal:
                terminal.watch(moment)
            shutil.rmtree(tmp_path / "saved", ignore_errors=True)
    monkeypatch.delenv(MARK)
    assert all_ended(mark)
    sent = pings(node)
    assert traces(node, counted=counted) == before
    assert modules() <= loaded
    assert {path.name[: len(TEMPORARY_PREFIX)] for path in tmp_path.iterdir()} <= {TEMPORARY_PREFIX}
    time.sleep(SILENT_S)
    assert pings(node) == sent <= (0 if counted else MOMENTS * PROBE_COUNT)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "save"])
def test_no_file_was_written_until_the_kill(command: str, node: Namespace, tmp_path: Path) -> None:
    """Neither a temporary file nor a lock, nor anything else that a kill could leave."""
    log = tmp_path / "trace"
    traced = ["strace", "-D", "-f", "-qq", "-y", "-e", f"trace={CALLS}", "-o", str(log)]
    with churn(node, 1), Terminal([*traced, *words(command, node, tmp_path)], 120, 36) as terminal:
        terminal.watch(2 * COMMANDS[command][0])
    text = log.read_text(errors="replace")
    assert "iptables-nft-save" in text
    assert files_written(text) == set()

"""The lab is what it says: the field report's node, healthy, whole, and gone without a trace."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from calitop.cni.felix_hash import check_chain
from lab import ping, topology, trial
from lab.__main__ import main
from lab.faults import CALICO1, CILIUM2
from lab.machine import STATE_FOLDER, Lab, Settings
from lab.plan import healthy
from lab.shell import PROJECT, inside, run

pytestmark = pytest.mark.kernel

SHARED = Path(__file__).parents[3] / "shared"
FIELD_REPORT = SHARED / "field-report.txt"
RESULT = {
    backend: SHARED / "captures" / folder
    for backend, folder in (("nft", "baseline"), ("legacy", "baseline.legacy"))
}
NAME = f"ct-l{os.getpid() % 100000}"


@pytest.fixture(scope="module", params=["nft", "legacy"])
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    """A healthy lab of this test run's own, and its backend."""
    made = Lab(NAME + request.param[0])
    made.up(Settings(request.param))
    yield made, request.param
    made.down()


def saved_rules(lab: Lab, node: str, backend: str) -> str:
    """The node's rules without counters and dates."""
    text = inside(lab.namespace(node), f"iptables-{backend}-save", "-c")
    return plain(text)


def plain(text: str) -> str:
    """Rules without what differs from moment to moment."""
    return re.sub(r"(?m)^#.*\n|\[\d+:\d+\] ?", "", text)


def test_every_pod_reaches_every_other(lab: tuple[Lab, str]) -> None:
    """One pair of each kind, both ways: all pings come back."""
    machine, _ = lab
    lost = [one for one in ping.matrix(machine, count=1) if one.received != one.sent]
    assert lost == []


@pytest.mark.skipif(not FIELD_REPORT.exists(), reason="the field report is not there")
def test_routes_are_those_of_the_field_report(lab: tuple[Lab, str]) -> None:
    """`route -n` of work2 prints what the real node printed."""
    machine, _ = lab
    if shutil.which("route") is None:
        pytest.skip("route is not installed (Debian: net-tools)")
    text = FIELD_REPORT.read_text()
    printed = text[text.index("Kernel IP routing table") :].split("\nroot@")[0]
    assert inside(machine.namespace("work2"), "route", "-n").strip() == printed.strip()


@pytest.mark.skipif(not RESULT["nft"].exists(), reason="the captures are not there")
@pytest.mark.parametrize("node", ["work1", "work2"])
def test_rules_are_those_of_another_lab(lab: tuple[Lab, str], node: str) -> None:
    """The saved rules agree with an independent lab's, line by line and in order."""
    machine, backend = lab
    other = RESULT[backend] / node / "before" / "iptables-save-c.txt"
    assert saved_rules(machine, node, backend).splitlines() == plain(other.read_text()).splitlines()


@pytest.mark.parametrize("node", ["work1", "work2"])
def test_hashes_prove_the_chains_whole(lab: tuple[Lab, str], node: str) -> None:
    """Every Felix rule carries the hash that its chain and the rules before it give."""
    machine, backend = lab
    chains: dict[tuple[str, str], list[str]] = defaultdict(list)
    table = ""
    for line in saved_rules(machine, node, backend).splitlines():
        table = line if line.startswith("*") else table
        if line.startswith("-A "):
            chains[table, line.split()[1]].append(line)
    states = {check.state for (_, chain), rules in chains.items() for check in check_chain(chain, rules)}
    assert states == {"match", "foreign"}


def test_tunnelled_pings_move_the_ipip_rules(lab: tuple[Lab, str]) -> None:
    """Outer packets are real: they count in the sender's OUTPUT and the receiver's INPUT."""
    machine, backend = lab
    measured = trial.run(machine, backend, lambda: ping.ping(machine, CILIUM2, CALICO1))
    allowed = "Allow IPIP packets"
    assert measured.moved["work2"].moved(f"filter cali-OUTPUT: {allowed}") == 5
    assert measured.moved["work1"].moved(f"filter cali-INPUT: {allowed}") == 5


def test_commands_break_measure_and_heal(lab: tuple[Lab, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Two faults by one command, what moves then, and back by one command."""
    machine, _ = lab
    here = ["--name", machine.name]
    assert main([*here, "fault", "rpf-tunl0-1", "policy-denies"]) == 0
    assert machine.settings and machine.settings.fault == "rpf-tunl0-1+policy-denies"
    assert main([*here, "measure"]) == 0
    told = capsys.readouterr().out
    assert "0 of 5 pings answered" in told
    assert "     +5  TcpExt.IPReversePathFilter\n" in told
    assert main([*here, "fault", "rpf-all-1", "rpf-loosened"]) == 3
    assert "both set net.ipv4.conf.all.rp_filter of work1" in capsys.readouterr().err
    assert main([*here, "heal"]) == 0
    assert main([*here, "measure"]) == 0
    assert "5 of 5 pings answered" in capsys.readouterr().out


def test_nothing_moves_while_nobody_pings(lab: tuple[Lab, str]) -> None:
    """The lab has no traffic of its own, so every count has a cause."""
    machine, backend = lab
    measured = trial.run(machine, backend, lambda: ping.Pinged(CILIUM2, CALICO1, 0, 0))
    assert {node: dict(reading.rules) for node, reading in measured.moved.items()} == {
        "work1": {},
        "work2": {},
    }


def test_leftovers_of_a_killed_lab_are_removed() -> None:
    """A helper that was killed and a state that was lost do not keep the lab from going up and down."""
    broken = Lab(NAME + "k")
    broken.up(Settings())
    pids = helpers(broken)
    assert len(pids) == len(topology.NODES)
    os.kill(pids[0], signal.SIGKILL)
    (STATE_FOLDER / f"{broken.name}.json").unlink()
    again = Lab(broken.name)
    again.up(Settings())
    assert ping.ping(again, CILIUM2, CALICO1, 1).received == 1
    broken.down()
    assert not [name for name in run("ip", "netns").split() if name.startswith(broken.name)]
    assert not [pid for pid in pids if is_helper(pid, broken)]
    assert not list(STATE_FOLDER.glob(f"{broken.name}*"))


def test_loading_replaces_a_tunnel_that_was_killed() -> None:
    """Healing is one command, whatever has ended meanwhile."""
    broken = Lab(NAME + "t")
    broken.up(Settings())
    try:
        for pid in helpers(broken):
            os.kill(pid, signal.SIGKILL)
        assert ping.ping(broken, CILIUM2, CALICO1, 1).received == 0
        broken.load(Settings(), healthy())
        assert ping.ping(broken, CILIUM2, CALICO1, 1).received == 1
    finally:
        broken.down()


def test_a_lab_killed_while_it_is_built_goes_down() -> None:
    """What `up` had made until it was killed is removed by `down`, processes included."""
    broken = Lab(NAME + "b")
    words = [sys.executable, "-m", "lab", "--name", broken.name, "up"]
    building = subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.DEVNULL)
    while not Path("/run/netns", broken.namespaces[-1]).exists():
        assert building.poll() is None
    building.kill()
    building.wait()
    broken.down()
    assert not [name for name in run("ip", "netns").split() if name.startswith(broken.name)]
    assert not list(STATE_FOLDER.glob(f"{broken.name}*"))


def helpers(lab: Lab) -> list[int]:
    """Processes the lab runs in its nodes."""
    words = [run("ip", "netns", "pids", lab.namespace(node.name)) for node in topology.NODES]
    return [int(word) for text in words for word in text.split()]


def is_helper(pid: int, lab: Lab) -> bool:
    """Whether this process is (still) one of the lab's."""
    try:
        return lab.name.encode() in Path("/proc", str(pid), "cmdline").read_bytes()
    except FileNotFoundError:
        return False


def test_without_root_it_refuses() -> None:
    """A user without privileges gets one clear line and exit status 3."""
    project = Path(__file__).parents[2]
    words = ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
    done = subprocess.run(
        [*words, sys.executable, "-m", "lab", "--name", NAME + "u", "up"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "the lab makes network namespaces: permission denied; run as root\n"

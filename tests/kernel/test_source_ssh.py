"""A node read through ssh: a real sshd on the loopback, with keys of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from calitop.errors import SourceUnavailable
from calitop.sources.collect import collect
from calitop.sources.source import Wanted
from calitop.sources.via import CommandSource
from tests.kernel.netns import Namespace, run

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(SSHD is None or shutil.which("ssh") is None, reason="needs sshd and ssh"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("sshd does not listen")


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[str]:
    """The words that run a command here through a real ssh connection."""
    assert SSHD is not None
    Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)])
    shutil.copy(tmp_path / "user.pub", tmp_path / "authorized")
    port = free_port()
    config = tmp_path / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized\n"
        f"PidFile {tmp_path}/pid\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
    )
    server = subprocess.Popen([SSHD, "-D", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield (
            f"ssh -q -F none -p {port} -i {tmp_path}/user -o BatchMode=yes -o StrictHostKeyChecking=no "
            f"-o UserKnownHostsFile={tmp_path}/known root@127.0.0.1"
        )
    finally:
        server.terminate()
        server.wait(10)


def test_a_namespace_behind_ssh_is_read_like_any_node(ssh: str, netns: Namespace) -> None:
    netns.load("*filter\n:INPUT ACCEPT [0:0]\n[3:4] -A INPUT -s 10.0.0.0/8 -j DROP\nCOMMIT\n")
    with closing(CommandSource(f"{ssh} ip netns exec {netns.name}")) as source:
        state = source.structure().state
        sample = source.counters(Wanted())
    assert [link.name for link in state.links] == ["lo"]
    assert any(rule.text.endswith("-j DROP") for chain in state.chains().values() for rule in chain.rules)
    assert sample is not None and sample.chains


def test_a_snapshot_is_collected_through_ssh(ssh: str, netns: Namespace) -> None:
    answers = {answer.file: answer for answer in collect(via=f"{ssh} ip netns exec {netns.name}")}
    assert answers["ip-link.json"].ok and answers["sysctl.txt"].text.startswith("net.")
    assert answers["iptables-legacy-save.txt"].status is None


def test_a_connection_that_dies_is_told_and_made_again(ssh: str, netns: Namespace) -> None:
    with closing(CommandSource(f"{ssh} ip netns exec {netns.name}")) as source:
        source.structure()
        for pid in run(["ip", "netns", "pids", netns.name]).split():
            run(["kill", "-9", pid])
        with pytest.raises(SourceUnavailable):
            source.counters(Wanted())
        assert source.structure().state.links


def test_a_refused_login_says_what_ssh_says(ssh: str) -> None:
    refused = ssh.replace("-q ", "").replace("/user ", "/nobody ")
    with (
        closing(CommandSource(refused)) as source,
        pytest.raises(SourceUnavailable, match="ermission denied"),
    ):
        source.structure()

"""The explorer does not outlive its terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("told", "status"),
    [(signal.SIG_DFL, -signal.SIGHUP), (signal.SIG_IGN, 128 + signal.SIGHUP)],
    ids=["heeded", "ignored"],
)
def test_it_ends_when_its_terminal_is_gone_and_nobody_says_so(told: signal.Handlers, status: int) -> None:
    """No session of its own, so the kernel sends it no signal; below `nohup` it would not hear its own."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "calitop", str(ROOT / "snapshots" / "lab")]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, told),
    ) as explorer:
        os.close(slave)
        seen = b""
        while b"Chains" not in seen:
            seen += os.read(master, 65536)
        os.close(master)
        try:
            assert explorer.wait(timeout=30) == status
        finally:
            explorer.kill()

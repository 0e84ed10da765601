"""The walk-through of the README, command by command and key by key."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.machine import Lab

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## Two minutes in the lab.*?(?=^## )", re.S | re.M)
TMUX = ["tmux", "-L", "calitop-walk"]
CAUSE = 'cali-from-endpoint-mark rule 7 "Unknown interface"'


def section() -> str:
    """The walk-through as it stands in the README."""
    found = SECTION.search((ROOT / "README.md").read_text())
    assert found is not None
    return found[0]


def blocks() -> list[list[str]]:
    """Its commands, block by block, without the remarks behind them."""
    texts = re.findall(r"^```\n(.*?)^```", section(), re.S | re.M)
    return [[line.split(" #")[0].strip() for line in text.splitlines()] for text in texts]


def explorer() -> tuple[str, list[str], list[str]]:
    """The command that looks by eye, the keys and words of its probe, and those around one's own ping."""
    probe, own = section().split("The same by eye:")[1].split("Or watch")
    command, *keys = re.findall(r"`([^`]+)`", probe)
    return command, keys, re.findall(r"`([^`]+)`", own)[:2]


@pytest.fixture(scope="module", autouse=True)
def clean() -> Iterator[None]:
    """Nothing of the walk stays behind."""
    walk = ROOT / "walk"
    shutil.rmtree(walk, ignore_errors=True)
    yield
    subprocess.run([*TMUX, "kill-server"], capture_output=True, check=False)
    shutil.rmtree(walk, ignore_errors=True)
    Lab("ct").down()


def run(command: str) -> subprocess.CompletedProcess[str]:
    """One command of the README, as typed in the project's folder."""
    return subprocess.run(
        command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def screen() -> str:
    """What the terminal shows, its lines joined."""
    shown = subprocess.run([*TMUX, "capture-pane", "-p"], capture_output=True, text=True, check=False)
    return re.sub(r"\s+", " ", shown.stdout)


def until(words: str) -> None:
    """Wait for words on the screen."""
    end = time.monotonic() + 20
    while words not in screen():
        assert time.monotonic() < end, screen()
        time.sleep(0.1)


def test_the_walk_through_leads_to_both_causes() -> None:
    """The probe names the rule, the keys lead to the same answer, the saved files name the kernel's check."""
    marked, reverse_path = blocks()
    *prepare, probe = marked
    done = [run(command) for command in prepare]
    assert [each.returncode for each in done] == [0, 0, 0], done
    assert "0/5" in done[-1].stdout
    probed = run(probe)
    assert probed.returncode == 1, probed.stderr
    assert f"LOST: on ct-work2 filter {CAUSE}" in probed.stdout
    by_eye(ping=prepare[-1])
    done = [run(command) for command in reverse_path]
    hits = done[-2]
    assert hits.returncode == 1, hits.stderr
    assert "LOST: on work1 the kernel's reverse-path filter dropped 5 packets on tunl0" in hits.stdout
    assert [each.returncode for each in (*done[:-2], done[-1])] == [0] * (len(done) - 1)


def by_eye(ping: str) -> None:
    """The same in the explorer."""
    command, keys, (baseline, answer) = explorer()
    start = [*TMUX, "new-session", "-d", "-x", "120", "-y", "36", command]
    subprocess.run(start, cwd=ROOT, check=True)
    until("Chains")
    until("live")
    time.sleep(1)
    probe_by_keys(keys)
    press(baseline)
    time.sleep(2)
    assert "0/5" in run(ping).stdout
    time.sleep(2)
    press(answer)
    until("LOST")
    until("cali-from-endpoint-mark")
    subprocess.run([*TMUX, "kill-server"], check=True)


def press(key: str) -> None:
    """One key, or a word that is typed."""
    subprocess.run([*TMUX, "send-keys", key], check=True)


def probe_by_keys(keys: list[str]) -> None:
    """`p`, the two ends, the key that sends, and back."""
    open_it, source, enter, target, enter_too, send, back = keys
    press(open_it)
    until("known sources")
    press(source)
    press(enter)
    until("known destinations")
    press(target)
    press(enter_too)
    until("READY: on your key this is sent")
    press(send)
    until("5 sent, 0 answered")
    until("LOST")
    press(back)
    until("Chains")

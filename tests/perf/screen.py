"""What painting and keys cost under a real pseudo-terminal."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.perf.table import ROUNDS, Row, median_ms
from tests.perf.terminal import Terminal

HERE = Path(__file__).parent
EMPTY = [sys.executable, str(HERE / "empty_app.py")]
CALITOP = [sys.executable, "-m", "calitop"]


UNTOLD = [
    sys.executable,
    "-c",
    "import sys, calitop.__main__ as main, widgets.rule_facts as facts\n"
    "facts.sentence = lambda view, place: ''\n"
    "sys.exit(main.main())",
]
"""calitop without the plain sentences of the detail pane, to tell their share."""
STEPS = 200
"""Rules that the cursor goes down through."""


def first_paint(command: list[str], word: str) -> tuple[float, float]:
    """Median time to the word on the screen, ms, and the largest memory, MB."""
    times, memory = [], []
    for _ in range(ROUNDS):
        with Terminal(command) as terminal:
            times.append(terminal.until(word) * 1000)
            terminal.drain(0.5)
            memory.append(terminal.memory_mb())
    return statistics.median(times), max(memory)


def screen_rows(size: str, folder: Path) -> Iterator[Row]:
    """First paint and keys under a real pseudo-terminal of 160x50."""
    empty, empty_mb = first_paint(EMPTY, "EMPTY-APP")
    reading = median_ms(lambda: [path.read_bytes() for path in folder.iterdir()])
    frame, _ = first_paint([*CALITOP, str(folder)], "Chains")
    filled, filled_mb = first_paint([*CALITOP, str(folder)], "KUBE-SERVICES")
    yield Row("empty Textual app, first paint", empty, "ms")
    yield Row(f"{size}: time to read the files", reading, "ms")
    yield Row(f"{size}: first frame", frame, "ms", {"of the empty app": empty})
    yield Row(f"{size}: screen filled", filled, "ms", {"of the empty app": empty})
    yield Row("empty Textual app, memory", empty_mb, "MB")
    yield Row(f"{size}: memory over it", filled_mb - empty_mb, "MB")
    yield from key_rows(size, folder)


def key_rows(size: str, folder: Path) -> Iterator[Row]:
    """Key presses until the last byte of the answer."""
    with Terminal([*CALITOP, str(folder)]) as terminal:
        terminal.until("KUBE-SERVICES")
        terminal.drain()
        terminal.key("\t\t")
        for name, keys in (("cursor down", "j"), ("expand all below", "o"), ("collapse", "o")):
            spent, written = terminal.key(keys)
            yield Row(f"{size}: key {name} to last byte ({written} bytes)", spent * 1000, "ms")
        terminal.key("/")
        for letter in "cali-fw":
            spent, _ = terminal.key(letter)
            yield Row(f"{size}: search keystroke {letter!r}", spent * 1000, "ms")
    for name, command in (("", CALITOP), (", without the sentences", UNTOLD)):
        times = walk([*command, str(folder)])
        for part, at in (("p50", STEPS // 2), ("p99", STEPS * 99 // 100), ("max", STEPS - 1)):
            yield Row(f"{size}: down through {STEPS} rules{name}, {part}", times[at], "ms")


def walk(command: list[str]) -> list[float]:
    """Key to last byte of each step down through the opened tree, ms, the quickest first."""
    with Terminal(command) as terminal:
        terminal.until("KUBE-SERVICES")
        terminal.drain(1.0)
        terminal.key("\t\tjo")
        terminal.drain(1.0)
        return sorted(terminal.key("j", quiet_s=0.1)[0] * 1000 for _ in range(STEPS))

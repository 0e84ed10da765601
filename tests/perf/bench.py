"""`make bench`: what calitop costs, as ratios against yardsticks of the same run.

Nothing here fails on time; the table is for reading. Every figure is the median of `ROUNDS` runs.
"""

from __future__ import annotations

import compileall
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from calitop.cni.index import NodeIndex
from calitop.formats import iptables_save
from calitop.model.node import NodeState
from calitop.outline import Outline
from calitop.outline.content import View
from calitop.search import search
from calitop.snapshot.open import open_snapshots
from tests.perf.generate import SIZES, write
from tests.perf.generate import iptables_save as save_text
from tests.perf.terminal import Terminal

ROUNDS = 5
HERE = Path(__file__).parent
EMPTY = [sys.executable, str(HERE / "empty_app.py")]
CALITOP = [sys.executable, "-m", "calitop"]


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure against its yardstick."""

    what: str
    value: float
    unit: str
    against: str = ""
    yardstick: float | None = None

    def text(self) -> str:
        """The row as it is printed."""
        ratio = f"{self.value / self.yardstick:8.2f}x of {self.against}" if self.yardstick else ""
        return f"{self.what:<58}{self.value:10.1f} {self.unit:<3}{ratio}"


def median_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median wall time of a call, ms."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def first_paint(command: list[str], word: str) -> tuple[float, float]:
    """Median time to the word on the screen, ms, and the largest memory, MB."""
    times, memory = [], []
    for _ in range(ROUNDS):
        with Terminal(command) as terminal:
            times.append(terminal.until(word) * 1000)
            terminal.drain(0.5)
            memory.append(terminal.memory_mb())
    return statistics.median(times), max(memory)


def engine_rows(size: str, folder: Path) -> Iterator[Row]:
    """Reading, outlining and searching without a terminal."""
    text = save_text(SIZES[size])
    lines = median_ms(text.splitlines)
    yield Row(f"{size}: split the text into lines", lines, "ms")
    yield Row(f"{size}: parse it", median_ms(partial(iptables_save.parse, text)), "ms", "splitlines", lines)
    yield Row(f"{size}: open the snapshot folder", median_ms(partial(open_snapshots, [str(folder)])), "ms")
    state = open_snapshots([str(folder)])[0].moments[0]
    index = NodeIndex(state)
    yield from outline_rows(size, state, index)
    search(state, index, "warm up")
    for words in ("cali", "KUBE-SEP", "no such thing at all"):
        yield Row(f"{size}: search {words!r}", median_ms(partial(search, state, index, words)), "ms")


def outline_rows(size: str, state: NodeState, index: NodeIndex) -> Iterator[Row]:
    """Making the two views, and opening and closing everything in them."""
    views: tuple[View, ...] = ("chain", "hook")
    for view in views:
        yield Row(f"{size}: outline by {view}", median_ms(partial(Outline, state, view, index)), "ms")
        outline = Outline(state, view, index)
        expand = median_ms(partial(outline.open_below, None, True), rounds=1)
        yield Row(f"{size}: open all by {view}, {len(outline)} lines", expand, "ms")


def screen_rows(size: str, folder: Path) -> Iterator[Row]:
    """First paint and keys under a real pseudo-terminal of 160x50."""
    empty, empty_mb = first_paint(EMPTY, "EMPTY-APP")
    reading = median_ms(lambda: [path.read_bytes() for path in folder.iterdir()])
    frame, _ = first_paint([*CALITOP, str(folder)], "Chains")
    filled, filled_mb = first_paint([*CALITOP, str(folder)], "KUBE-SERVICES")
    yield Row("empty Textual app, first paint", empty, "ms")
    yield Row(f"{size}: time to read the files", reading, "ms")
    yield Row(f"{size}: first frame", frame, "ms", "the empty app", empty)
    yield Row(f"{size}: screen filled", filled, "ms", "the empty app", empty)
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


def main() -> None:
    """Print the table, row by row as it is measured."""
    # A program that writes no bytecode must find it, as an installed one does.
    for package in ("calitop", "widgets", "tui"):
        compileall.compile_dir(package, quiet=1)
    sizes = sys.argv[1:] or ["1k", "50k"]
    with tempfile.TemporaryDirectory(prefix="calitop-bench-") as scratch:
        for size in sizes:
            folder = write(SIZES[size], Path(scratch) / size)
            for rows in (engine_rows, screen_rows):
                for row in rows(size, folder):
                    print(row.text(), flush=True)


if __name__ == "__main__":
    main()

"""What the whole explorer costs on a live node that it reads twice a second: processor, memory, keys."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.kernel.netns import why_not
from tests.perf.generate import SIZES
from tests.perf.live_node import BACKENDS, Node, loaded
from tests.perf.screen import CALITOP, EMPTY, first_paint
from tests.perf.table import Row
from tests.perf.terminal import Terminal
from tests.perf.traffic import LOADS, ONE_FLOW, load_words, traffic

INTERVAL_S = 0.5
WARM_UP_S, WATCHED_S = 10.0, 20.0
KEYS = 200
FILLED = "KUBE-SERVICES"
FIRST_CHAIN = "nat PREROUTING"
"""Where the cursor stands at first, and what the details of it begin with."""


def process_rows(size: str, _folder: Path) -> Iterator[Row | str]:
    """The explorer under a real pseudo-terminal of 160x50, over a namespace that holds the node."""
    if reason := why_not():
        yield f"{size}: process rows skipped: {reason}"
        return
    empty, empty_mb = first_paint(EMPTY, "EMPTY-APP")
    for backend in BACKENDS:
        with loaded(SIZES[size], backend) as node:
            place = f"{size} {backend} live"
            command = [*CALITOP, "--netns", node.space.name, "--interval", str(INTERVAL_S)]
            for what, word in (("first frame", "Chains"), ("screen filled", FILLED)):
                yield Row(
                    f"{place}: {what}", first_paint(command, word)[0], "ms", {"of the empty app": empty}
                )
            with Terminal(command) as terminal:
                terminal.until(FILLED, 60)
                terminal.watch(WARM_UP_S)
                yield from _processor_rows(place, size, node, terminal)
                yield from _key_rows(place, size, node, terminal)
                yield Row(f"{place}: most memory over the empty app", terminal.memory_mb() - empty_mb, "MB")


def _processor_rows(place: str, size: str, node: Node, terminal: Terminal) -> Iterator[Row]:
    """Of the process and the programs it ran, by load."""
    for load in LOADS:
        with traffic(load, SIZES[size], node.space, node.pods[0]):
            terminal.watch(1)
            used, began = terminal.cpu_s(), time.monotonic()
            terminal.watch(WATCHED_S)
            percent = 100 * (terminal.cpu_s() - used) / (time.monotonic() - began)
        yield Row(f"{place}, {load_words(load, SIZES[size])}: processor at 2 Hz", percent, "%  of a core")


def _key_rows(place: str, size: str, node: Node, terminal: Terminal) -> Iterator[Row]:
    """Cursor keys through the opened tree while polls go on: from the key to the last byte of its paint."""
    with traffic(ONE_FLOW, SIZES[size], node.space, node.pods[0]):
        with Terminal(EMPTY) as empty:
            empty.until("EMPTY-APP")
            empty.watch(1)
            yardsticks = _percentiles(_keys(empty, 0))
        line = _go_to_chains(terminal)
        terminal.until_changed(line, "j")
        terminal.press("o")
        terminal.watch(3)
        spent = _percentiles(_keys(terminal, line))
    for name, value in spent.items():
        against = {"of the empty app": yardsticks[name]}
        yield Row(f"{place}, {ONE_FLOW}: key to paint, {name} of {KEYS}", value, "ms", against)


def _percentiles(spent: Iterator[float]) -> dict[str, float]:
    """Median and worst but two, ms."""
    places = statistics.quantiles(spent, n=100)
    return {"p50": places[49] * 1000, "p99": places[98] * 1000}


def _keys(terminal: Terminal, line: int) -> Iterator[float]:
    """Seconds of each; a line tells of another rule once the key is painted."""
    random_pause = random.Random(1)
    for key in itertools.chain("j" * (KEYS // 2), "k" * (KEYS // 2)):
        yield terminal.until_changed(line, key)
        terminal.watch(random_pause.uniform(0.02, 0.15))


def _go_to_chains(terminal: Terminal) -> int:
    """Focus the chains; the line that names the row under the cursor."""
    for _pane in range(3):
        with suppress(LookupError):
            return terminal.drawn().find(FIRST_CHAIN)
        terminal.press("\t")
        terminal.watch(1)
    return terminal.drawn().find(FIRST_CHAIN)

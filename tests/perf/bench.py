"""`make bench`: what calitop costs, as ratios against yardsticks of the same run.

    python -m tests.perf.bench [SIZE…] [--engine] [--screen] [--live] [--process]

Without sizes all of them, without parts all parts. Nothing here fails on time; the table is for
reading. Every figure is the median of `table.ROUNDS` runs unless its row says otherwise.
"""

from __future__ import annotations

import argparse
import compileall
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.perf.engine import engine_rows
from tests.perf.generate import SIZES, write
from tests.perf.live import live_rows
from tests.perf.process import process_rows
from tests.perf.screen import screen_rows
from tests.perf.table import Row

PARTS: dict[str, Callable[[str, Path], Iterator[Row | str]]] = {
    "engine": engine_rows,
    "screen": screen_rows,
    "live": live_rows,
    "process": process_rows,
}


def asked() -> argparse.Namespace:
    """What the command line asks for: sizes and parts."""
    parser = argparse.ArgumentParser(prog="tests.perf.bench")
    parser.add_argument("sizes", nargs="*", metavar="SIZE", help=f"of {', '.join(SIZES)}; all without")
    for part in PARTS:
        parser.add_argument(f"--{part}", dest="parts", action="append_const", const=part)
    found = parser.parse_args()
    if unknown := set(found.sizes) - SIZES.keys():
        parser.error(f"no such size: {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    return found


def main() -> None:
    """Print the table, row by row as it is measured."""
    wanted = asked()
    # A program that writes no bytecode must find it, as an installed one does.
    for package in ("calitop", "widgets", "tui"):
        compileall.compile_dir(package, quiet=1)
    with tempfile.TemporaryDirectory(prefix="calitop-bench-") as scratch:
        for size in wanted.sizes or SIZES:
            folder = write(SIZES[size], Path(scratch) / size)
            for part in wanted.parts or PARTS:
                for row in PARTS[part](size, folder):
                    print(row.text() if isinstance(row, Row) else row, flush=True)


if __name__ == "__main__":
    main()

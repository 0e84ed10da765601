"""`conntrack -S`: counters of connection tracking, a line a processor.

Source: conntrack(8); the columns differ between kernels, so all are taken by name.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, numbered, whole_number

KIND = "conntrack -S"

_ROW = re.compile(r"cpu=\d+\s+(?:\w+=\d+\s*)+", re.ASCII)


def looks_like(text: str) -> bool:
    """Whether the first line is that of a processor."""
    lines = head_lines(text)
    return bool(lines) and bool(_ROW.match(lines[0]))


def parse(text: str) -> Fragment:
    """The sums over all processors, as `Conntrack.insert_failed`."""
    problems = Problems()
    stats: dict[str, int] = {}
    for number, line in numbered(text):
        if not line.startswith("cpu=") or not _add(stats, line.split()[1:]):
            problems.add(number, line.strip(), "is not a processor with its counters")
    return Fragment(problems.all(), stats=stats or None, richness=8)


def _add(stats: dict[str, int], words: list[str]) -> bool:
    """Add the counters of one line; False where it has none, or a word that is no counter."""
    pairs = [(name, whole_number(value)) for name, _, value in (word.partition("=") for word in words)]
    for name, value in pairs:
        if name and value is not None:
            stats[f"Conntrack.{name}"] = stats.get(f"Conntrack.{name}", 0) + value
    return bool(pairs) and all(name and value is not None for name, value in pairs)

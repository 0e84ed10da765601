"""/proc/net/softnet_stat: packets received by each processor, in hexadecimal columns.

Source: softnet_seq_show in net/core/net-procfs.c: processed, dropped, time_squeeze, …
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, numbered

KIND = "/proc/net/softnet_stat"

_ROW = re.compile(r"\s*[0-9a-f]{8}(?: [0-9a-f]{8}){8,}\s*")
_NAMES = ("processed", "dropped", "time_squeeze")


def looks_like(text: str) -> bool:
    """Whether every one of the first lines is a row of hexadecimal columns."""
    lines = head_lines(text)
    return bool(lines) and all(_ROW.fullmatch(line) for line in lines)


def parse(text: str) -> Fragment:
    """The sums over all processors, as `Softnet.dropped`."""
    problems = Problems()
    rows = []
    for number, line in numbered(text):
        if _ROW.fullmatch(line):
            rows.append([int(word, 16) for word in line.split()[: len(_NAMES)]])
        else:
            problems.add(number, line.strip(), "is not a row of hexadecimal columns")
    if not rows:
        return Fragment(problems.all())
    sums = (sum(column) for column in zip(*rows, strict=True))
    stats = {f"Softnet.{name}": value for name, value in zip(_NAMES, sums, strict=True)}
    return Fragment(problems.all(), stats=stats, richness=8)

"""/proc/net/dev: counters of each device.

Source: dev_seq_printf_stats in net/core/net-procfs.c; old kernels glue the first number to the colon.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, numbered, told, whole_number
from calitop.model.network import Link, LinkCounters

KIND = "/proc/net/dev"

_TITLE = re.compile(r"\s*(Inter-\|\s*Receive|face \|bytes)")
_COLUMNS = 16


def looks_like(text: str) -> bool:
    """Whether the title of the file is among the first lines."""
    return any(_TITLE.match(line) for line in head_lines(text)[:3])


def parse(text: str) -> Fragment:
    """The devices with their counters, and nothing else of them."""
    problems = Problems()
    links = []
    for number, line in numbered(text):
        if _TITLE.match(line):
            continue
        link = device(line)
        if link is None:
            problems.add(number, line.strip(), f"is not a device with {_COLUMNS} counters")
            continue
        links.append(link)
    return Fragment(problems.all(), links=told(links, problems), richness=1)


def device(line: str) -> Link | None:
    """The device of a line below the titles with its counters; None for a line of another form."""
    name, colon, rest = line.rpartition(":")
    words = rest.split()
    values = [value for word in words if (value := whole_number(word)) is not None]
    if not colon or len(values) != _COLUMNS or len(words) != _COLUMNS:
        return None
    return Link(name.strip(), counters=_counters(values))


def _counters(values: list[int]) -> LinkCounters:
    rx, tx = values[:8], values[8:]
    return LinkCounters(rx[1], rx[0], rx[3], rx[2], tx[1], tx[0], tx[3], tx[2])

"""`uname -a`: name of the node and release of its kernel.

Source: uname(1): system, node name, release, version, machine.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, numbered

KIND = "uname"

_UNAME = re.compile(r"Linux (\S+) (\d+\.\d+\S*) (#\d\S*.*|\S.*)")


def looks_like(text: str) -> bool:
    """Whether the text is the one line of `uname -a`."""
    line = text.strip()
    return len(line) < 500 and "\n" not in line and _UNAME.fullmatch(line) is not None


def parse(text: str) -> Fragment:
    """The node's name and its kernel release, as `6.1.0-13-amd64`."""
    problems = Problems()
    name = kernel = None
    for number, line in numbered(text):
        match = _UNAME.fullmatch(line.strip())
        if match is None or kernel is not None:
            problems.add(number, line.strip(), "is not the line of 'uname -a'")
        else:
            name, kernel = match[1], match[2]
    return Fragment(problems.all(), node_name=name, kernel=kernel, richness=4)

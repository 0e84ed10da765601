"""`ip [-s] neigh` as text: `10.0.0.2 dev eth0 lladdr 02:00:00:00:00:02 REACHABLE`.

Source: print_neigh in iproute2's ip/ipneigh.c; tried with iproute2 6.1.
"""

from __future__ import annotations

import re
from itertools import pairwise

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, is_address, numbered, told, word_set
from calitop.model.network import Neighbour

KIND = "ip neigh"

_STATES = word_set("INCOMPLETE REACHABLE STALE DELAY PROBE FAILED NOARP PERMANENT NONE")
_ROW = re.compile(
    rf"\s?[0-9a-fA-F.:]+\s+(?:dev \S+\s+)?(?:lladdr \S+|.*\b(?:{'|'.join(sorted(_STATES))})\s*$)"
)


def looks_like(text: str) -> bool:
    """Whether the first lines are neighbours."""
    lines = head_lines(text)
    rows = sum(1 for line in lines if _ROW.match(line) and is_address(line.split()[0]))
    return rows > 0 and 2 * rows > len(lines)


def parse(text: str) -> Fragment:
    """The neighbours of a text."""
    problems = Problems()
    found = []
    for number, line in numbered(text):
        words = line.split()
        if not is_address(words[0]):
            problems.add(number, line.strip(), "is not a neighbour: it begins with no address")
            continue
        found.append(_neighbour(words))
    return Fragment(problems.all(), neighbours=told(found, problems), richness=6)


def _neighbour(words: list[str]) -> Neighbour:
    after = dict(pairwise(words))
    states = tuple([word for word in words[1:] if word in _STATES])
    return Neighbour(words[0], after.get("dev"), after.get("lladdr"), states)

"""`conntrack -L [-o extended]` and /proc/net/nf_conntrack: the connections that the kernel follows.

Source: snprintf_default.c of libnetfilter_conntrack; nf_conntrack_standalone.c of the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from calitop.formats.fragment import Fragment
from calitop.formats.reading import (
    Problems,
    any_number,
    family_of,
    head_lines,
    numbered,
    told,
    whole_number,
)
from calitop.model.node import ConntrackEntry, FlowTuple

KIND = "conntrack -L"

_ENTRY = re.compile(
    r"\s?(?:(ipv[46])\s+\d+\s+)?([a-z][a-z0-9_-]*)\s+(\d+)\s+(?:(\d+)\s+)?([A-Z][A-Z0-9_]*\s+)?src="
)
_SHOWN = re.compile(r"conntrack v\S+ \(conntrack-tools\): \d+ flow entries|conntrack v\S+: \d+ flow")
_FLAG = re.compile(r"\[([A-Z_]+)\]")


def looks_like(text: str) -> bool:
    """Whether most of the first lines are connections."""
    lines = head_lines(text)
    found = sum(1 for line in lines if _ENTRY.match(line))
    return found > 0 and 2 * found >= len(lines)


def parse(text: str) -> Fragment:
    """The connections; the program's closing word on their number is passed over."""
    problems = Problems()
    entries = []
    for number, line in numbered(text):
        entry = _entry(line)
        if entry is not None:
            entries.append(entry)
        elif not _SHOWN.match(line):
            problems.add(number, line.strip(), "is not a connection, or is cut before its reply")
    return Fragment(problems.all(), conntrack=told(entries, problems), richness=6)


def _entry(line: str) -> ConntrackEntry | None:
    match = _ENTRY.match(line)
    if match is None:
        return None
    family, protocol, number, timeout, state = match.groups()
    words = line[match.end() - len("src=") :].split()
    starts = [place for place, word in enumerate(words) if word.startswith("src=")]
    if len(starts) != 2:
        return None
    original, reply = _tuple(words[: starts[1]]), _tuple(words[starts[1] :])
    if original.src is None or reply.src is None or reply.dst is None:
        return None
    after = dict(word.split("=", 1) for word in words if "=" in word)
    return ConntrackEntry(
        number if protocol == "unknown" else protocol,
        state.strip() if state else None,
        original,
        reply,
        tuple(_FLAG.findall(line)),
        any_number(after.get("mark", "")),
        whole_number(after.get("zone", "")),
        whole_number(timeout or ""),
        family or family_of(original.src),
    )


def _tuple(words: Sequence[str]) -> FlowTuple:
    """One direction; what comes after it on the line (`mark=`, the entry's own `id=`) is not of it."""
    told_by: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            told_by.setdefault(name, value)
    icmp = "type" in told_by
    return FlowTuple(
        told_by.get("src"),
        told_by.get("dst"),
        whole_number(told_by.get("sport", "")),
        whole_number(told_by.get("dport", "")),
        whole_number(told_by.get("type", "")),
        whole_number(told_by.get("code", "")),
        whole_number(told_by.get("id", "")) if icmp else None,
    )

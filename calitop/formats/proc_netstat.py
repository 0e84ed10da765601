"""/proc/net/netstat: a line of names and a line of values for each group (`TcpExt`, `IpExt` …).

Source: netstat_seq_show in net/ipv4/proc.c; /proc/net/snmp has the same form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, numbered, signed_number

KIND = "/proc/net/netstat"

_ROW = re.compile(r"([A-Za-z][A-Za-z0-9]*): (\S.*)")
_EXTENDED = re.compile(r"(TcpExt|IpExt|MPTcpExt): [A-Z]")


def looks_like(text: str) -> bool:
    """Whether one of the first lines names the columns of an extended group."""
    return any(_EXTENDED.match(line) for line in head_lines(text) or [text[:100]])


def parse(text: str) -> Fragment:
    """The statistics as `TcpExt.IPReversePathFilter`."""
    problems = Problems()
    stats: dict[str, int] = {}
    names: tuple[int, str, list[str]] | None = None
    for number, line in numbered(text):
        match = _ROW.fullmatch(line.strip())
        if match is None:
            problems.add(number, line.strip(), "is not a group of statistics")
            continue
        group, words = match[1], match[2].split()
        if names is None or names[1] != group or not _are_values(words):
            _report_alone(names, problems)
            names = (number, group, words)
            continue
        stats.update(_pair(group, names[2], words, number, problems))
        names = None
    _report_alone(names, problems)
    return Fragment(problems.all(), stats=stats if stats or not len(problems) else None, richness=8)


def _are_values(words: Sequence[str]) -> bool:
    return signed_number(words[0]) is not None


def _report_alone(names: tuple[int, str, list[str]] | None, problems: Problems) -> None:
    if names is not None:
        problems.add(names[0], f"{names[1]}: {' '.join(names[2])}", "names without their values")


def _pair(
    group: str, names: Sequence[str], words: Sequence[str], number: int, problems: Problems
) -> dict[str, int]:
    values = [signed_number(word) for word in words]
    if len(names) != len(values) or None in values:
        why = f"{len(words)} values for {len(names)} names, or one that is no number"
        problems.add(number, f"{group}: {' '.join(words)}", why)
        if len(names) < len(values):
            return {}
    pairs = zip(names, values, strict=False)
    return {f"{group}.{name}": value for name, value in pairs if value is not None}

"""`nstat`: kernel statistics, one a line, the group glued to the name (`TcpExtIPReversePathFilter`).

Without `-a` the values are what was added since nstat last ran; the text does not tell.
Source: nstat(8) and misc/nstat.c of iproute2.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.json_reading import has_key, head_of_json, integer, mapping, read_objects
from calitop.formats.reading import Problems, head_lines, numbered, signed_number

KIND = "nstat"

_GROUPS = (
    *("MPTcpExt", "TcpExt", "IpExt", "IcmpMsg", "UdpLite6", "UdpLite", "Icmp6", "Udp6", "Ip6"),
    *("Icmp", "Sctp", "Tcp", "Udp", "Ip"),
)
_ROW = re.compile(r"[A-Z][A-Za-z0-9]+\s+-?\d+\s+\d+\.\d+\s*", re.ASCII)


def looks_like(text: str) -> bool:
    """Whether the text is nstat's list, or its JSON."""
    if head := head_of_json(text):
        return head.startswith("{") and has_key(head, "kernel") and '{"nftables"' not in head
    lines = [line for line in head_lines(text) if not line.startswith("#")]
    return bool(lines) and all(_ROW.fullmatch(line) for line in lines)


def parse(text: str) -> Fragment:
    """The statistics as `TcpExt.IPReversePathFilter`."""
    problems = Problems()
    stats = _json(text, problems) if head_of_json(text) else _lines(text, problems)
    return Fragment(problems.all(), stats=stats if stats or not len(problems) else None, richness=3)


def dotted(name: str) -> str:
    """A statistic's name with its group before a dot; unchanged where the group is not known."""
    group = next((group for group in _GROUPS if name.startswith(group) and name != group), None)
    return name if group is None else f"{group}.{name[len(group) :]}"


def _lines(text: str, problems: Problems) -> dict[str, int]:
    stats = {}
    for number, line in numbered(text):
        if line.startswith("#"):
            continue
        words = line.split()
        value = signed_number(words[1]) if 2 <= len(words) <= 3 else None
        if value is None:
            problems.add(number, line.strip(), "is not a name and a number")
        else:
            stats[dotted(words[0])] = value
    return stats


def _json(text: str, problems: Problems) -> dict[str, int]:
    stats = {}
    for element in read_objects(text, problems):
        for name, value in mapping(element.get("kernel")).items():
            number = integer(value)
            if number is None:
                problems.add(None, name, "has no whole number")
            else:
                stats[dotted(name)] = number
    return stats

"""/proc/net/snmp6: one statistic of IPv6 a line.

Source: snmp6_seq_show in net/ipv6/proc.c.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.nstat import dotted
from calitop.formats.reading import Problems, head_lines, numbered, signed_number

KIND = "/proc/net/snmp6"

_ROW = re.compile(r"(?:Ip6|Icmp6|Udp6|UdpLite6)[A-Z]\w*\s+\d+\s*", re.ASCII)


def looks_like(text: str) -> bool:
    """Whether every one of the first lines is a statistic of IPv6."""
    lines = head_lines(text)
    return bool(lines) and all(_ROW.fullmatch(line) for line in lines)


def parse(text: str) -> Fragment:
    """The statistics as `Ip6.InReceives`; those of single devices (`ifIndex`) are passed over."""
    problems = Problems()
    stats: dict[str, int] = {}
    for number, line in numbered(text):
        words = line.split()
        value = signed_number(words[1]) if len(words) == 2 else None
        if value is not None:
            stats[dotted(words[0])] = value
        elif words[0] != "ifIndex":
            problems.add(number, line.strip(), "is not a name and a number")
    return Fragment(problems.all(), stats=stats if stats or not len(problems) else None, richness=8)

"""`arp -n` and `arp -an`: the neighbour table of IPv4 as net-tools print it.

Source: arp_disp and arp_disp_2 in net-tools' arp.c; tried with net-tools 2.10.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.ip_link_words import is_mac
from calitop.formats.reading import Problems, head_lines, is_address, numbered, told
from calitop.model.network import Neighbour

KIND = "arp"

_TITLE = re.compile(r"Address\s+HWtype\s+HWaddress")
_BSD = re.compile(r"\S+ \(([\d.]+)\) at (\S+)(?: \[\S+\])?(.*?) on (\S+)", re.ASCII)
_ROW = re.compile(r"[\d.]+\s+(?:\(incomplete\)|\S+\s+(\S+)\s+([CMP!]+)\S*)\s+(?:\S+\s+)?(\S+)", re.ASCII)


def looks_like(text: str) -> bool:
    """Whether the text has the title of `arp -n` or the rows of `arp -an`."""
    lines = head_lines(text)
    return bool(lines) and (bool(_TITLE.match(lines[0])) or all(_BSD.match(line) for line in lines))


def parse(text: str) -> Fragment:
    """The neighbours, without the addresses that the node answers for others (published)."""
    problems = Problems()
    found = []
    for number, line in numbered(text):
        if _TITLE.match(line) or line.startswith("Entries:"):
            continue
        neighbour = _neighbour(line.strip())
        if neighbour is None:
            problems.add(number, line.strip(), "is not a row of 'arp -n'")
        elif neighbour.dev is not None:
            found.append(neighbour)
    return Fragment(problems.all(), neighbours=told(found, problems), richness=2)


def _neighbour(line: str) -> Neighbour | None:
    """The neighbour of one row, without a device where it is published."""
    if bsd := _BSD.fullmatch(line):
        address, mac, words, dev = bsd.groups()
        permanent, published = "PERM" in words.split(), "PUB" in words.split()
    elif row := _ROW.fullmatch(line):
        address, mac, flags, dev = line.split()[0], row[1], row[2] or "", row[3]
        permanent, published = "M" in flags, "P" in flags
    else:
        return None
    if not is_address(address):
        return None
    state = ("PERMANENT",) if permanent else ()
    return Neighbour(address, None if published else dev, mac if mac and is_mac(mac) else None, state)

"""/proc/net/snmp: the statistics of RFC 1213 by group (`Ip`, `Icmp`, `Tcp`, `Udp`).

Source: snmp_seq_show in net/ipv4/proc.c; the form is that of /proc/net/netstat.
"""

from __future__ import annotations

import re

from calitop.formats import proc_netstat
from calitop.formats.fragment import Fragment
from calitop.formats.reading import head_lines

KIND = "/proc/net/snmp"

_GROUP = re.compile(r"(Ip|Icmp|IcmpMsg|Tcp|Udp|UdpLite): [A-Z][A-Za-z0-9]+ ")


def looks_like(text: str) -> bool:
    """Whether one of the first lines names the columns of a group."""
    return any(_GROUP.match(line) for line in head_lines(text))


def parse(text: str) -> Fragment:
    """The statistics as `Ip.InReceives`."""
    return proc_netstat.parse(text)

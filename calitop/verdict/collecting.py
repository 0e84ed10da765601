"""How to get what is missing, as commands."""

from __future__ import annotations


def collect_on(node: str) -> str:
    """How to get the counters of a node: with calitop, and without."""
    return (
        f"on {node}, before and after more pings: calitop save DEST; without calitop there: "
        "iptables-save -c; ip -j -s -d link; sysctl net.ipv4.conf; "
        "cat /proc/net/netstat /proc/net/snmp /proc/net/snmp6; "
        "ip -j route show table all; conntrack -S"
    )

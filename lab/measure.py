"""What moved on a node, read straight from the usual programs.

This is the lab's own, small reading, on purpose not calitop's: tests compare the two.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from lab.machine import NATIVE, OTHER, Lab
from lab.shell import inside

STATS = re.compile(
    r"Ip\.(ForwDatagrams|In\w*(Errors|Discards)|Out(Discards|NoRoutes)|Frag\w+)"
    r"|IpExt\.In(NoRoutes|TruncatedPkts)|TcpExt\.IPReversePathFilter|Icmp\.(In|Out)DestUnreachs"
)
"""Statistics that tell of lost packets; the rest counts every packet there is."""
CONNTRACK = ("invalid", "drop", "early_drop", "insert_failed")


@dataclass(frozen=True)
class Reading:
    """Counters of a node at one moment."""

    rules: Counter[str]
    """Packets by `filter INPUT #1 RULE` or `filter INPUT policy ACCEPT`."""
    stats: Counter[str]
    links: Counter[str]
    """Packets by `ens160 rx`, `ens160 tx` and `ens160 tx dropped`."""

    def since(self, before: Reading) -> Reading:
        """What was added since an earlier reading."""
        return Reading(self.rules - before.rules, self.stats - before.stats, self.links - before.links)

    def moved(self, what: str) -> int:
        """Packets by which a statistic, link, policy or rule moved, in the words of a fault's proof."""
        place, colon, words = what.partition(": ")
        if not colon:
            return self.rules[what] + self.stats[what] + self.links[what]
        return sum(
            count
            for key, count in self.rules.items()
            if key.startswith(f"{place} #") and words.lower() in key.lower()
        )

    def as_json(self) -> dict[str, Any]:
        """The three as plain objects."""
        return {"rules": dict(self.rules), "stats": dict(self.stats), "links": dict(self.links)}


def read(lab: Lab, node: str, backend: str, both: bool = False) -> Reading:
    """Counters of a node now.

    Args:
        lab: The running lab.
        node: Name of the node.
        backend: The backend that holds the node's rules.
        both: Read the other backend too; asking it makes its tables.
    """
    name = lab.namespace(node)
    program = "nft" if backend == NATIVE else backend
    rules = rule_packets(inside(name, f"iptables-{program}-save", "-c"))
    if backend == NATIVE:
        rules.update(native_packets(inside(name, "nft", "list", "table", "ip", "calico")))
    if both:
        others = rule_packets(inside(name, f"iptables-{OTHER[backend]}-save", "-c"))
        rules.update({f"other {key}": packets for key, packets in others.items()})
    proc = inside(name, "cat", "/proc/net/snmp", "/proc/net/netstat")
    stats = kernel_stats(proc) + conntrack_stats(inside(name, "conntrack", "-S"))
    return Reading(rules, stats, link_packets(inside(name, "ip", "-j", "-s", "link")))


def rule_packets(text: str) -> Counter[str]:
    """Packets of every rule and policy of an iptables-save text."""
    packets: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif policy := re.match(r":(\S+) ([A-Z]+) \[(\d+):", line):
            packets[f"{table} {policy[1]} policy {policy[2]}"] = int(policy[3])
        elif rule := re.match(r"\[(\d+):\d+\] -A (\S+) ?(.*)", line):
            numbers[f"{table} {rule[2]}"] += 1
            packets[f"{table} {rule[2]} #{numbers[f'{table} {rule[2]}']} {rule[3]}"] = int(rule[1])
    return packets


def native_packets(text: str) -> Counter[str]:
    """Packets of every counting rule of Calico's nft table, by the names that the chains have in iptables."""
    packets: Counter[str] = Counter()
    place, number = "", 0
    for line in text.splitlines():
        if chain := re.match(r"\tchain (\w+)-(\S+) \{", line):
            place, number = f"{chain[1]} {chain[2]}", 0
        elif line.startswith("\t\t") and " hook " not in line:
            number += 1
            if counter := re.search(r"counter packets (\d+) bytes \d+", line):
                rule = line.strip().replace(counter[0], "counter")
                packets[f"{place} #{number} {rule}"] = int(counter[1])
    return packets


def kernel_stats(text: str) -> Counter[str]:
    """Statistics of /proc/net/snmp and /proc/net/netstat by group and name."""
    stats: Counter[str] = Counter()
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        group, *words = names.split()
        for name, value in zip(words, values.split()[1:], strict=False):
            if STATS.fullmatch(f"{group[:-1]}.{name}"):
                stats[f"{group[:-1]}.{name}"] = int(value)
    return stats


def conntrack_stats(text: str) -> Counter[str]:
    """`conntrack -S`, summed over the processors."""
    stats: Counter[str] = Counter()
    for name, value in re.findall(r"(\w+)=(\d+)", text):
        if name in CONNTRACK:
            stats[f"conntrack.{name}"] += int(value)
    return stats


def link_packets(text: str) -> Counter[str]:
    """Packets of every link, from `ip -j -s link`."""
    packets: Counter[str] = Counter()
    for link in json.loads(text):
        for direction in ("rx", "tx"):
            counted = link["stats64"][direction]
            packets[f"{link['ifname']} {direction}"] = counted["packets"]
            packets[f"{link['ifname']} {direction} dropped"] = counted["dropped"]
    return packets

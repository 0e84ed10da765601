"""Small saved nodes for tests of the verdict."""

from __future__ import annotations

from pathlib import Path

from calitop.hits.moved import NodeHits, node_hits
from calitop.snapshot.open import open_one

BEFORE = """\
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
[0:0] -A FORWARD -p icmp -m comment --comment "left by an old firewall" -j DROP
COMMIT
"""
SNMP = "Ip: Forwarding DefaultTTL InReceives InAddrErrors\nIp: 1 64 0 {}\n"
NETSTAT = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 {}\n"


def save(folder: Path, rules: str, **files: str) -> Path:
    """A snapshot folder with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "iptables-save.txt").write_text(rules)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def counted(policy: str, packets: int, rules: str) -> str:
    """The text with one policy's counter set: `mangle FORWARD`."""
    table, chain = policy.split()
    head, mark, tail = rules.partition(f"*{table}\n")
    return head + mark + tail.replace(f":{chain} ACCEPT [0:0]", f":{chain} ACCEPT [{packets}:0]", 1)


def hits(
    folder: Path,
    name: str,
    after: str,
    before_files: dict[str, str],
    after_files: dict[str, str],
    before: str = BEFORE,
) -> NodeHits:
    """What moved on a small node."""
    first = save(folder / name / "before", before, **before_files)
    last = save(folder / name / "after", after, **after_files)
    states = [open_one(str(each))[0].moments[0] for each in (first, last)]
    return node_hits(name, *states)

"""The reverse-path check is this kernel's: real packets over the settings that rule it."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import product
from pathlib import Path

import pytest

from calitop.formats import proc_netstat, proc_snmp
from calitop.path.bits import Bits
from calitop.path.packet import Packet
from calitop.path.rp_filter import check
from tests.kernel.netns import Namespace, namespace, wire
from tests.kernel.truth import seeded, world_of

pytestmark = pytest.mark.kernel

SENDER = Path(__file__).with_name("send_packet.py")
TARGET = "10.8.0.1"
SOURCES = {"same way": "10.9.0.1", "other way": "10.9.1.1", "no route": "10.9.2.1", "own": "10.9.3.1"}


@dataclass(frozen=True)
class Case:
    """One packet and the settings it meets."""

    all: int
    dev: int
    address: bool
    source: str
    accept_local: int
    valid_mark: int

    def settings(self) -> Iterator[str]:
        yield f"net.ipv4.conf.all.rp_filter={self.all}"
        yield f"net.ipv4.conf.west.rp_filter={self.dev}"
        yield f"net.ipv4.conf.west.accept_local={self.accept_local}"
        yield f"net.ipv4.conf.west.src_valid_mark={self.valid_mark}"


def build(west: Namespace, east: Namespace) -> None:
    """`west` is where packets come in; two more devices, and a rule that sends marked packets elsewhere."""
    wire(west, "east", east, "west")
    wire(west, "spare", east, "side")
    west.ip("addr", "add", "10.8.9.1/32", "dev", "east")
    west.ip("route", "add", TARGET, "dev", "east")
    [link] = json.loads(east.ip("-j", "link", "show", "west"))
    west.ip("neigh", "add", TARGET, "lladdr", link["address"], "dev", "east", "nud", "permanent")
    for address in (f"{TARGET}/32", f"{SOURCES['own']}/32", "10.7.0.1/32"):
        east.ip("addr", "add", address, "dev", "side")
    east.ip("route", "add", f"{SOURCES['same way']}/32", "dev", "west", "scope", "link")
    east.ip("route", "add", f"{SOURCES['other way']}/32", "dev", "side", "scope", "link")
    east.ip("route", "add", f"{SOURCES['other way']}/32", "dev", "west", "scope", "link", "table", "77")
    east.ip("rule", "add", "prio", "10", "fwmark", "0x5", "lookup", "77")
    east.run("sysctl", "-qw", "net.ipv4.conf.all.accept_local=0", "net.ipv4.conf.all.src_valid_mark=0")
    east.load("*mangle\n-A PREROUTING -m dscp --dscp 4 -j MARK --set-mark 5\nCOMMIT\n")


def counters(space: Namespace) -> tuple[int, int]:
    """Packets refused by the check, and packets delivered."""
    refused = (proc_netstat.parse(space.run("cat", "/proc/net/netstat")).stats or {})[
        "TcpExt.IPReversePathFilter"
    ]
    return refused, (proc_snmp.parse(space.run("cat", "/proc/net/snmp")).stats or {})["Ip.InDelivers"]


def send(west: Namespace, case: Case, marked: bool) -> None:
    packet = {
        "protocol": 17,
        "sport": 5000,
        "dport": 5001,
        "size": 0,
        "mark": 0,
        "ttl": 9,
        "tos": 16 if marked else 0,
    }
    words = json.dumps({**packet, "src": SOURCES[case.source], "dst": TARGET})
    west.run(sys.executable, str(SENDER), words)


def cases(rng: random.Random) -> list[Case]:
    """Every mode with and without address and every kind of source; the switches by chance."""
    return [
        Case(all_, dev, address, source, int(rng.random() < 0.3), int(rng.random() < 0.5))
        for all_, dev, address, source in product(range(3), range(3), (True, False), SOURCES)
    ]


def test_packets_pass_the_check_as_foretold() -> None:
    """Each packet is delivered, refused and counted, or refused silently, exactly as `check` says."""
    rng = seeded("rp_filter")
    wrong = []
    with namespace("rpw") as west, namespace("rpe") as east:
        build(west, east)
        east.run("iptables-nft", "-A", "OUTPUT", "-j", "DROP")
        for number, case in enumerate(cases(rng)):
            marked = bool(number % 2)
            change = "replace" if case.address else "flush"
            words = ["10.6.0.1/32"] if case.address else []
            east.ip("addr", change, *words, "dev", "west")
            if not case.address:
                restore_routes(east)
            east.run("sysctl", "-qw", *case.settings())
            before = counters(east)
            send(west, case, marked)
            refused, delivered = (now - then for now, then in zip(counters(east), before, strict=True))
            packet = Packet(
                family="ipv4",
                src=ip_address(SOURCES[case.source]),
                dst=ip_address(TARGET),
                protocol=17,
                iif="west",
                mark=Bits(5 if marked else 0),
                tos=16 if marked else 0,
            )
            found = check(world_of(east), packet, "west")
            told = (int(found.refusal == "rp_filter"), int(found.passes is True))
            if found.passes is None or told != (refused, delivered):
                wrong.append(f"{case} marked={marked}: kernel {(refused, delivered)}, calitop {found}")
    assert not wrong, "\n".join(wrong)


def restore_routes(east: Namespace) -> None:
    """A device's last address takes all routes through it along."""
    for table in ("main", "77"):
        source = SOURCES["same way" if table == "main" else "other way"]
        east.ip("route", "replace", f"{source}/32", "dev", "west", "scope", "link", "table", table)

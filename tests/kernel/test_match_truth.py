"""Matches are this kernel's: random rules and packets, counters of both backends against `rule_holds`."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

from calitop.formats import iptables_save
from calitop.formats.spec import spec
from calitop.model.rules import Rule
from calitop.path.bits import UNKNOWN, Bits
from calitop.path.matches import rule_holds
from calitop.path.packet import ANY_STATE, NO_DEVICE, Packet
from calitop.path.world import World
from tests.kernel.netns import Namespace, namespace, wire
from tests.kernel.truth import seeded, wanted, world_of

pytestmark = pytest.mark.kernel

BACKENDS = ("nft", "legacy")
RULES = 70
SOURCES = ("10.1.0.1", "10.1.0.2", "10.2.3.4", "10.2.3.5")
TARGETS = ("10.1.0.9", "10.1.0.10")
MARKS = (0, 0x10000, 0x2B500000, 0xD9B00000)
MASKS = (0x10000, 0xFFF00000, 0xF00, 0xFFFFFFFF)
STATES = ("NEW", "INVALID", "RELATED,ESTABLISHED", "NEW,INVALID", "DNAT", "UNTRACKED")
TCP_FLAGS = ("SYN,ACK SYN", "FIN,SYN,RST,ACK SYN", "ALL ACK", "ALL NONE", "FIN FIN")
PORT_RANGES = ("53", "80:443", "4789", "1024:65535")
PORTS = (53, 80, 443, 4789, 30000)

SENDER = Path(__file__).with_name("send_packet.py")


@dataclass(frozen=True)
class Sent:
    """One packet on the wire."""

    src: str
    dst: str
    protocol: int
    sport: int
    dport: int
    type: int
    code: int
    flags: int
    ttl: int
    tos: int
    size: int
    mark: int

    def packet(self) -> Packet:
        """What is known of it in the sender's chain OUTPUT."""
        has_ports = self.protocol != 1
        header = {1: 8, 17: 8, 6: 20}[self.protocol]
        return Packet(
            family="ipv4",
            src=ip_address(self.src),
            dst=ip_address(self.dst),
            protocol=self.protocol,
            sport=self.sport if has_ports else None,
            dport=self.dport if has_ports else None,
            icmp_type=None if has_ports else self.type,
            icmp_code=None if has_ports else self.code,
            tcp_flags=Bits(self.flags) if self.protocol == 6 else UNKNOWN,
            ttl=self.ttl,
            tos=self.tos,
            length=20 + header + self.size,
            iif=NO_DEVICE,
            oif="east",
            mark=Bits(self.mark),
            connmark=Bits(0),
            ct_state=self._state(),
            dnat=False,
            snat=False,
            has_socket=True,
            uid=0,
            gid=0,
        )

    def _state(self) -> frozenset[str]:
        """What conntrack says of the first packet of a flow."""
        if (
            self.protocol == 17
            or (self.protocol == 6 and self.flags == 2)
            or (self.protocol == 1 and self.type == 8)
        ):
            return frozenset(("NEW",))
        return frozenset(("INVALID",)) if self.protocol == 1 and self.type == 0 else ANY_STATE


class Maker:
    """Random packets, sets and rules out of few values, so that they meet."""

    devices: tuple[str, ...] = ("east", "west", "other")
    prefixes: tuple[str, ...] = ("ea+", "we+", "cali+")

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def sent(self) -> Sent:
        pick = self.rng.choice
        return Sent(
            src=pick(SOURCES),
            dst=pick(TARGETS),
            protocol=pick((1, 6, 17)),
            sport=pick(PORTS),
            dport=pick(PORTS),
            type=pick((0, 8, 8, 3)),
            code=pick((0, 0, 1)),
            flags=pick((2, 2, 16, 18, 1, 4, 41)),
            ttl=pick((5, 64, 200)),
            tos=pick((0, 0x10, 0x28)),
            size=pick((0, 40, 700)),
            mark=pick((0, 0x10000, 0x2B5F0F00, 0xD9B00000)),
        )

    def address(self) -> str:
        return self.rng.choice((*SOURCES, *TARGETS))

    def network(self) -> str:
        return f"{self.address()}/{self.rng.choice((8, 15, 16, 24, 30, 31, 32))}"

    def port(self) -> int:
        return self.rng.choice(PORTS)

    def ported(self) -> str:
        return self.rng.choice((f"tcp:{self.port()}", f"udp:{self.port()}", "icmp:8/0", "icmp:3/1"))

    def sets(self) -> str:
        """A script for `ipset restore`: each type that this kernel has, as Calico and kube-proxy use them."""
        kinds: dict[str, Callable[[], str]] = {
            "hash:ip": lambda: self.address(),
            "hash:net": lambda: self.network() + self._nomatch(),
            "hash:ip,port": lambda: f"{self.address()},{self.ported()}",
            "hash:net,port": lambda: f"{self.network()},{self.ported()}{self._nomatch()}",
            "hash:ip,port,ip": lambda: f"{self.address()},{self.ported()},{self.address()}",
            "hash:ip,port,net": lambda: f"{self.address()},{self.ported()},{self.network()}{self._nomatch()}",
            "hash:net,iface": lambda: f"{self.network()},{self.rng.choice(self.devices)}{self._nomatch()}",
        }
        lines = []
        for number, (kind, member) in enumerate(kinds.items()):
            for copy in "ab":
                lines.append(f"create s{number}{copy} {kind}")
                lines += [f"add s{number}{copy} {member()} -exist" for _ in range(self.rng.randrange(1, 9))]
        lines.append("create masked hash:ip netmask 24")
        lines.append(f"add masked {self.address()} -exist")
        lines.append("create ports bitmap:port range 0-65535")
        lines.append(f"add ports {self.port()}")
        lines.append("create span bitmap:ip range 10.1.0.0/16")
        lines.append(f"add span {self.rng.choice(TARGETS)}")
        lines += ["create many list:set size 4", "add many s0a", "add many s1b", "add many s2a"]
        return "\n".join(lines) + "\n"

    def _nomatch(self) -> str:
        return " nomatch" if self.rng.random() < 0.25 else ""

    def rule(self, receiving: bool) -> str:
        """The matches of one rule: usually one, sometimes two."""
        first = self.match(receiving)
        second = self.match(receiving) if self.rng.random() < 0.2 else ""
        return f"{first} {second}" if not second.startswith(("-s", "-d", "-p", "-i", "-o", "! ")) else first

    def arriving(self, mac: str) -> list[str]:
        """Matches that only make sense where packets come in."""
        flags = (
            "",
            "--loose",
            "--validmark",
            "--accept-local",
            "--loose --accept-local",
            "--validmark --invert",
        )
        return [
            *(f"-m rpfilter {words}" for words in flags),
            f"-m mac --mac-source {mac}",
            f"-m mac ! --mac-source {mac}",
            "-m mac --mac-source 02:00:00:00:00:01",
            "-m mac ! --mac-source 02:00:00:00:00:01",
            "-m physdev ! --physdev-is-bridged",
        ]

    def match(self, receiving: bool) -> str:
        pick, no = self.rng.choice, "! " if self.rng.random() < 0.3 else ""
        proto = pick(("tcp", "udp"))
        ways = pick(("src", "dst"))
        three = f"{ways},{pick(('src', 'dst'))},{pick(('src', 'dst'))}"
        mark = f"{pick(MARKS):#x}/{pick(MASKS):#x}"
        limit = "--limit-iface-in" if receiving else "--limit-iface-out"
        device = "-i" if receiving else "-o"
        choices = (
            f"{no}-s {self.network()}",
            f"{no}-d {self.network()}",
            f"{no}{device} {pick((*self.devices, *self.prefixes))}",
            f"{no}-p {pick(('icmp', 'tcp', 'udp', '4'))}",
            f"-p {proto} -m {proto} {no}--{pick(('sport', 'dport'))} {pick(PORT_RANGES)}",
            f"-p {proto} -m multiport {no}--{pick(('sports', 'dports', 'ports'))} 53,80:443,30000",
            f"-p icmp -m icmp {no}--icmp-type {pick(('8', '0', '3/1', '3', '255'))}",
            f"-p tcp -m tcp {no}--tcp-flags {pick(TCP_FLAGS)}",
            f"-m mark {no}--mark {mark}",
            f"-m connmark {no}--mark {pick(('0x0', '0x1/0x1', '0x0/0xf0'))}",
            f"-m conntrack {no}--ctstate {pick(STATES)}",
            f"-m state {no}--state {pick(('NEW', 'INVALID', 'ESTABLISHED'))}",
            f"-m conntrack {no}--ctdir {pick(('ORIGINAL', 'REPLY'))}"
            if not no
            else "-m conntrack --ctdir REPLY",
            f"-m conntrack {no}--ctorigsrc {self.network()}",
            f"-m conntrack {no}--ctreplsrc {self.network()}",
            f"-m conntrack {no}--ctstatus {pick(('SEEN_REPLY', 'ASSURED', 'CONFIRMED', 'NONE'))}",
            *(f"-m set {no}--match-set s{pick(range(7))}{pick('ab')} {three}" for _ in range(6)),
            f"-m set {no}--match-set s1{pick('ab')} {ways} --return-nomatch",
            f"-m set {no}--match-set {pick(('masked', 'ports', 'span', 'many'))} {ways},{ways}",
            f"-m set {no}--match-set s2a {ways}",
            f"-m addrtype {no}--src-type {pick(('LOCAL', 'UNICAST', 'BROADCAST', 'LOCAL,UNICAST'))}",
            f"-m addrtype {no}--dst-type {pick(('LOCAL', 'UNICAST', 'MULTICAST'))}",
            f"-m addrtype {no}--{pick(('src', 'dst'))}-type LOCAL {limit}",
            f"-m iprange {no}--{pick(('src', 'dst'))}-range 10.1.0.2-10.2.3.4",
            f"-m length {no}--length {pick(('28', '60:100', '0:40', '700:65535'))}",
            f"-m ttl {pick(('--ttl-eq 64', '--ttl-lt 64', '--ttl-gt 64', '! --ttl-eq 5'))}",
            f"-m dscp {no}--dscp {pick(('0x04', '0x0a', '0x00'))}",
            f"-m tos {no}--tos {pick(('0x10/0xff', '0x28/0x3f', '0x00/0xff'))}",
            f"-m owner {no}--uid-owner {pick(('0', '1-5', '0-9'))}"
            if not receiving
            else f"{no}-s {self.network()}",
            '-m comment --comment "a remark"',
        )
        return pick(choices)


class Places(NamedTuple):
    """A place where rules are tested: the base chain, and what the packet has there."""

    space: Namespace
    table: str
    hook: str
    receiving: bool


def load(place: Places, rules: list[str]) -> None:
    """Load the rules into a chain of their own, in both backends."""
    lines = [f"*{place.table}", ":t - [0:0]", f"-A {place.hook} -j t", *(f"-A t {rule}" for rule in rules)]
    for backend in BACKENDS:
        place.space.load("\n".join([*lines, "COMMIT"]) + "\n", backend)


def counted(place: Places, backend: str) -> list[Rule]:
    """The rules of the test chain with their counters."""
    text = place.space.run(f"iptables-{backend}-save", "-c", "-t", place.table)
    [ruleset] = iptables_save.parse(text).rulesets or ()
    return list(ruleset.tables[0].chains["t"].rules)


def compare(place: Places, world: World, packet: Packet, sent: Sent) -> tuple[int, int, list[str]]:
    """How many rules were compared, how many were decided, and what differed."""
    known = total = 0
    wrong = []
    for backend in BACKENDS:
        for rule in counted(place, backend):
            truth, found = (rule.packets or 0) > 0, rule_holds(spec(rule), packet, world)
            total += 1
            known += found is not None
            if found is not None and found != truth:
                wrong.append(f"{backend} {place.hook} {rule.text}: kernel {truth}; {sent}")
    return total, known, wrong


def zero(place: Places) -> None:
    for backend in BACKENDS:
        place.space.run(f"iptables-{backend}", "-t", place.table, "-Z")


def ends(west: Namespace, east: Namespace) -> str:
    """Two namespaces; `east` is the sender's device, `west` the receiver's. Answers the sender's MAC."""
    wire(west, "east", east, "west")
    for address in SOURCES:
        west.ip("addr", "add", f"{address}/24", "dev", "east")
    for address in TARGETS:
        east.ip("addr", "add", f"{address}/24", "dev", "west")
    east.ip("route", "add", "10.2.3.4/32", "dev", "west", "scope", "link")
    east.ip("route", "add", "blackhole", "10.1.0.2/32")
    west.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.east.rp_filter=0")
    east.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.west.rp_filter=0")
    [link] = json.loads(west.ip("-j", "link", "show", "east"))
    return str(link["address"])


def test_rules_hold_where_the_kernel_counts() -> None:
    """Every decided rule counted exactly when calitop says that it holds; few are left open."""
    rng = seeded("matches")
    maker, packets = Maker(rng), max(1, wanted(12))
    total = known = 0
    wrong: list[str] = []
    for _ in range(0, packets, 12):
        with namespace("from") as west, namespace("to") as east:
            mac = ends(west, east)
            sets = maker.sets()
            for space in (west, east):
                space.run("ipset", "restore", text=sets)
            places = (
                Places(west, "filter", "OUTPUT", False),
                Places(east, "filter", "INPUT", True),
                Places(east, "raw", "PREROUTING", True),
            )
            for place in places:
                own = maker.arriving(mac) if place.table == "raw" else []
                load(place, [*own, *(maker.rule(place.receiving) for _ in range(RULES))])
            worlds = [world_of(place.space, sets=True) for place in places]
            for _ in range(12):
                sent = maker.sent()
                for place in places:
                    zero(place)
                    place.space.run("conntrack", "-F", check=False)
                west.run(sys.executable, str(SENDER), json.dumps(vars(sent)))
                here = sent.packet()
                there = replace(here, iif="west", oif=NO_DEVICE, mark=Bits(0), mac_source=mac)
                there = replace(there, has_socket=None, uid=None, gid=None)
                raw = replace(there, ct_state=frozenset(("INVALID",)), connmark=UNKNOWN)
                for place, world, packet in zip(places, worlds, (here, there, raw), strict=True):
                    found = compare(place, world, packet, sent)
                    total, known, wrong = total + found[0], known + found[1], wrong + found[2]
    print(f"{total} rules compared, {known} decided, {len(wrong)} wrong")
    assert not wrong, "\n".join(sorted(set(wrong))[:30])
    assert known > 0.8 * total

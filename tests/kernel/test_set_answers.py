"""Sets of every type asked for addresses and elements: `ipset test` is the oracle."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest

from calitop.cni.index import NodeIndex
from calitop.formats import ipset_save
from calitop.model.node import NodeState
from calitop.set_members import members_of
from tests.kernel.netns import Namespace

pytestmark = pytest.mark.kernel

BASE = {4: 0x0A000000, 6: 0xFD000000 << 96}
Draw = Callable[[random.Random, int], str]


def _address(dice: random.Random, version: int) -> str:
    return str(ip_address(BASE[version] + dice.randrange(32)))


def _network(dice: random.Random, version: int) -> str:
    width = {4: 32, 6: 128}[version]
    length = width - dice.randrange(5)
    return str(ip_network((BASE[version] + dice.randrange(32), length), strict=False))


def _port(dice: random.Random, version: int) -> str:
    return dice.choice(("tcp:80", "udp:53", "tcp:53", "sctp:80"))


def _mark(dice: random.Random, version: int) -> str:
    return dice.choice(("0x1", "0x10000", "0x2b5f0f00"))


PARTS: dict[str, tuple[Draw, Draw]] = {
    "ip": (_address, _address),
    "net": (_network, _address),
    "port": (_port, _port),
    "mark": (_mark, _mark),
}
"""How a member and a question are drawn, by the dimension."""
TYPES = (
    "hash:ip",
    "hash:net",
    "hash:ip,port",
    "hash:net,port",
    "hash:ip,port,ip",
    "hash:ip,port,net",
    "hash:net,net",
    "hash:net,port,net",
    "hash:ip,mark",
)
OPTIONS = ("", "timeout 600", "comment", "counters")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", TYPES)
def test_each_type_answers_as_ipset_does(netns: Namespace, kind: str, version: int) -> None:
    dice = random.Random(f"{kind} {version}")
    kinds = kind.partition(":")[2].split(",")
    family = {4: "inet", 6: "inet6"}[version]
    wrong = []
    for options in OPTIONS:
        made = f"create some {kind} family {family} {options}".split()
        if not _is_made(netns, made):
            pytest.skip(f"this kernel has no {kind}")
        adds = []
        for _ in range(dice.randrange(4, 10)):
            member = ",".join(PARTS[each][0](dice, version) for each in kinds)
            extra = " nomatch" if "net" in kinds and dice.random() < 0.3 else ""
            extra += ' comment "a nomatch b"' if options == "comment" else ""
            adds.append(f"add some {member}{extra} -exist\n")
        netns.run("ipset", "restore", text="".join(adds))
        found = members_of(NodeIndex(_state(netns)), "some")
        elements = [",".join(PARTS[each][1](dice, version) for each in kinds) for _ in range(30)]
        for element, is_in in zip(elements, _are_in(netns, elements), strict=True):
            answer = found.ask(element)
            if answer is None or answer.is_in is not is_in:
                wrong.append((options, element, answer, found.members))
        netns.run("ipset", "destroy", "some")
    assert not wrong


def test_a_set_of_sets_holds_what_a_rule_counts(netns: Namespace) -> None:
    """`ipset test` knows names only for list:set; a rule counts the packets whose address is in it."""
    script = """\
create one hash:ip
add one 127.0.0.2
create two hash:net
add two 127.0.1.0/24
add two 127.0.1.7 nomatch
create ports hash:ip,port
add ports 127.0.0.5,udp:9
create both list:set size 8
add both one
add both two
add both ports
"""
    netns.run("ipset", "restore", text=script)
    rule = "[0:0] -A OUTPUT -p icmp --icmp-type 8 -m set --match-set both dst"
    netns.load(f"*filter\n:OUTPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n")
    found = members_of(NodeIndex(_state(netns)), "both")
    wrong = []
    for address in ("127.0.0.2", "127.0.0.3", "127.0.0.5", "127.0.1.6", "127.0.1.7"):
        netns.run("iptables-nft", "-Z")
        netns.run("ping", "-c", "1", "-W", "1", address, check=False)
        counted = "[1:" in netns.run("iptables-nft-save", "-c").partition("-A OUTPUT")[0].rpartition("\n")[2]
        answer = found.ask(address)
        expected = None if address == "127.0.0.5" else counted  # it depends on the port
        if answer is None or answer.is_in is not expected:
            wrong.append((address, counted, answer))
    assert not wrong


def _state(netns: Namespace) -> NodeState:
    return NodeState(sets=ipset_save.parse(netns.run("ipset", "save")).sets or ())


def _is_made(netns: Namespace, words: list[str]) -> bool:
    command = [*netns.prefix, "ipset", *words]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def _are_in(netns: Namespace, elements: list[str]) -> list[bool]:
    script = 'while read e; do ipset test some "$e" >/dev/null 2>&1 && echo in || echo out; done'
    told = netns.run("sh", "-c", script, text="\n".join(elements) + "\n")
    return [word == "in" for word in told.split()]

"""Matches with three values: what is not known is never guessed, and forgetting never changes an answer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.formats.spec import spec_of_text
from calitop.model.network import Link, Route
from calitop.model.node import IpSet, NodeState
from calitop.path.bits import UNKNOWN, Bits
from calitop.path.matches import conditions, rule_holds
from calitop.path.packet import ANY_STATE, NO_DEVICE, Packet
from calitop.path.three import Truth
from calitop.path.world import World

WORLD = World(
    NodeState(
        sets=(
            IpSet(
                "hosts",
                "hash:net",
                ("172.16.189.101", "172.16.189.0/28", "10.0.0.0/8", "10.1.0.0/16 nomatch"),
            ),
            IpSet("services", "hash:ip,port", ("10.96.0.1,tcp:443", "10.96.0.10,udp:53")),
            IpSet("loop", "hash:ip,port,ip", ("10.1.0.5,tcp:80,10.1.0.5",)),
            IpSet("ports", "bitmap:port", ("80", "443"), (("range", "0-65535"),)),
            IpSet(
                "devices", "hash:net,iface", ("10.0.0.0/8,eth0", "10.1.0.0/16,eth1", "0.0.0.0/0,lxc wildcard")
            ),
            IpSet("header", "hash:net", None, size=3),
            IpSet("strange", "hash:net", ("what is this",)),
            IpSet("both", "list:set", ("hosts", "header")),
        ),
        links=(
            Link("eth0", kind="veth", addresses=("172.16.189.102/24",), up=True),
            Link("lo", addresses=("127.0.0.1/8",), flags=("LOOPBACK", "UP"), up=True),
        ),
        routes=(
            Route("ipv4", "172.16.189.0/24", dev="eth0"),
            Route("ipv4", "172.16.189.102/32", "local", "local", dev="eth0"),
        ),
    )
)

PACKET = Packet(
    family="ipv4",
    src=ip_address("172.16.189.101"),
    dst=ip_address("172.16.189.102"),
    protocol=6,
    sport=40000,
    dport=443,
    tcp_flags=Bits(2),
    iif="eth0",
    oif=NO_DEVICE,
    mark=Bits(0x2B5F0F00),
    connmark=Bits(0),
    ct_state=frozenset(("NEW",)),
    dnat=False,
    snat=False,
    length=60,
    ttl=64,
    tos=0,
    mac_source="ee:ee:ee:ee:ee:ee",
    has_socket=False,
)

RULES = (
    "-s 172.16.189.0/24",
    "! -d 172.16.189.102/32",
    "-i eth+",
    "! -o cali+",
    "-p tcp -m tcp --dport 443",
    "-p tcp -m tcp --tcp-flags SYN,ACK SYN",
    "-p udp -m multiport --dports 53,443",
    "-m mark --mark 0x0/0xf0000",
    "-m mark ! --mark 0x0/0xfff00000",
    "-m connmark --mark 0x1/0x1",
    "-m conntrack --ctstate RELATED,ESTABLISHED",
    "-m conntrack ! --ctstate DNAT",
    "-m conntrack --ctorigdst 172.16.189.102/32",
    "-m conntrack --ctstatus SEEN_REPLY",
    "-m set --match-set hosts src",
    "-m set ! --match-set hosts src",
    "-m set --match-set hosts src --return-nomatch",
    "-m set --match-set services dst,dst",
    "-m set --match-set loop dst,dst,src",
    "-m set --match-set ports dst",
    "-m set --match-set devices src,src",
    "-m set --match-set header src",
    "-m set --match-set strange src",
    "-m set --match-set both src",
    "-m set --match-set missing src",
    "-m addrtype --dst-type LOCAL",
    "-m addrtype ! --src-type LOCAL --limit-iface-in",
    "-m rpfilter --validmark --invert",
    "-m length --length 0:100",
    "-m ttl --ttl-lt 5",
    "-m iprange --src-range 10.0.0.1-172.16.189.200",
    "-m mac --mac-source ee:ee:ee:ee:ee:ee",
    "-m owner --uid-owner 0",
    "-m limit --limit 5/min",
    '-m comment --comment "cali:wUHhoiAYhphO9Mso"',
)

FORGOTTEN: dict[str, Any] = {
    **dict.fromkeys(("src", "dst", "protocol", "sport", "dport", "iif", "oif", "length", "ttl", "tos")),
    **dict.fromkeys(("mac_source", "has_socket", "dnat", "snat", "fragment", "icmp_type", "icmp_code")),
    "tcp_flags": UNKNOWN,
    "mark": UNKNOWN,
    "connmark": UNKNOWN,
    "ct_state": ANY_STATE,
}

packets = st.builds(
    replace,
    st.just(PACKET),
    src=st.sampled_from(["172.16.189.101", "10.1.0.5", "10.2.0.1", "192.0.2.1", "127.0.0.1"]).map(ip_address),
    dst=st.sampled_from(["172.16.189.102", "10.96.0.1", "10.96.0.10", "10.1.0.5"]).map(ip_address),
    protocol=st.sampled_from([1, 6, 17]),
    dport=st.sampled_from([53, 80, 443]),
    iif=st.sampled_from(["eth0", "eth1", "lxc12", NO_DEVICE]),
    ct_state=st.sampled_from(sorted(ANY_STATE)).map(lambda one: frozenset((one,))),
    dnat=st.booleans(),
    mark=st.sampled_from([0, 0x10000, 0x2B5F0F00]).map(Bits),
    has_socket=st.booleans(),
    uid=st.sampled_from([0, 1000]),
)


def held(rule: str, packet: Packet = PACKET, world: World = WORLD) -> Truth:
    return rule_holds(spec_of_text(f"-A t {rule}"), packet, world)


@given(packets, st.sets(st.sampled_from(sorted(FORGOTTEN))), st.sampled_from(RULES))
def test_forgetting_a_fact_never_changes_an_answer(packet: Packet, fields: set[str], rule: str) -> None:
    known = held(rule, packet)
    assert held(rule, replace(packet, **{name: FORGOTTEN[name] for name in fields})) in (known, None)


@given(packets, st.sampled_from(RULES))
def test_a_node_of_which_nothing_was_read_never_contradicts(packet: Packet, rule: str) -> None:
    assert held(rule, packet, World(NodeState())) in (held(rule, packet), None)


@pytest.mark.parametrize(
    ("rule", "truth"),
    [
        ("-m set --match-set hosts src", True),
        ("-m set --match-set header src", None),
        ("-m set --match-set missing src", None),
        ("-m set ! --match-set missing src", None),
        ("-m set --match-set strange src", None),
        ("-m set --match-set both src", True),
        ("-m set --match-set both dst", None),
        ("-m set --match-set services dst", False),
        ("-m addrtype --dst-type LOCAL", True),
        ("-m addrtype --src-type LOCAL", False),
        ("-m mark --mark 0x0/0xfff00000", False),
        ("-o eth0", False),
        ("! -o eth0", True),
        ("-m limit --limit 5/min", None),
        ("-p udp -m limit --limit 5/min", False),
        ("-m statistic --mode random --probability 0.5", None),
        ("-m bpf --bytecode 1,6 0 0 1", None),
    ],
)
def test_what_holds_what_fails_and_what_is_open(rule: str, truth: Truth) -> None:
    assert held(rule) is truth


def test_an_exception_in_a_set_counts_only_where_it_is_asked_for() -> None:
    inside = replace(PACKET, src=ip_address("10.1.2.3"))
    assert held("-m set --match-set hosts src", inside) is False
    assert held("-m set --match-set hosts src --return-nomatch", inside) is True
    assert held("-m set --match-set hosts src", replace(PACKET, src=ip_address("10.2.0.1"))) is True


def test_without_a_connection_only_the_state_can_be_asked() -> None:
    lost = replace(PACKET, ct_state=frozenset(("INVALID",)))
    assert held("-m conntrack --ctstate INVALID", lost) is True
    assert held("-m conntrack ! --ctstate NEW", lost) is True
    assert held("-m connmark ! --mark 0x1/0x1", lost) is False
    assert held("-m conntrack ! --ctorigsrc 10.0.0.0/8", lost) is False


@pytest.mark.parametrize(
    ("iif", "truth"), [("eth0", True), ("", False), (None, None)]
)  # what this node sends has no frame yet
def test_a_frame_is_asked_only_where_there_is_one(iif: str | None, truth: Truth) -> None:
    framed = replace(PACKET, iif=iif, mac_source="aa:bb:cc:00:00:01")
    assert held("-m mac --mac-source aa:bb:cc:00:00:01", framed) is truth
    assert held("-m mac --mac-source aa:bb:cc:00:00:02", framed) is False


def test_each_condition_is_told_apart() -> None:
    rule = spec_of_text("-A cali-INPUT -p ipencap -m set --match-set header src -j ACCEPT")
    assert [truth for _, truth in conditions(rule, PACKET, WORLD)] == [False, None]


def test_an_answer_goes_the_other_way() -> None:
    ping = Packet(family="ipv4", src=PACKET.src, dst=PACKET.dst, protocol=1, icmp_type=8, icmp_code=0)
    reply = ping.reply()
    assert (reply.src, reply.dst, reply.icmp_type, reply.ct_state) == (ping.dst, ping.src, 0, ANY_STATE)
    assert PACKET.reply().dport == 40000

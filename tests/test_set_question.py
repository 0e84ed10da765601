"""Whether something is in a set: for addresses, ranges and elements; as the walker finds it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.model.node import IpSet, NodeState
from calitop.path.ipsets import Members
from calitop.path.packet import Packet
from calitop.path.world import World
from calitop.set_question import SetAnswer, SetQuestion

PACKET = Packet(family="ipv4", src=ip_address("10.0.0.1"), protocol=6)
numbers = st.integers(0x0A000000, 0x0A00003F)
addresses = numbers.map(lambda number: str(ip_address(number)))
networks = st.builds(
    lambda number, length: str(ip_network((number, length), strict=False)), numbers, st.integers(24, 32)
)
exceptions = st.sampled_from(["", " nomatch", ' comment "a nomatch b"'])
ports = st.sampled_from(["tcp:80", "tcp:443", "udp:53"])
NETS = st.lists(st.builds("{}{}".format, networks, exceptions), max_size=8)
MEMBERS = {
    "hash:ip": st.lists(addresses, max_size=8),
    "hash:net": NETS,
    "hash:ip,port": st.lists(st.builds("{},{}".format, addresses, ports), max_size=8),
    "hash:net,port": st.lists(st.builds("{},{}{}".format, networks, ports, exceptions), max_size=8),
    "hash:ip,port,ip": st.lists(st.builds("{},{},{}".format, addresses, ports, addresses), max_size=8),
    "hash:net,net": st.lists(st.builds("{},{}{}".format, networks, networks, exceptions), max_size=8),
}
sets = st.sampled_from(sorted(MEMBERS)).flatmap(
    lambda kind: MEMBERS[kind].map(lambda members: IpSet("some", kind, tuple(dict.fromkeys(members))))
)


def asked(ipset: IpSet, element: str) -> SetAnswer:
    answer = SetQuestion(ipset).ask(element)
    assert answer is not None
    return answer


def of(kind: str, *members: str, **options: str) -> IpSet:
    return IpSet("some", kind, members, tuple(options.items()))


@given(sets, addresses, ports, addresses)
def test_it_never_disagrees_with_the_walker(ipset: IpSet, source: str, port: str, other: str) -> None:
    """An element in full, and its first dimension alone, against a packet that has these values."""
    parts = {"ip,port": 2, "net,port": 2, "ip,port,ip": 3, "net,net": 2}.get(ipset.type[5:], 1)
    element = [source, other] if ipset.type == "hash:net,net" else [source, port, other]
    protocol, number = port.split(":")
    known = replace(
        PACKET,
        src=ip_address(source),
        dst=ip_address(other),
        protocol={"tcp": 6, "udp": 17}[protocol],
        sport=int(number),
        dport=int(number),
    )
    ways = ("src", "dst", "dst") if "net,net" not in ipset.type else ("src", "dst")
    members = World(NodeState(sets=(ipset,))).members("some")
    assert members is not None
    found = members.match(known, ways[:parts])
    full = asked(ipset, ",".join(element[:parts]))
    assert full.is_in == (found == "in") and (full.answer == "excepted") == (found == "nomatch")
    first = asked(ipset, source)
    if first.answer is not None:
        assert first.is_in == full.is_in


@given(sets, addresses, ports, addresses)
def test_the_member_that_decides_gives_the_same_answer_alone(
    ipset: IpSet, source: str, port: str, other: str
) -> None:
    element = [source, other] if ipset.type == "hash:net,net" else [source, port, other]
    answer = asked(ipset, ",".join(element[: ipset.type.count(",") + 1]))
    if answer.answer in ("in", "excepted"):
        assert answer.member in (ipset.members or ())
        alone = asked(replace(ipset, members=(answer.member or "",)), answer.words.split(" ")[0])
        assert alone.answer == answer.answer


@given(NETS, networks)
def test_a_range_is_in_as_far_as_all_its_addresses_are(members: list[str], network: str) -> None:
    ipset = of("hash:net", *dict.fromkeys(members))
    each = {asked(ipset, str(address)).is_in for address in ip_network(network)}
    answer = asked(ipset, network)
    assert answer.answer == ("partly" if len(each) > 1 else "in" if each == {True} else "out")


@pytest.mark.parametrize("kind", ["bitmap:ip", "hash:ip"])
def test_ranges_know_the_netmask_of_a_set(kind: str) -> None:
    ipset = of(kind, "10.1.2.0", netmask="24", range="10.1.0.0/16")
    assert asked(ipset, "10.1.2.0/24").answer == "in"
    assert asked(ipset, "10.1.0.0/16").answer == "partly"
    assert asked(ipset, "10.1.3.0/24").answer == "out"


def test_a_member_that_does_not_decide_is_not_named() -> None:
    ipset = of("hash:net,port", "10.0.0.1,udp:53", "10.0.0.0/8,tcp:80")
    assert asked(ipset, "10.0.0.1,tcp:80").words == "10.0.0.1,tcp:80 is in it, by 10.0.0.0/8,tcp:80"


def test_an_address_of_several_dimensions_says_with_which_ports() -> None:
    answer = asked(of("hash:ip,port", "10.0.0.1,tcp:80", "10.0.0.1,udp:53", "10.0.0.2,tcp:1"), "10.0.0.1")
    assert answer.answer is None and answer.words.endswith("here with tcp:80 or udp:53")


def test_an_exception_is_named() -> None:
    answer = asked(of("hash:net", "10.0.0.0/8", "10.1.0.0/16 nomatch"), "10.1.2.3")
    assert (answer.answer, answer.member) == ("excepted", "10.1.0.0/16 nomatch")


@pytest.mark.parametrize("element", ["fe80::1", "fe80::/64"])
def test_another_family_is_never_in(element: str) -> None:
    assert asked(of("hash:net", "0.0.0.0/1", "128.0.0.0/1"), element).answer == "out"


def test_ipv6_addresses_and_ranges() -> None:
    ipset = of("hash:net", "fd00::/64", "fd00::5 nomatch", family="inet6")
    assert asked(ipset, "fd00::4").member == "fd00::/64"
    assert asked(ipset, "fd00::/64").answer == "partly"
    assert asked(ipset, "fd00::8/125").answer == "in"


LISTED = {
    "one": of("hash:ip", "10.0.0.1"),
    "ports": of("hash:ip,port", "10.0.0.2,tcp:80"),
    "header": IpSet("header", "hash:ip", None, size=3),
}


@pytest.mark.parametrize(
    ("names", "element", "answer"),
    [
        (("one", "ports"), "10.0.0.1", "in"),
        (("header", "one"), "10.0.0.1", "in"),
        (("one", "ports"), "10.0.0.3", "out"),
        (("one", "ports"), "10.0.0.2", None),
        (("one", "header"), "10.0.0.3", None),
        (("one", "gone"), "10.0.0.3", None),
    ],
)
def test_a_set_of_sets_answers_by_those_that_it_lists(
    names: tuple[str, ...], element: str, answer: str | None
) -> None:
    found = SetQuestion(of("list:set", *names), LISTED.get).ask(element)
    assert found is not None and found.answer == answer


@given(st.lists(st.sampled_from(["nets", "more"]), unique=True), NETS, NETS, addresses)
def test_a_set_of_sets_is_as_the_walker_finds_it(
    names: list[str], nets: list[str], more: list[str], address: str
) -> None:
    listed = {"nets": of("hash:net", *nets), "more": of("hash:net", *more)}
    made = of("list:set", *names)
    found = SetQuestion(made, listed.get).ask(address)
    walked = Members(made, lambda name: Members(listed[name], lambda _: None))
    assert found is not None
    assert found.is_in == (walked.match(replace(PACKET, src=ip_address(address)), ("src",)) == "in")


def test_what_may_lack_members_is_never_said_to_lack_an_address() -> None:
    question = SetQuestion(of("hash:net", "10.0.0.0/8"), is_complete=False)
    told = {element: question.ask(element) for element in ("10.0.0.1", "11.0.0.1", "0.0.0.0/0")}
    assert [answer and answer.answer for answer in told.values()] == ["in", None, None]

"""A set looked through: by words, by an address, and whom its members belong to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.cni.address_book import AddressBook
from calitop.cni.index import NodeIndex
from calitop.errors import SourceUnavailable
from calitop.model.network import Link
from calitop.model.node import IpSet, NodeState, Pod
from calitop.path.set_words import NotUnderstoodError, member_of
from calitop.set_members import SetMembers, saved_set

numbers = st.integers(0x0A000000, 0x0A0003FF)
networks = st.builds(
    lambda number, length: str(ip_network((number, length), strict=False)).removesuffix("/32"),
    numbers,
    st.integers(20, 32),
)


def of_type(kind: str, *members: str, **options: str) -> SetMembers:
    return SetMembers(IpSet("some", kind, members, tuple(options.items())))


@given(st.lists(networks, unique=True), numbers)
def test_an_address_is_in_and_is_found_by_what_holds_it(members: list[str], number: int) -> None:
    address = str(ip_address(number))
    holding = [place for place, word in enumerate(members) if ip_address(number) in ip_network(word)]
    found = of_type("hash:net", *members)
    assert sorted(found.holding(address)) == holding
    assert set(found.find(address)) >= set(holding)
    answer = found.ask(address)
    assert answer is not None and answer.answer == ("in" if holding else "out")


@given(st.lists(networks, unique=True), st.text(alphabet="0123/. ", max_size=6))
def test_words_filter_as_a_plain_search_does(members: list[str], words: str) -> None:
    """Beside the networks that hold an address, nothing but what holds every word."""
    found = of_type("hash:net", *members)
    wanted = [place for place, text in enumerate(members) if all(word in text for word in words.split())]
    holding = found.holding(words.strip())
    assert list(found.find(words)) == sorted({*wanted, *holding})


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_a_plain_member_is_read_as_its_network(number: int, length: int) -> None:
    network = ip_network((number, length), strict=False)
    assert member_of(str(network), ("net",)).keys == (((length, int(network.network_address)),),)


@pytest.mark.parametrize("words", ["1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.256", "01.2.3.4/8x"])
def test_what_is_no_address_is_not_taken_for_one(words: str) -> None:
    with pytest.raises(NotUnderstoodError):
        member_of(words, ("net",))


@pytest.mark.parametrize(
    ("element", "answer"),
    [
        ("10.0.0.1", "in"),
        ("10.1.2.3", "excepted"),
        ("11.0.0.1", "out"),
        ("fe80::1", "out"),
    ],
)
def test_exceptions_and_families(element: str, answer: str) -> None:
    found = of_type("hash:net", "10.0.0.0/8", "10.1.0.0/16 nomatch", family="inet").ask(element)
    assert found is not None and found.answer == answer and element in found.words


def test_what_is_left_open_stays_unknown() -> None:
    found = of_type("hash:ip,port", "10.0.0.1,tcp:80")
    open_port = found.ask("10.0.0.1")
    assert open_port is not None and open_port.answer is None and "port" in open_port.words
    told = {word: found.ask(word) for word in ("10.0.0.1,tcp:80", "10.0.0.1,udp:80", "10.0.0.2")}
    assert {word: answer and answer.answer for word, answer in told.items()} == {
        "10.0.0.1,tcp:80": "in",
        "10.0.0.1,udp:80": "out",
        "10.0.0.2": "out",
    }


@pytest.mark.parametrize("words", ["", "web", "10.0.0.0/33", "10.0.0.1,tcp:80,x", "10.0.0.1 timeout 5"])
def test_what_cannot_be_in_a_set_is_no_question(words: str) -> None:
    assert of_type("hash:ip", "10.0.0.1").ask(words) is None


def test_members_of_another_family_leave_it_open() -> None:
    """ipset takes none, but a text may hold them."""
    found = of_type("hash:net", "10.0.0.0/8", "fe80::/10").ask("10.0.0.1")
    assert found is not None and found.answer is None


def test_a_set_of_sets_is_not_answered_for_its_members() -> None:
    found = of_type("list:set", "one", "two").ask("10.0.0.1")
    assert found is not None and found.answer is None


def test_members_are_named_after_pods_nodes_and_devices() -> None:
    state = NodeState(
        links=(Link("eth0", addresses=("172.16.0.2/24",)),),
        pods=(
            Pod("default", "web", "10.0.0.5/32", "work1"),
            Pod("kube-system", "proxy", "172.16.0.3/32", "work2", host_network=True),
        ),
    )
    ipset = IpSet("some", "hash:net", ("10.0.0.5", "172.16.0.3/32", "172.16.0.2", "10.0.0.0/24"))
    found = SetMembers(ipset, AddressBook(NodeIndex(state)).who).prepare()
    assert [found.who(place) for place in range(4)] == [
        "pod default/web",
        "node work2",
        "this node, eth0",
        None,
    ]
    assert list(found.find("default web")) == [0]


def test_a_header_alone_is_told_from_no_set() -> None:
    state = NodeState(sets=(IpSet("known", "hash:ip", size=3),))
    with pytest.raises(SourceUnavailable, match="only the header"):
        saved_set(state, "known")
    with pytest.raises(SourceUnavailable, match="not in this snapshot"):
        saved_set(state, "other")

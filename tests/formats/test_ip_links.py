from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from calitop.formats import (
    ip_addr_json,
    ip_addr_text,
    ip_link_brief,
    ip_link_json,
    ip_link_text,
    proc_dev,
)
from calitop.formats.fragment import Fragment
from calitop.model.network import Link, LinkCounters
from tests.formats.shared_texts import captures


def only(fragment: Fragment) -> Link:
    assert fragment.problems == ()
    (link,) = fragment.links or ()
    return link


GREPPED = (
    "237: cali7cd4eff55c7@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480 qdisc noqueue state UP "
    "group default qlen 1000\n"
)


def test_one_grepped_line_tells_name_mtu_state_and_peer() -> None:
    assert ip_link_text.looks_like(GREPPED)
    assert only(ip_link_text.parse(GREPPED)) == Link(
        "cali7cd4eff55c7",
        237,
        mtu=1480,
        flags=("BROADCAST", "MULTICAST", "UP", "LOWER_UP"),
        up=True,
        operstate="UP",
        peer="if3",
        peer_index=3,
    )


DETAILED = """5: tunl0@NONE: <NOARP> mtu 1480 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000
    link/ipip 0.0.0.0 brd 0.0.0.0 promiscuity 0 minmtu 0 maxmtu 0
    ipip any remote any local any ttl inherit nopmtudisc addrgenmode eui64 numtxqueues 1
    RX:  bytes packets errors dropped  missed   mcast
           234       3      1       2       0       0
    TX:  bytes packets errors dropped carrier collsns
            90       1      0       4       0       0
7: vxlan.calico: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master br0 state UNKNOWN
    link/ether 66:aa:bb:cc:dd:ee brd ff:ff:ff:ff:ff:ff link-netnsid 4 promiscuity 0 minmtu 68 maxmtu 65535
    vxlan id 4096 local 172.16.189.102 dev eth0 srcport 0 0 dstport 4789 nolearning ttl auto ageing 300
"""


def test_details_tell_the_kind_its_settings_and_the_counters() -> None:
    fragment = ip_link_text.parse(DETAILED)
    assert fragment.problems == ()
    tunnel, vxlan = fragment.links or ()
    assert (tunnel.kind, tunnel.up, tunnel.peer, tunnel.mac) == ("ipip", False, None, None)
    assert ("remote", "any") in tunnel.info
    assert tunnel.counters == LinkCounters(3, 234, 2, 1, 1, 90, 4, 0)
    assert (vxlan.kind, vxlan.mac, vxlan.master) == ("vxlan", "66:aa:bb:cc:dd:ee", "br0")
    assert vxlan.peer_netns == 4
    settings = {("id", "4096"), ("port", "4789"), ("local", "172.16.189.102"), ("learning", "false")}
    assert settings <= set(vxlan.info)
    assert vxlan.counters == LinkCounters()


def test_a_tunnel_between_two_addresses_keeps_both() -> None:
    text = (
        "2255: tun1@NONE: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue state UNKNOWN\n"
        "    link/ipip 198.51.100.10 peer 203.0.113.20 promiscuity 0\n"
        "    ipip ipip remote 203.0.113.20 local 198.51.100.10 ttl 64 pmtudisc\n"
    )
    link = only(ip_link_text.parse(text))
    assert {("remote", "203.0.113.20"), ("local", "198.51.100.10"), ("pmtudisc", "true")} <= set(link.info)


def test_without_details_the_hardware_type_tells_a_tunnel() -> None:
    head = "5: tunl0@NONE: <NOARP,UP> mtu 1480 qdisc noqueue state UNKNOWN\n"
    text = head + "    link/ipip 0.0.0.0 brd 0.0.0.0\n"
    assert only(ip_link_text.parse(text)).kind == "ipip"
    element = {"ifname": "tunl0", "link_type": "ipip", "address": "0.0.0.0", "link": None}
    assert only(ip_link_json.parse(json.dumps([element]))) == Link("tunl0", kind="ipip")


ADDRESSES = """3: v0@v1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default
    link/ether ca:46:8b:8c:3c:e2 brd ff:ff:ff:ff:ff:ff
    inet 10.1.1.1 peer 10.1.1.2/32 scope global v0
       valid_lft forever preferred_lft forever
    inet 10.5.5.5/32 scope global v0:1
       valid_lft forever preferred_lft forever
    inet6 fe80::c846:8bff:fe8c:3ce2/64 scope link tentative
       valid_lft forever preferred_lft forever
4: v1@v0: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default qlen 1000
    link/ether ca:46:8b:8c:3c:e3 brd ff:ff:ff:ff:ff:ff
"""


def test_addresses_carry_their_length_and_peers_their_index() -> None:
    assert ip_addr_text.looks_like(ADDRESSES)
    assert not ip_link_text.looks_like(ADDRESSES)
    first, second = ip_addr_text.parse(ADDRESSES).links or ()
    assert first.addresses == ("10.1.1.1/32", "10.5.5.5/32", "fe80::c846:8bff:fe8c:3ce2/64")
    assert (first.peer, first.peer_index) == ("v1", 4)
    assert (second.up, second.addresses) == (False, ())


def test_one_line_output_is_the_same() -> None:
    one_line = ADDRESSES.replace("\n    ", "\\    ").replace("\n       ", "\\       ")
    assert ip_addr_text.parse(one_line).links == ip_addr_text.parse(ADDRESSES).links


def test_one_line_addresses_say_nothing_of_the_flags() -> None:
    text = (
        "3: v0    inet 10.0.0.1/24 scope global v0\\       valid_lft forever preferred_lft forever\n"
        "3: v0    inet6 fe80::1/64 scope link \\       valid_lft forever preferred_lft forever\n"
    )
    assert ip_addr_text.looks_like(text)
    assert only(ip_addr_text.parse(text)) == Link("v0", 3, addresses=("10.0.0.1/24", "fe80::1/64"))


def test_brief_output_has_addresses_or_flags() -> None:
    text = "lo UNKNOWN 127.0.0.1/8 ::1/128\nv0@if7  DOWN\nt0 UP 10.1.1.1 peer 10.1.1.2/32\n"
    assert ip_link_brief.looks_like(text)
    links = ip_link_brief.parse(text).links or ()
    assert [link.addresses for link in links] == [("127.0.0.1/8", "::1/128"), (), ("10.1.1.1/32",)]
    assert (links[1].peer_index, links[1].up) == (7, None)
    flags = "p0@if2           DOWN           12:43:7a:80:46:c7 <NO-CARRIER,BROADCAST,UP>\n"
    assert only(ip_link_brief.parse(flags)).up is True


def test_json_keeps_programs_settings_and_unknown_as_unknown() -> None:
    element = {
        "ifindex": 9,
        "link_index": 3,
        "ifname": "lxc1",
        "link_netnsid": 5,
        "xdp": {"mode": 1, "prog": {"id": 12, "name": "cil_xdp", "jited": 1}},
        "linkinfo": {"info_kind": "vxlan", "info_data": {"id": 5, "port_range": {"low": 0, "high": 9}}},
    }
    link = only(ip_link_json.parse(json.dumps([{}, element, {}])))
    assert link == Link(
        "lxc1",
        9,
        "vxlan",
        peer="if3",
        peer_index=3,
        peer_netns=5,
        bpf=("xdp id 12 name cil_xdp",),
        info=(("id", "5"), ("port_range", "0 9")),
    )
    assert link.up is None


def test_a_list_of_empty_elements_is_no_device() -> None:
    assert ip_link_json.parse("[{},{},{}]").links == ()
    assert ip_link_json.looks_like('[{},{},{"ifindex":1,"ifname":"lo"}]')


def test_proc_net_dev_gives_counters_only() -> None:
    text = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo\n"
        "  eth0:136744427 5307 1 2 0 0 0 0 445989 3634 3 4 0 0 0 0\n"
        "broken: 1 2 3\n"
    )
    fragment = proc_dev.parse(text)
    assert fragment.links == (Link("eth0", counters=LinkCounters(5307, 136744427, 2, 1, 3634, 445989, 4, 3)),)
    assert [problem.line for problem in fragment.problems] == [4]


@pytest.mark.parametrize("folder", captures(), ids=lambda path: "-".join(path.parts[-3:]))
def test_json_and_text_of_one_node_agree(folder: Path) -> None:
    as_json = ip_addr_json.parse((folder / "ip-addr.json").read_text())
    as_text = ip_addr_text.parse((folder / "ip-addr.txt").read_text())
    details = ip_link_json.parse((folder / "ip-link.json").read_text())
    assert as_json.problems == as_text.problems == details.problems == ()
    assert [plain(link) for link in as_json.links or ()] == [plain(link) for link in as_text.links or ()]
    assert [link.name for link in details.links or ()] == [link.name for link in as_text.links or ()]
    assert all(link.counters.rx_packets is not None for link in details.links or ())


def plain(link: Link) -> Link:
    """Without what `-d` adds, and without the namespace, which the text names and JSON numbers."""
    return replace(link, kind=None, info=(), peer_netns=None, counters=LinkCounters())

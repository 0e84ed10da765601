"""What the real programs print of one namespace reads the same in every form."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace

import pytest

from calitop.explain.plain_facts import ip_rule_words
from calitop.formats import (
    bpftool_net,
    conntrack_stats,
    ip_addr_json,
    ip_addr_text,
    ip_link_brief,
    ip_link_json,
    ip_link_text,
    ip_neigh_json,
    ip_neigh_text,
    ip_route_json,
    ip_route_text,
    ip_rule_json,
    ip_rule_text,
    ipset_list,
    ipset_save,
    nstat,
    proc_dev,
    proc_netstat,
    proc_snmp,
    proc_snmp6,
    proc_softnet,
    route_n,
    sysctl,
    tc_filter,
    tc_filter_json,
)
from calitop.formats.fragment import Fragment
from calitop.model.network import Link, Route
from tests.kernel.netns import Namespace

pytestmark = pytest.mark.kernel

LINKS = (
    "link set lo up",
    "link add v0 type veth peer name v1",
    "link add d0 type veth peer name d1",
    "link add br0 type bridge",
    "link set v1 master br0",
    "tuntap add t0 mode tun",
    *(f"link set {name} up" for name in ("v0", "v1", "d0", "d1", "br0")),
    "addr add 10.0.0.1/24 dev d0",
    "addr add 10.1.1.1 peer 10.1.1.2/32 dev v0",
    "addr add 10.5.5.5/32 dev d0 label d0:1",
    "addr add 2001:db8::1/64 dev d0 nodad",
)
ROUTES = (
    "route add 10.9.0.0/24 via 10.0.0.2",
    "route add blackhole 10.9.1.0/24 proto 80",
    "route add throw 10.9.2.0/24",
    "route add unreachable 10.9.3.0/24",
    "route add prohibit 10.9.4.1",
    "route add 10.9.5.0/24 nexthop via 10.0.0.2 dev d0 weight 1 nexthop via 10.0.0.3 dev d0 weight 5 onlink",
    "route add 10.9.6.0/24 via 7.7.7.7 dev v0 onlink proto bird metric 50 mtu 1400 advmss 1360",
    "route add 10.9.7.0/24 via 10.0.0.2 table 77 proto 80",
    "route add 10.9.7.0/24 via 10.0.0.2 table 78 tos 0x10 mtu lock 1300 rto_min 5ms",
    "route add throw 10.9.7.0/24 table 79",
    "nexthop add id 12 via 10.0.0.2 dev d0",
    "nexthop add id 13 via 10.0.0.3 dev d0",
    "nexthop add id 14 group 12/13,3",
    "route add 10.9.8.0/24 nhid 12",
    "route add 10.9.9.0/24 nhid 14",
    "route add 10.9.11.0/24 via inet6 fe80::5 dev d0",
    "route add 10.9.12.0/24 encap ip id 30 dst 10.0.0.7 dev d0",
    "route add default via 10.0.0.254 metric 4294967295",
    "route add default dev v0 scope link metric 5",
    "-6 route add default via fe80::1 dev d0 metric 100 pref high",
    "-6 route add default dev v0 metric 300",
    "-6 route add 2001:db8:5::/48 nexthop via fe80::1 dev d0 nexthop via fe80::2 dev v0 weight 3",
    "-6 route add blackhole 2001:db8:6::/48",
    "-6 route add unreachable 2001:db8:7::/48",
    "-6 route add 2001:db8:9::/64 from 2001:db8::/64 via fe80::1 dev d0",
    "-6 route add 2001:db8:b::1 via 2001:db8::2 dev d0 table 99",
)
RULES = (
    "rule add fwmark 0x200/0xf00 lookup 2004 pref 9",
    "rule add not fwmark 0x100 lookup 5 pref 10",
    "rule add from 10.0.0.0/24 to 10.1.1.1 iif lo oif d0 lookup main suppress_prefixlength 0 pref 11",
    "rule add iif nope0 goto 32766 pref 12",
    "rule add from 10.3.3.3 unreachable pref 13",
    "rule add tos 0x10 ipproto tcp sport 80 dport 1000-2000 uidrange 0-10 lookup 77 pref 14",
    "rule add from 10.4.5.0/24 blackhole pref 16",
    "rule add from all lookup main suppress_ifgroup 5 pref 17",
    "-6 rule add fwmark 0x200/0xf00 from fd00::/8 lookup 2004 pref 9",
)
NEIGHBOURS = (
    "neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev d0",
    "neigh add 10.0.0.3 nud failed dev d0",
    "neigh add fe80::1 lladdr 02:00:00:00:00:03 dev d0 router",
)
FORMS = (("-j",), (), ("-o",), ("-j",))


def furnish(netns: Namespace, *groups: tuple[str, ...]) -> None:
    for command in (command for group in groups for command in group):
        netns.ip(*command.split())


def clean(fragment: Fragment) -> Fragment:
    assert fragment.problems == ()
    return fragment


def bare(routes: tuple[Route, ...] | None) -> list[Route]:
    """Without lines, and without metrics of connections, which the two forms spell differently."""
    return [replace(route, line=None, other=()) for route in routes or ()]


def same_moment(netns: Namespace, words: str) -> tuple[str, str, str]:
    """JSON, text and one-line form of a list that did not change between the readings.

    A device that just came up gets its link-local routes up to a second later.
    """
    for _ in range(20):
        as_json, as_text, one_line, again = (netns.ip(*form, *words.split()) for form in FORMS)
        if as_json == again:
            return as_json, as_text, one_line
    raise AssertionError(f"ip {words} never read the same twice")


def test_routes_read_the_same_as_json_text_and_one_line(netns: Namespace) -> None:
    furnish(netns, LINKS, ROUTES)
    for words in ("route show table all", "-d route show table all", "-6 route", "-4 route show table 77"):
        as_json, as_text, one_line = same_moment(netns, words)
        assert ip_route_json.looks_like(as_json)
        assert ip_route_text.looks_like(as_text)
        expected = bare(clean(ip_route_json.parse(as_json)).routes)
        assert bare(clean(ip_route_text.parse(as_text)).routes) == expected
        assert bare(clean(ip_route_text.parse(one_line)).routes) == expected


def test_every_route_is_read_as_it_was_made(netns: Namespace) -> None:
    furnish(netns, LINKS, ROUTES)
    routes = clean(ip_route_json.parse(netns.ip("-j", "route", "show", "table", "all"))).routes or ()
    made = {(route.dst, route.table): route for route in routes}
    assert made["10.9.1.0/24", "main"].type == "blackhole"
    assert made["10.9.1.0/24", "main"].proto == "80"
    assert made["10.9.7.0/24", "79"].type == "throw"
    assert [hop.weight for hop in made["10.9.9.0/24", "main"].nexthops] == [1, 3]
    assert made["10.9.9.0/24", "main"].nhid == 14
    assert made["10.9.6.0/24", "main"].mtu == 1400
    assert made["10.9.12.0/24", "main"].src is None
    assert [route.family for route in routes if route.dst == "default"] == ["ipv4", "ipv4", "ipv6", "ipv6"]


def test_route_n_agrees_as_far_as_it_tells(netns: Namespace) -> None:
    if shutil.which("route") is None:
        pytest.skip("net-tools are not installed")
    furnish(netns, LINKS, ROUTES)
    routes = clean(ip_route_text.parse(netns.ip("route"))).routes or ()
    for command in (("route", "-n"), ("route", "-n", "-ee"), ("netstat", "-rn")):
        text = netns.run(*command)
        assert route_n.looks_like(text)
        listed = clean(route_n.parse(text)).routes or ()
        assert [route.dst for route in listed] == [route.dst for route in routes]
        for route, old in zip(routes, listed, strict=True):
            assert route.type in (old.type, *old.types)
            assert old.metric in (route.metric, 0)
            assert old.gateway in (route.gateway, None, *(hop.gateway for hop in route.nexthops))
    six = clean(route_n.parse(netns.run("route", "-n", "-6"))).routes or ()
    destinations = {route.dst for route in six if route.table == "main"}
    assert destinations >= {route.dst for route in ip_route_text.parse(netns.ip("-6", "route")).routes or ()}


def test_rules_read_the_same_in_both_forms(netns: Namespace) -> None:
    furnish(netns, LINKS, RULES)
    for option, family, count in (("-4", "ipv4", 11), ("-6", "ipv6", 3)):
        as_json = clean(ip_rule_json.parse(netns.ip(option, "-j", "rule"))).ip_rules or ()
        as_text = clean(ip_rule_text.parse(netns.ip(option, "rule"))).ip_rules or ()
        assert list(as_json) == [replace(rule, line=None) for rule in as_text]
        assert {rule.family for rule in as_json} == {family}
        assert len(as_json) == count


def test_rules_are_told_in_the_words_of_ip_rule(netns: Namespace) -> None:
    furnish(netns, LINKS, RULES)
    for option in ("-4", "-6"):
        printed = netns.ip(option, "rule")
        told = [ip_rule_words(rule) for rule in clean(ip_rule_text.parse(printed)).ip_rules or ()]
        listed = [" ".join(line.replace("[detached]", "").split()) for line in printed.splitlines()]
        assert [words.replace("/32", "") for words in told] == listed


def test_links_read_the_same_in_every_form(netns: Namespace) -> None:
    furnish(netns, LINKS)
    full = links_by_name(ip_link_json.parse(netns.ip("-j", "-d", "-s", "link")))
    text = links_by_name(ip_link_text.parse(netns.ip("-d", "-s", "link")))
    assert {name: (link.kind, link.mtu) for name, link in full.items()} == {
        name: (link.kind, link.mtu) for name, link in text.items()
    }
    assert [full[name].kind for name in ("lo", "v0", "br0", "t0")] == [None, "veth", "bridge", "tun"]
    assert text["v0"].counters.rx_packets is not None
    assert (text["v1"].master, text["v1"].peer, text["v1"].peer_index) == ("br0", "v0", full["v0"].index)
    for module, words in ((ip_addr_json, "-j addr"), (ip_addr_text, "addr"), (ip_addr_text, "-o addr")):
        found = links_by_name(module.parse(netns.ip(*words.split())))
        assert set(found["d0"].addresses) >= {"10.0.0.1/24", "10.5.5.5/32", "2001:db8::1/64"}
        assert "10.1.1.1/32" in found["v0"].addresses
    brief = links_by_name(ip_link_brief.parse(netns.ip("-br", "link")))
    assert {name: link.up for name, link in brief.items()} == {name: link.up for name, link in full.items()}
    counters = links_by_name(proc_dev.parse(netns.run("cat", "/proc/net/dev")))
    assert set(counters) == set(full)


def links_by_name(fragment: Fragment) -> dict[str, Link]:
    return {link.name: link for link in clean(fragment).links or ()}


def test_neighbours_read_the_same_in_both_forms(netns: Namespace) -> None:
    furnish(netns, LINKS, NEIGHBOURS)
    expected = clean(ip_neigh_json.parse(netns.ip("-j", "neigh"))).neighbours
    assert len(expected or ()) == 3
    assert clean(ip_neigh_text.parse(netns.ip("neigh"))).neighbours == expected
    assert clean(ip_neigh_text.parse(netns.ip("-s", "-s", "neigh"))).neighbours == expected


def test_sets_read_the_same_saved_and_listed(netns: Namespace) -> None:
    netns.run(
        "ipset",
        "restore",
        text=(
            "create nets hash:net family inet\nadd nets 10.0.0.0/8\nadd nets 10.1.0.0/16 nomatch\n"
            "create words hash:ip,port family inet comment timeout 0\n"
            'add words 1.2.3.4,tcp:80 comment "two  words"\n'
            "create six hash:net family inet6\nadd six 2001:db8::/32\n"
            "create all list:set\nadd all nets\ncreate none bitmap:port range 0-1024\n"
        ),
    )
    saved, listed = netns.run("ipset", "save"), netns.run("ipset", "list")
    assert ipset_save.looks_like(saved)
    assert ipset_list.looks_like(listed)
    first = {one.name: one for one in clean(ipset_save.parse(saved)).sets or ()}
    second = {one.name: one for one in clean(ipset_list.parse(listed)).sets or ()}
    assert {name: (one.type, set(one.members or ())) for name, one in first.items()} == {
        name: (one.type, set(one.members or ())) for name, one in second.items()
    }
    assert set(first["nets"].members or ()) == {"10.0.0.0/8", "10.1.0.0/16 nomatch"}
    terse = {one.name: one for one in clean(ipset_list.parse(netns.run("ipset", "list", "-t"))).sets or ()}
    assert [(terse[name].members, terse[name].size) for name in ("nets", "none")] == [(None, 2), (None, 0)]


def lasting(stats: Mapping[str, int]) -> set[str]:
    """Names that are always there; an ICMP type appears with its first message."""
    return {name for name in stats if not re.search(r"(In|Out)Type\d+$", name)}


def test_statistics_have_the_same_names_in_every_form(netns: Namespace) -> None:
    furnish(netns, LINKS)
    told: dict[str, int] = {}
    for module, path in ((proc_netstat, "netstat"), (proc_snmp, "snmp"), (proc_snmp6, "snmp6")):
        text = netns.run("cat", f"/proc/net/{path}")
        assert module.looks_like(text)
        told |= clean(module.parse(text)).stats or {}
    assert "TcpExt.IPReversePathFilter" in told
    if shutil.which("nstat"):
        listed = lasting(clean(nstat.parse(netns.run("nstat", "-azs"))).stats or {})
        assert listed <= set(told)
        assert lasting(clean(nstat.parse(netns.run("nstat", "-azsj"))).stats or {}) == listed
    assert "Softnet.dropped" in (proc_softnet.parse(netns.run("cat", "/proc/net/softnet_stat")).stats or {})
    assert "Conntrack.insert_failed" in (
        clean(conntrack_stats.parse(netns.run("conntrack", "-S"))).stats or {}
    )


def test_settings_of_a_device_with_a_dot_have_one_name(netns: Namespace) -> None:
    netns.ip("link", "add", "d0.5", "type", "veth", "peer", "name", "d1")
    listed = clean(sysctl.parse(netns.run("sysctl", "net.ipv4.conf"))).sysctls or {}
    grepped = netns.run("sh", "-c", "grep . /proc/sys/net/ipv4/conf/*/rp_filter")
    found = clean(sysctl.parse(grepped)).sysctls or {}
    assert "net.ipv4.conf.d0/5.rp_filter" in found
    assert found.items() <= listed.items()


def test_filters_and_programs_of_a_namespace(netns: Namespace) -> None:
    furnish(netns, LINKS)
    netns.run("tc", "qdisc", "add", "dev", "d0", "clsact")
    mirred = "match ip dst 10.222.1.0/24 action mirred egress redirect dev v0"
    netns.run(*f"tc filter add dev d0 ingress protocol ip pref 10 u32 {mirred}".split())
    text = "# dev d0 ingress\n" + netns.run("tc", "filter", "show", "dev", "d0", "ingress")
    (one,) = clean(tc_filter.parse(text)).bpf or ()
    assert (one.dev, one.direction, one.kind) == ("d0", "ingress", "u32")
    as_json = netns.run("tc", "-j", "filter", "show", "dev", "d0", "ingress")
    assert tc_filter_json.looks_like(as_json)
    assert tc_filter_json.parse(as_json).bpf
    if shutil.which("bpftool"):
        assert clean(bpftool_net.parse(netns.run("bpftool", "-j", "net"))).bpf is not None

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from calitop.formats import ip_neigh_arp, ip_neigh_json, ip_neigh_text, ip_rule_json, ip_rule_text
from calitop.model.network import IpRule, Neighbour
from tests.formats.shared_texts import captures

TEXT = """0:\tfrom all lookup local
9:\tfrom all fwmark 0x200/0xf00 lookup 2004
10:\tnot from all fwmark 0x100 lookup 5
11:\tfrom 10.0.0.0/24 to 10.1.1.1 iif lo oif d0 [detached] lookup main suppress_prefixlength 0
12:\tfrom all iif nope0 [detached] goto 32766
13:\tfrom 10.3.3.3 unreachable
14:\tfrom all tos 0x10 uidrange 0-10 ipproto tcp sport 80 dport 1000-2000 lookup 77
17:\tfrom all lookup main suppress_ifgroup 5 proto static
18:\tfrom all nop
1000:\tfrom all lookup [l3mdev-table]
32766:\tfrom all lookup main
32767:\tfrom all lookup default
"""
JSON = """[{"priority":0,"src":"all","table":"local"},
{"priority":9,"src":"all","fwmark":"0x200","fwmask":"0xf00","table":"2004"},
{"priority":10,"not":null,"src":"all","fwmark":"0x100","table":"5"},
{"priority":11,"src":"10.0.0.0","srclen":24,"dst":"10.1.1.1","iif":"lo","oif":"d0","oif_detached":null,
"table":"main","suppress_prefixlen":0},
{"priority":12,"src":"all","iif":"nope0","iif_detached":null,"goto":32766},
{"priority":13,"src":"10.3.3.3","action":"unreachable"},
{"priority":14,"src":"all","tos":"0x10","uid_start":0,"uid_end":10,"ipproto":"tcp","sport":80,
"dport_start":1000,"dport_end":2000,"table":"77"},
{"priority":17,"src":"all","table":"main","suppress_ifgroup":"5","protocol":"static"},
{"priority":18,"src":"all","nop":null},
{"priority":1000,"src":"all","l3mdev":null},
{"priority":32766,"src":"all","table":"main"},{"priority":32767,"src":"all","table":"default"}]
"""


def test_both_forms_lead_to_the_same_rules() -> None:
    as_text, as_json = ip_rule_text.parse(TEXT), ip_rule_json.parse(JSON)
    assert as_text.problems == as_json.problems == ()
    assert [replace(rule, line=None) for rule in as_text.ip_rules or ()] == list(as_json.ip_rules or ())


def test_marks_masks_and_selectors_are_typed() -> None:
    rules = {rule.priority: replace(rule, line=None) for rule in ip_rule_text.parse(TEXT).ip_rules or ()}
    assert rules[9] == IpRule("ipv4", 9, fwmark=0x200, fwmask=0xF00, table="2004")
    assert rules[10] == IpRule("ipv4", 10, fwmark=0x100, fwmask=0xFFFFFFFF, inverted=True, table="5")
    assert (rules[11].src, rules[11].dst, rules[11].iif) == ("10.0.0.0/24", "10.1.1.1/32", "lo")
    assert rules[11].suppress_prefixlength == 0
    assert (rules[12].action, rules[12].goto, rules[12].table) == ("goto", 32766, None)
    assert (rules[13].action, rules[13].table) == ("unreachable", None)
    assert rules[14].other == ("tos 0x10", "uidrange 0-10", "ipproto tcp", "sport 80", "dport 1000-2000")
    assert rules[1000].other == ("l3mdev",)


def test_a_listing_is_of_one_family() -> None:
    six = "0:\tfrom all lookup local\n9:\tfrom fd00::/8 lookup 2004\n32766:\tfrom all lookup main\n"
    assert {rule.family for rule in ip_rule_text.parse(six).ip_rules or ()} == {"ipv6"}
    own = "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n"
    assert {rule.family for rule in ip_rule_text.parse(own).ip_rules or ()} == {"ipv6"}
    assert {rule.family for rule in ip_rule_text.parse(TEXT).ip_rules or ()} == {"ipv4"}
    assert {rule.family for rule in ip_rule_text.parse(TEXT, family="ipv6").ip_rules or ()} == {"ipv6"}


@pytest.mark.parametrize(
    "line", ["9:\tfrom all fwmark 0x200/0xf00", "9:\tfrom all frobnicate lookup 5", "9:\tfrom all lookup"]
)
def test_a_rule_that_is_not_understood_as_a_whole_is_reported_and_not_shown(line: str) -> None:
    fragment = ip_rule_text.parse("0:\tfrom all lookup local\n" + line)
    assert len(fragment.ip_rules or ()) == 1
    assert [(problem.line, problem.text) for problem in fragment.problems] == [(2, line)]


def test_neighbours_of_all_forms() -> None:
    text = (
        "10.0.0.2 dev d0 lladdr 02:00:00:00:00:02  used 0/0/0probes 0 PERMANENT \n"
        "10.0.0.3 dev d0 FAILED \nfe80::1 dev d0 lladdr 02:00:00:00:00:03 router STALE \n"
    )
    as_json = (
        '[{"dst":"10.0.0.2","dev":"d0","lladdr":"02:00:00:00:00:02","state":["PERMANENT"]},'
        '{"dst":"10.0.0.3","dev":"d0","state":["FAILED"]},'
        '{"dst":"fe80::1","dev":"d0","lladdr":"02:00:00:00:00:03","router":null,"state":["STALE"]}]'
    )
    expected = (
        Neighbour("10.0.0.2", "d0", "02:00:00:00:00:02", ("PERMANENT",)),
        Neighbour("10.0.0.3", "d0", None, ("FAILED",)),
        Neighbour("fe80::1", "d0", "02:00:00:00:00:03", ("STALE",)),
    )
    assert ip_neigh_text.looks_like(text)
    assert ip_neigh_json.looks_like(as_json)
    assert ip_neigh_text.parse(text).neighbours == ip_neigh_json.parse(as_json).neighbours == expected


@pytest.mark.parametrize(
    "text",
    [
        "Address                  HWtype  HWaddress           Flags Mask            Iface\n"
        "10.0.0.2                 ether   02:00:00:00:00:02   CM                    d0\n"
        "10.0.0.3                         (incomplete)                              d0\n"
        "10.0.0.77                *       <from_interface>    MP                    d0\n",
        "? (10.0.0.2) at 02:00:00:00:00:02 [ether] PERM on d0\n? (10.0.0.3) at <incomplete> on d0\n"
        "? (10.0.0.77) at <from_interface> PERM PUB on d0\n",
    ],
)
def test_arp_tells_less_and_published_addresses_are_no_neighbours(text: str) -> None:
    assert ip_neigh_arp.looks_like(text)
    fragment = ip_neigh_arp.parse(text)
    assert fragment.problems == ()
    assert fragment.neighbours == (
        Neighbour("10.0.0.2", "d0", "02:00:00:00:00:02", ("PERMANENT",)),
        Neighbour("10.0.0.3", "d0"),
    )


@pytest.mark.parametrize("folder", captures(), ids=lambda path: "-".join(path.parts[-3:]))
def test_captures_agree(folder: Path) -> None:
    as_json = ip_rule_json.parse((folder / "ip-rule.json").read_text())
    as_text = ip_rule_text.parse((folder / "ip-rule.txt").read_text())
    assert list(as_json.ip_rules or ()) == [replace(rule, line=None) for rule in as_text.ip_rules or ()]
    assert ip_neigh_json.parse((folder / "ip-neigh.json").read_text()).problems == ()

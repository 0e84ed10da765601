"""`show` holds every key that interface.md names, says null for the unknown, and is safe on a terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.formats import ip_addr_text, ip_route_text, iptables_save, route_n
from calitop.model.network import IpRule, Link, LinkCounters, NextHop, Route
from calitop.model.node import IpSet, NodeState, Pod, Problem, SourceFile
from calitop.report.envelope import json_text
from calitop.report.show import show_json
from calitop.report.show_text import show_text
from calitop.report.text import columns, printable
from calitop.snapshot.merge import Piece, merge
from tests.snapshot.texts import ADDRESSES, ROUTE_N, ROUTES, SAVE

TOP = {
    "node", "files", "rulesets", "links", "routes", "ip_rules", "sets", "sysctls", "stats",
    "neighbours", "conntrack", "bpf", "pods",
}  # fmt: skip
RULE = {"number", "packets", "bytes", "text", "comments", "target", "targets", "verb"}
CHAIN = {"name", "builtin", "hook", "priority", "policy", "packets", "bytes", "present", "complete", "rules"}
LINK = {
    "name", "kind", "role", "mtu", "up", "peer", "addresses", "pod", "owner",
    "rx_packets", "tx_packets", "rx_dropped", "tx_dropped",
}  # fmt: skip
ROUTE = {
    "family", "table", "type", "types", "dst", "gateway", "dev", "src", "proto", "scope", "metric", "flags",
    "nexthops", "owner",
}  # fmt: skip
IP_RULE = {"family", "priority", "src", "dst", "iif", "oif", "fwmark", "fwmask", "not", "table"}


def node() -> NodeState:
    fragments = [iptables_save.parse(SAVE), ip_route_text.parse(ROUTES), ip_addr_text.parse(ADDRESSES)]
    return merge(Piece(fragment) for fragment in fragments)


def shown(state: NodeState) -> dict[str, Any]:
    found = json.loads(json_text(show_json(state)))
    assert isinstance(found, dict)
    return found


def test_an_unknown_node_has_all_keys_and_claims_nothing() -> None:
    found = shown(NodeState())
    assert set(found) >= TOP
    assert found["node"] == {"name": None, "captured_at": None, "kernel": None}
    assert found["calitop"] == {"schema": 1, "version": found["calitop"]["version"]}
    assert all(not found[key] for key in TOP - {"node"})


def test_every_object_has_its_keys() -> None:
    state = replace(
        node(),
        files=(SourceFile("a", None, 3, (Problem(None, "x", "y"),)),),
        ip_rules=(IpRule("ipv4", 0, table="local"),),
        sets=(
            IpSet("s", "hash:ip"),
            IpSet("t", "hash:ip", ("10.0.0.1",)),
            IpSet("u", "hash:ip", None, (), 7),
        ),
        pods=(Pod("default", "web-0", "10.0.2.6/32", "n", "cali0a1b2c3d4e5"),),
    )
    found = shown(state)
    (ruleset,) = found["rulesets"]
    assert set(ruleset) >= {"family", "backend", "tables"}
    (table,) = ruleset["tables"]
    assert set(table) >= {"name", "maps", "chains"}
    assert all(set(chain) >= CHAIN for chain in table["chains"])
    assert all(set(rule) >= RULE for chain in table["chains"] for rule in chain["rules"])
    assert all(set(link) >= LINK for link in found["links"])
    assert all(set(route) >= ROUTE for route in found["routes"])
    assert all(set(rule) >= IP_RULE for rule in found["ip_rules"])
    assert set(found["files"][0]) >= {"file", "kind", "lines", "problems"}
    assert found["files"][0]["problems"] == [{"line": None, "text": "x", "why": "y"}]
    assert [each["members"] for each in found["sets"]] == [None, 1, 7]
    assert set(found["pods"][0]) >= {"namespace", "name", "ip", "node", "interface", "known_from"}


def test_rules_are_told_in_the_words_of_their_source() -> None:
    (table,) = shown(node())["rulesets"][0]["tables"]
    chains = {chain["name"]: chain for chain in table["chains"]}
    assert chains["FORWARD"]["policy"] == "DROP"
    assert chains["cali-FORWARD"]["rules"] == [
        {
            "number": 1,
            "packets": 7,
            "bytes": 588,
            "text": SAVE.splitlines()[7].removeprefix("[7:588] "),
            "comments": ["cali:abcdefghij123456"],
            "target": "MARK",
            "targets": ["MARK"],
            "verb": "jump",
        }
    ]


def test_a_type_that_the_source_leaves_open_is_null() -> None:
    routes = shown(merge([Piece(route_n.parse(ROUTE_N))]))["routes"]
    (open_,) = (route for route in routes if route["type"] is None)
    assert (open_["dst"], open_["types"], open_["dev"]) == ("10.0.2.0/26", ["blackhole", "throw"], None)


def test_links_and_hops() -> None:
    link = Link("tunl0", kind="tun", up=None, counters=LinkCounters(rx_packets=0))
    hop = NextHop("10.0.0.1", "eth0", 1, ("onlink",))
    found = shown(NodeState(links=(link,), routes=(Route("ipv4", "10.0.0.0/8", nexthops=(hop,)),)))
    (told,) = found["links"]
    assert (told["kind"], told["role"], told["up"]) == ("tun", "ipip", None)
    assert (told["rx_packets"], told["tx_packets"]) == (0, None)
    assert found["routes"][0]["nexthops"] == [
        {"gateway": "10.0.0.1", "dev": "eth0", "weight": 1, "flags": ["onlink"]}
    ]


def test_the_text_names_files_problems_rules_and_routes() -> None:
    state = replace(
        node(), name="n", files=(SourceFile("a.txt", "ip route", 4, (Problem(3, "oops", "why"),)),)
    )
    text = show_text(state)
    assert "a.txt: ip route, 4 lines, 1 problem" in text
    assert "line 3: why: oops" in text
    assert "[7:588] -A cali-FORWARD" in text
    assert "blackhole" in text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain [UFW BLOCK]", "plain [UFW BLOCK]"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\tb\r", "a b\\x0d"),
        ("caf\udce9", "caf\\xe9"),
        ("\u202eabc", "\\u202eabc"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_nothing_reaches_the_terminal_as_a_command(text: str, safe: str) -> None:
    assert printable(text) == safe


@given(st.text())
def test_printable_text_is_printable(text: str) -> None:
    assert printable(text).isprintable()
    assert all(line.isprintable() for line in columns([(text, None), ("x", text)]))

"""`nft -j list ruleset`, and the words made from its expressions."""

from __future__ import annotations

import json

import pytest

from calitop.formats import nft_json
from calitop.formats.nft_expression import span
from calitop.formats.nft_statement import statement
from calitop.model.rules import Counter, Family
from tests.formats.nft_texts import chain, maps, table
from tests.formats.nft_texts import json as read

HEAD: list[object] = [
    {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
    {"table": {"family": "ip", "name": "t", "handle": 1}},
    {"chain": {"family": "ip", "table": "t", "name": "c", "handle": 1}},
]


def listing(*more: object) -> str:
    return json.dumps({"nftables": [*HEAD, *more]})


def a_rule(*expr: object, comment: str | None = None) -> dict[str, object]:
    inner = {"family": "ip", "table": "t", "chain": "c", "handle": 7, "expr": list(expr)}
    return {"rule": inner if comment is None else inner | {"comment": comment}}


def match(left: object, right: object, op: str = "==") -> dict[str, object]:
    return {"match": {"op": op, "left": left, "right": right}}


MARK = {"meta": {"key": "mark"}}
DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}


def test_a_listing_is_recognised_also_behind_a_warning() -> None:
    assert nft_json.looks_like(listing())
    assert nft_json.looks_like("warning: stmt ops chain have no json callback\n" + listing())
    assert not nft_json.looks_like('[{"ifname": "lo"}]')
    assert not nft_json.looks_like('{"rules": "nftables"}')


def test_rules_have_counter_handle_comment_and_target() -> None:
    fragment = read(
        listing(a_rule({"counter": {"packets": 3, "bytes": 252}}, {"jump": {"target": "web"}}, comment="a b"))
    )
    assert fragment.problems == ()
    (only,) = chain(fragment, "ipv4", "t", "c").rules
    assert only.text == 'counter jump web comment "a b"'
    assert (only.counter, only.handle, only.number) == (Counter(3, 252), 7, 1)
    assert (only.target, only.verb, only.targets) == ("web", "jump", ("web",))
    assert fragment.rulesets and fragment.rulesets[0].program == "nftables v1.0.6 (Lester Gooch #5)"


def test_named_and_stateless_counters_have_no_numbers() -> None:
    rules = chain(
        read(listing(a_rule({"counter": "web"}), a_rule({"counter": None}))), "ipv4", "t", "c"
    ).rules
    assert [(one.text, one.counter) for one in rules] == [('counter name "web"', None), ("counter", None)]


def test_base_chains_have_their_numbers_and_devices() -> None:
    base = {"family": "netdev", "table": "n", "name": "i", "type": "filter", "hook": "ingress", "prio": -500}
    found = chain(read(listing({"chain": base | {"dev": ["a", "b"], "policy": "drop"}})), "netdev", "n", "i")
    assert (found.hook, found.priority, found.device, found.policy) == ("INGRESS", -500, "a, b", "DROP")
    alone = chain(read(listing({"chain": base | {"dev": "lo"}})), "netdev", "n", "i")
    assert (alone.device, alone.policy) == ("lo", "ACCEPT")


def test_maps_lead_rules_to_all_their_chains() -> None:
    elem = [
        ["cali1", {"goto": {"target": "a"}}],
        [{"elem": {"val": "cali2", "comment": "x"}}, {"drop": None}],
    ]
    one = {"family": "ip", "table": "t", "name": "m", "type": "ifname", "map": "verdict", "elem": elem}
    vmap = {"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@m"}}
    fragment = read(listing(a_rule(vmap), {"map": one}))
    found = maps(fragment)["m"]
    assert found.type == "ifname : verdict"
    assert found.elements == (('"cali1"', "goto a"), ('"cali2"', "drop"))
    assert found.details == (('"cali2"', 'comment "x"'),)
    (rule,) = chain(fragment, "ipv4", "t", "c").rules
    assert (rule.text, rule.targets, rule.verb) == ("iifname vmap @m", ("a", "DROP"), "goto")


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (match({"meta": {"key": "iifname"}}, "cali*"), 'iifname "cali*"'),
        (match({"meta": {"key": "oifname"}}, {"set": ["a", "b"]}, "!="), 'oifname != { "a", "b" }'),
        (match({"ct": {"key": "state"}}, ["established", "related"], "in"), "ct state established,related"),
        (match({"ct": {"key": "state"}}, "new"), "ct state == new"),
        (match(DPORT, {"set": [80, {"range": [90, 99]}]}), "tcp dport { 80, 90-99 }"),
        (match(SADDR, {"prefix": {"addr": "10.0.0.0", "len": 8}}, "!="), "ip saddr != 10.0.0.0/8"),
        (match(SADDR, "@all"), "ip saddr @all"),
        (match({"&": [MARK, 0x10000]}, 0x10000), "meta mark & 0x00010000 == 0x00010000"),
        (match({"concat": [SADDR, DPORT]}, {"set": [{"concat": ["1.2.3.4", 22]}]}), None),
        (match({"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, False), "fib saddr . iif oif missing"),
        (match({"exthdr": {"name": "frag"}}, True), "exthdr frag exists"),
        (match({"tcp option": {"name": "sack"}}, True), "tcp option sack exists"),
        (
            match({"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["fin", "syn"]]}, "syn"),
            "tcp flags syn / fin,syn",
        ),
        ({"mangle": {"key": MARK, "value": {"|": [MARK, 1]}}}, "meta mark set meta mark | 0x00000001"),
        (
            {"mangle": {"key": MARK, "value": {"|": [{"&": [MARK, 255]}, 1]}}},
            "meta mark set meta mark & 0x000000ff | 0x00000001",
        ),
        (
            {"mangle": {"key": MARK, "value": {"&": [{"|": [MARK, 1]}, 255]}}},
            "meta mark set (meta mark | 0x00000001) & 0x000000ff",
        ),
        ({"masquerade": None}, "masquerade"),
        ({"masquerade": {"flags": "fully-random"}}, "masquerade fully-random"),
        ({"dnat": {"family": "ip6", "addr": "fe80::1", "port": 80}}, "dnat ip6 to [fe80::1]:80"),
        ({"snat": {"addr": {"range": ["1.1.1.1", "1.1.1.9"]}, "flags": ["random", "persistent"]}}, None),
        ({"redirect": {"port": 8080}}, "redirect to :8080"),
        ({"log": {"prefix": "x", "group": 3}}, 'log prefix "x" group 3'),
        (
            {"log": {"flags": ["tcp sequence", "tcp options", "skuid"]}},
            "log flags tcp sequence,options flags skuid",
        ),
        ({"limit": {"rate": 5, "burst": 7, "per": "minute"}}, "limit rate 5/minute burst 7 packets"),
        ({"limit": {"rate": 5, "burst": 5, "per": "minute"}}, "limit rate 5/minute"),
        ({"quota": {"val": 25, "val_unit": "mbytes", "inv": True}}, "quota over 25 mbytes"),
        ({"queue": {"num": {"range": [1, 3]}, "flags": ["bypass"]}}, "queue flags bypass to 1-3"),
        ({"fwd": {"dev": "lo"}}, 'fwd to "lo"'),
        ({"dup": {"addr": "10.0.0.3", "dev": "lo"}}, 'dup to 10.0.0.3 device "lo"'),
        ({"flow": {"op": "add", "flowtable": "@ft"}}, "flow add @ft"),
        ({"ct helper": "h"}, 'ct helper set "h"'),
        ({"xt": {"type": "match", "name": "set"}}, "xt match set"),
        ({"set": {"op": "add", "elem": {"elem": {"val": SADDR, "timeout": 10}}, "set": "@m"}}, None),
        ({"something new": {"a": [1]}}, '{"something new":{"a":[1]}}'),
        ("jump {\n\t\t\tdrop\n\t\t\taccept\n\t\t}", "jump { drop; accept }"),
    ],
)
def test_statements_are_spelled_as_nft_spells_them(one: object, words: str | None) -> None:
    spelled = statement(json.loads(json.dumps(one)), "ipv4")
    others = {
        "ip saddr . tcp dport { 1.2.3.4 . 22 }",
        "snat to 1.1.1.1-1.1.1.9 random,persistent",
        "add @m { ip saddr timeout 10s }",
    }
    assert spelled == words if words is not None else spelled in others


@pytest.mark.parametrize(
    ("family", "kind", "words"),
    [
        ("ipv4", "icmp", "reject"),
        ("inet", "icmpx", "reject"),
        ("ipv6", "icmpv6", "reject"),
        ("inet", "icmp", "reject with icmp port-unreachable"),
    ],
)
def test_a_reject_leaves_out_what_is_usual_in_its_family(family: Family, kind: str, words: str) -> None:
    assert statement({"reject": {"type": kind, "expr": "port-unreachable"}}, family) == words


def test_times_are_spelled_in_units() -> None:
    assert [span(one) for one in (1, 60, 3661, 90000, 0)] == ["1s", "1m", "1h1m1s", "1d1h", "0s"]


def test_a_cut_text_tells_what_was_read_and_that_it_is_cut() -> None:
    whole = listing(*(a_rule({"counter": {"packets": n, "bytes": n}}, {"drop": None}) for n in range(20)))
    cut = read(whole[: whole.index('"packets": 9')])
    assert len(chain(cut, "ipv4", "t", "c").rules) == 9
    assert len(cut.problems) == 1
    assert "breaks" in cut.problems[0].why
    assert cut.problems[0].line == 1


def test_every_cut_of_a_text_is_answered() -> None:
    whole = listing(a_rule(match(SADDR, "1.2.3.4"), {"drop": None}, comment="x"))
    for end in range(len(whole)):
        assert read(whole[:end]).problems


def test_what_does_not_belong_to_the_json_is_a_problem() -> None:
    fragment = read(
        "warning: stmt ops chain have no json callback\n" + listing(a_rule({"drop": None})) + "\nfoo"
    )
    assert [one.text for one in fragment.problems] == ["warning: stmt ops chain have no json callback", "foo"]
    assert len(chain(fragment, "ipv4", "t", "c").rules) == 1


def test_unknown_objects_and_wrong_shapes_are_problems_not_errors() -> None:
    odd: list[object] = [
        *(None, 5, "x", [], {}, {"rule": None}, {"rule": 5}, {"rule": []}, {"unknown": {"a": 1}}),
        *({"rule": {"family": "ip"}}, {"rule": {"family": "xx", "table": "t", "chain": "c", "expr": []}}),
        *({"rule": {"family": "ip", "table": "t", "chain": "c", "expr": 7}}, {"table": {"name": 7}}),
    ]
    fragment = read(listing(*odd))
    assert len(fragment.problems) == len(odd)
    assert table(fragment, "ipv4", "t").chains["c"].rules == ()


@pytest.mark.parametrize("inner", ["[" * 100_000, '{"a":' * 100_000, '{"match":{"left":' * 50_000])
def test_deep_nesting_is_a_problem(inner: str) -> None:
    fragment = read('{"nftables": [{"rule": ' + inner)
    assert fragment.problems and fragment.rulesets is None
    assert all(len(one.text) < 1000 for one in fragment.problems)


def test_an_expression_nested_deep_but_readable_does_not_break_the_reader() -> None:
    deep: object = "1.2.3.4"
    for _ in range(400):
        deep = {"elem": {"val": deep}}
    fragment = read(listing(a_rule(match(SADDR, deep)), a_rule({"drop": None})))
    assert [one.target for one in chain(fragment, "ipv4", "t", "c").rules][-1] == "DROP"


def test_numbers_too_long_for_python_are_a_problem() -> None:
    assert read('{"nftables": [{"rule": ' + "9" * 10_000 + "}]}").problems


def test_a_dormant_table_is_warned_of_also_where_nft_garbles_its_flag() -> None:
    named = read(listing({"table": {"family": "ip6", "name": "x", "flags": ["dormant"]}}))
    garbled = read(listing({"table": {"family": "ip6", "name": "x", "flags": "x"}}))
    assert "is dormant" in named.warnings[0]
    assert "may be dormant" in garbled.warnings[0]
    assert read(listing({"table": {"family": "ip6", "name": "x", "flags": "owner"}})).warnings == ()

"""What an nft rule means, and that no word of it is lost."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calitop.formats.nft_spec import nft_spec
from calitop.formats.nft_words import BEGINNINGS, unquoted, words
from calitop.model import matches, targets, values
from calitop.model.matches import Match
from calitop.model.spec import RuleSpec
from calitop.model.targets import NatRange, SetMark
from calitop.model.values import NamePattern, Range
from tests.formats.nft_texts import CALICO, text

V4 = ip_network("0.0.0.0/0")
TCP = matches.Protocol(numbers=(6,))


def meaning(text: str) -> list[Match]:
    """The matches without their words."""
    return [without_words(one) for one in nft_spec(text).matches]


def without_words(match: Match) -> Match:
    fields = {
        name: getattr(match, name) for name in match.__dataclass_fields__ if name not in ("words", "at")
    }
    return type(match)(**fields)


def all_words_are_shared_out(read: RuleSpec) -> None:
    parts: list[Match | targets.Target] = [*read.matches, *read.targets]
    assert sorted(at for part in parts for at in part.at) == list(range(len(read.words)))
    for part in parts:
        assert part.words == tuple(read.words[at] for at in part.at)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('iifname "cali*"', [matches.Interface(way="in", names=(NamePattern("cali", True),))]),
        (
            'oifname != { "a", "b" }',
            [matches.Interface(way="out", names=(NamePattern("a"), NamePattern("b")), negated=True)],
        ),
        ("ip saddr 10.0.0.0/8", [matches.IpAddress(side="src", networks=(ip_network("10.0.0.0/8"),))]),
        (
            "ip6 daddr != { fe80::/10, ::1 }",
            [
                matches.IpAddress(
                    side="dst", networks=(ip_network("fe80::/10"), ip_network("::1/128")), negated=True
                )
            ],
        ),
        (
            "ip saddr 10.0.0.1-10.0.0.2",
            [matches.IpAddress(side="src", networks=(ip_network("10.0.0.1/32"), ip_network("10.0.0.2/32")))],
        ),
        ("ip saddr @all", [matches.InSet(name="all", directions=("src",))]),
        ("ip daddr . tcp dport != @svc", [matches.InSet(name="svc", directions=(), negated=True)]),
        ("meta l4proto { tcp, 17 }", [matches.Protocol(numbers=(6, 17))]),
        ("ip protocol != ipencap", [matches.Protocol(numbers=(4,), negated=True)]),
        ("tcp dport { 80, 90-99 }", [TCP, matches.Ports(side="dst", ranges=(Range(80, 80), Range(90, 99)))]),
        ("tcp sport < 1024", [TCP, matches.Ports(side="src", ranges=(Range(0, 1023),))]),
        ("tcp dport != 22", [TCP, matches.Ports(side="dst", ranges=(Range(22, 22),), negated=True)]),
        ("th dport 53", [matches.Ports(side="dst", ranges=(Range(53, 53),))]),
        ("meta mark 0x5", [matches.Mark(of="packet", value=5)]),
        ("meta mark & 0xf0 != 0x20", [matches.Mark(of="packet", value=0x20, mask=0xF0, negated=True)]),
        ("meta mark != 0x0/12", [matches.Mark(of="packet", value=0, mask=0xFFF00000, negated=True)]),
        ("ct mark & 0x1 == 0x1", [matches.Mark(of="connection", value=1, mask=1)]),
        ("ct state established,related", [matches.CtState(states=frozenset(("ESTABLISHED", "RELATED")))]),
        ("ct state 0x2,0x4", [matches.CtState(states=frozenset(("ESTABLISHED", "RELATED")))]),
        ("ct state != invalid", [matches.CtState(states=frozenset(("INVALID",)), negated=True)]),
        ("ct status dnat", [matches.CtState(states=frozenset(("DNAT",)))]),
        ("ct status assured", [matches.CtStatus(statuses=frozenset(("ASSURED",)))]),
        ("ct direction reply", [matches.CtDirection(direction="reply")]),
        (
            "ct original ip saddr 1.2.3.4",
            [matches.CtAddress(direction="original", side="src", networks=(ip_network("1.2.3.4/32"),))],
        ),
        ("ct reply proto-dst 80", [matches.CtPorts(direction="reply", side="dst", ranges=(Range(80, 80),))]),
        ("icmp type echo-request", [matches.Protocol(numbers=(1,)), matches.Icmp(version=4, type=8)]),
        ("icmpv6 type 135", [matches.Protocol(numbers=(58,)), matches.Icmp(version=6, type=135)]),
        ("fib daddr type local", [matches.AddrType(dst=frozenset(("LOCAL",)))]),
        ("fib saddr type != local", [matches.AddrType(src=frozenset(("LOCAL",)), src_negated=True)]),
        ("fib saddr . iif oif missing", [matches.RpFilter(negated=True)]),
        ("fib saddr . mark . iif oif 0", [matches.RpFilter(validmark=True, negated=True)]),
        ("fib saddr oif exists", [matches.RpFilter(loose=True)]),
        ("tcp flags syn / fin,syn,rst,ack", [TCP, matches.TcpFlags(mask=0x17, flags=2)]),
        ("tcp flags & (fin | syn) == syn", [TCP, matches.TcpFlags(mask=3, flags=2)]),
        ("meta nfproto ipv4", [matches.IpAddress(side="src", networks=(V4,))]),
        ("limit rate 5/minute burst 7 packets", [matches.Limit(per_day=7200.0, burst=7)]),
        ("limit rate over 1/second", [matches.Limit(per_day=86400.0, negated=True)]),
        ("ip dscp af11", [matches.Dscp(value=10)]),
        ("ip ttl 1-3", [matches.Ttl(values=Range(1, 3))]),
        ("meta length > 1000", [matches.Length(bytes=Range(1001, 65535))]),
        ("meta skuid 1000", [matches.Owner(of="uid", ids=Range(1000, 1000))]),
        ("meta pkttype broadcast", [matches.PacketType(type="broadcast")]),
        ("socket transparent 1", [matches.Socket(transparent=True)]),
        ('counter comment "a; b"', [matches.Always(module="counter"), matches.Comment(text="a; b")]),
    ],
)
def test_common_conditions_are_typed(condition: str, expected: list[Match]) -> None:
    assert meaning(condition) == expected
    all_words_are_shared_out(nft_spec(condition))


@pytest.mark.parametrize(
    "condition",
    [
        "ip saddr & 255.0.0.255 == 1.0.0.4",
        "meta mark { 0x1, 0x2 }",
        "ip saddr . tcp dport { 1.2.3.4 . 22, 1.2.3.5 . 80-90 }",
        "icmp type { echo-request, redirect }",
        "ct state != established,related",
        "tcp dport ssh-like-name",
        "@th,16,8 0x5",
        "xt match set",
        'quota name "q"',
        "limit rate over 1 mbytes/second burst 5 kbytes",
        "ct count over 20",
        "meter m size 1000 { ip saddr ct count over 3 }",
        "update @m { ip saddr limit rate over 10/second }",
        "numgen random mod 0 5",
        "future thing 5",
    ],
)
def test_what_is_not_understood_in_full_stays_unknown_with_its_words(condition: str) -> None:
    read = nft_spec(condition + " accept")
    assert not read.exact
    assert read.target is not None and read.target.name == "ACCEPT"
    all_words_are_shared_out(read)


def address_range(first: str, last: str | None = None, ports: Range | None = None) -> NatRange:
    return NatRange(ip_address(first), ip_address(last or first), ports)


@pytest.mark.parametrize(
    ("statement", "name", "action"),
    [
        ("meta mark set 0x200", "MARK", SetMark("packet", 0x200, 0xFFFFFFFF)),
        ("meta mark set meta mark & 0xfff0ffff", "MARK", SetMark("packet", 0, 0xF0000)),
        ("meta mark set meta mark | 0x10000", "MARK", SetMark("packet", 0x10000, 0x10000)),
        ("meta mark set meta mark ^ 0x4000", "MARK", SetMark("packet", 0x4000, 0)),
        ("meta mark set mark and 0xfffff xor 0x100000", "MARK", SetMark("packet", 0x100000, 0xFFF00000)),
        ("meta mark set (meta mark & 0xff) | 0x1", "MARK", SetMark("packet", 1, 0xFFFFFF01)),
        ("meta mark set ct mark", "MARK", targets.CopyMark(restore=True)),
        ("ct mark set meta mark & 0xff", "CONNMARK", targets.CopyMark(restore=False, packet_mask=0xFF)),
        ("meta mark set jhash ip saddr mod 16 seed 0x1", "MARK", None),
        ("meta mark set tcp dport map { 22 : 0x1 }", "MARK", None),
        ("masquerade", "MASQUERADE", targets.Nat("masquerade")),
        (
            "masquerade fully-random",
            "MASQUERADE",
            targets.Nat("masquerade", flags=frozenset(("random-fully",))),
        ),
        (
            "dnat ip to 10.0.0.1:80",
            "DNAT",
            targets.Nat("dnat", (address_range("10.0.0.1", ports=Range(80, 80)),)),
        ),
        (
            "dnat to [fe80::1]:80",
            "DNAT",
            targets.Nat("dnat", (address_range("fe80::1", ports=Range(80, 80)),)),
        ),
        ("snat to 1.1.1.1-1.1.1.9", "SNAT", targets.Nat("snat", (address_range("1.1.1.1", "1.1.1.9"),))),
        ("redirect to :8080", "REDIRECT", targets.Nat("redirect", (NatRange(ports=Range(8080, 8080)),))),
        ("dnat to numgen random mod 2 map { 0 : 1.1.1.1, 1 : 2.2.2.2 }", "DNAT", None),
        ("reject with icmp type admin-prohibited", "REJECT", targets.Reject("icmp-admin-prohibited")),
        ("reject with tcp reset", "REJECT", targets.Reject("tcp-reset")),
        ("reject", "REJECT", targets.Reject()),
        ("notrack", "NOTRACK", targets.Track(notrack=True)),
        ('log prefix "x " level info flags all', "LOG", targets.Log("x ", "info")),
        ("queue flags bypass to 1-3", "QUEUE", targets.Queue(Range(1, 3), True)),
        ("add @seen { ip saddr timeout 10s }", "SET", targets.ChangeSet("seen", ("src",), True)),
        ("ip dscp set cs1", "DSCP", targets.SetField("dscp", 8)),
        ("tcp option maxseg size set rt mtu", "TCPMSS", targets.SetField("mss")),
    ],
)
def test_targets_say_what_they_do(statement: str, name: str, action: targets.Action | None) -> None:
    read = nft_spec(statement)
    assert [(one.name, one.action) for one in read.targets] == [(name, action)]
    assert read.matches == ()
    all_words_are_shared_out(read)


def test_a_change_before_a_condition_is_made_in_any_case() -> None:
    read = nft_spec("meta mark set 0x1 ip saddr 1.2.3.4 drop")
    assert not read.exact


def test_a_verdict_map_gives_its_key_and_elements() -> None:
    read = nft_spec("ct state vmap { invalid : drop, new : goto web }")
    (target,) = read.targets
    assert (target.name, target.action) == ("VMAP", None)
    assert [one.values for one in target.options] == [
        ("ct", "state"),
        ("invalid", "drop"),
        ("new", "goto web"),
    ]
    named = nft_spec("iifname vmap @dispatch")
    assert named.targets[0].options[1] == values.Option("map", ("@dispatch",))


def test_jump_and_goto_keep_their_verbs() -> None:
    assert nft_spec("goto web").verb == "goto"
    assert nft_spec("counter jump web").target is not None


def test_all_words_of_a_listing_are_shared_out() -> None:
    for ruleset in text(CALICO).rulesets or ():
        for table in ruleset.tables:
            for chain in table.chains.values():
                for rule in chain.rules:
                    all_words_are_shared_out(nft_spec(rule.text))


WORDS = st.sampled_from(
    [
        *sorted(BEGINNINGS),
        *("{", "}", "{ 80, 443 }", "@s", '"a"', '"', "==", "!=", "&", "|", "0x1", "80", "1.2.3.4", "over"),
        *(
            "saddr",
            "daddr",
            "dport",
            "type",
            "state",
            "set",
            "map",
            "vmap",
            ".",
            ":",
            "to",
            "with",
            "original",
        ),
        *("prefix", "option", "maxseg", "size", "mod", "(fin", "syn)", "-", "/", "rate", "5/minute", "oif"),
    ]
)


@given(st.lists(WORDS, max_size=12))
@example(["exthdr", "quota", "-"])  # a range that ends in the middle
def test_any_row_of_words_is_read_and_none_is_lost(row: list[str]) -> None:
    rule = " ".join(row)
    read = nft_spec(rule)
    assert read.words == tuple(unquoted(word) for word in words(rule))
    all_words_are_shared_out(read)


@given(st.text(max_size=60))
def test_any_text_is_read(rule: str) -> None:
    all_words_are_shared_out(nft_spec(rule))

"""What one rule says: matches in order, typed where calitop knows them; no word lost."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.formats.spec import comments, spec, spec_of_text
from calitop.formats.words import split
from calitop.model import matches, targets, values
from calitop.model.matches import Match
from calitop.model.rules import Rule
from calitop.model.spec import RuleSpec
from calitop.model.targets import NatRange, Target
from calitop.model.values import NamePattern, Option, Range
from tests.formats.iptables_rules import rule_texts


def matches_of(words: str) -> tuple[Match, ...]:
    """The matches of a rule, without their words."""
    return spec_of_text(f"-A X {words}").matches


def match(words: str) -> Match:
    """The one match of a rule."""
    (found,) = matches_of(words)
    return found


def bare(found: Match) -> Match:
    """The same match without its words, for comparing."""
    return type(found)(
        **{name: getattr(found, name) for name in _fields(found) if name not in ("words", "at")}
    )


def _fields(found: Match) -> tuple[str, ...]:
    return tuple(found.__dataclass_fields__)


def target(words: str) -> Target:
    """The target of a rule."""
    found = spec_of_text(f"-A X {words}").target
    assert found is not None
    return found


def net(*words: str) -> tuple[values.Network, ...]:
    """Networks by their texts."""
    return tuple(ip_network(word) for word in words)


def assert_every_word_has_one_owner(said: RuleSpec) -> None:
    owned = [place for one in said.matches for place in one.at]
    owned += [place for one in said.targets for place in one.at]
    shared = sorted([*said.head, *(said.words[place] for place in owned)])
    assert len(owned) == len(set(owned))
    assert shared == sorted(said.words)
    pairs = [(one.words, one.at) for one in said.matches] + [(one.words, one.at) for one in said.targets]
    for words, at in pairs:
        assert words == tuple(said.words[place] for place in at)


@given(rule_texts)
def test_every_word_has_exactly_one_owner(text: str) -> None:
    said = spec_of_text(text)
    assert list(said.words) == split(text)
    assert_every_word_has_one_owner(said)


@given(st.text().map(lambda words: "-A INPUT " + words))
def test_every_word_of_any_text_has_exactly_one_owner(text: str) -> None:
    assert_every_word_has_one_owner(spec_of_text(text))


@given(rule_texts)
def test_matches_stand_in_the_order_of_the_source(text: str) -> None:
    places = [one.at[0] for one in spec_of_text(text).matches]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-s 10.0.0.0/8", matches.IpAddress(side="src", networks=net("10.0.0.0/8"))),
        ("! -s 10.0.0.0/8", matches.IpAddress(side="src", networks=net("10.0.0.0/8"), negated=True)),
        ("-d ! 10.0.0.1", matches.IpAddress(side="dst", networks=net("10.0.0.1/32"), negated=True)),
        ("-d 10.0.0.0/255.255.240.0", matches.IpAddress(side="dst", networks=net("10.0.0.0/20"))),
        ("-d 10.1.2.3/8", matches.IpAddress(side="dst", networks=net("10.0.0.0/8"))),
        ("-d 10/8", matches.IpAddress(side="dst", networks=net("10.0.0.0/8"))),
        ("-s 0.0.0.0/0", matches.IpAddress(side="src", networks=net("0.0.0.0/0"))),
        ("-s 0.0.0.0/1", matches.IpAddress(side="src", networks=net("0.0.0.0/1"))),
        ("-s 1.2.3.4,5.6.7.0/24", matches.IpAddress(side="src", networks=net("1.2.3.4/32", "5.6.7.0/24"))),
        ("--source fd00::/8", matches.IpAddress(side="src", networks=net("fd00::/8"))),
        ("-d ::ffff:10.0.0.1/128", matches.IpAddress(side="dst", networks=net("::ffff:10.0.0.1/128"))),
        ("-s fe80::/ffc0::", matches.IpAddress(side="src", networks=net("fe80::/10"))),
        ("-i cali+", matches.Interface(way="in", names=(NamePattern("cali", True),))),
        ("! -o eth0", matches.Interface(way="out", names=(NamePattern("eth0"),), negated=True)),
        ("-i ! eth0", matches.Interface(way="in", names=(NamePattern("eth0"),), negated=True)),
        ("-i +", matches.Interface(way="in", names=(NamePattern("", True),))),
        ("-p tcp", matches.Protocol(numbers=(6,))),
        ("-p ipencap", matches.Protocol(numbers=(4,))),
        ("-p ipv4", matches.Protocol(numbers=(4,))),
        ("-p 4", matches.Protocol(numbers=(4,))),
        ("! -p ipv6-icmp", matches.Protocol(numbers=(58,), negated=True)),
        ("-p all", matches.Protocol(numbers=(0,))),
        ("-f", matches.Fragment()),
        ("! -f", matches.Fragment(negated=True)),
        ("-m mark --mark 0x10000/0x10000", matches.Mark(of="packet", value=0x10000, mask=0x10000)),
        (
            "-m mark ! --mark 0x0/0xfff00000",
            matches.Mark(of="packet", value=0, mask=0xFFF00000, negated=True),
        ),
        ("-m mark --mark ! 0x1", matches.Mark(of="packet", value=1, negated=True)),
        ("-m connmark --mark 0x80/0x80", matches.Mark(of="connection", value=0x80, mask=0x80)),
        ("-m state --state NEW", matches.CtState(states=frozenset({"NEW"}))),
        (
            "-m conntrack ! --ctstate DNAT,RELATED",
            matches.CtState(states=frozenset({"DNAT", "RELATED"}), negated=True),
        ),
        ("-m conntrack --ctstatus SEEN_REPLY", matches.CtStatus(statuses=frozenset({"SEEN_REPLY"}))),
        ("-m conntrack --ctdir REPLY", matches.CtDirection(direction="reply")),
        ("-m conntrack --ctproto 17", matches.CtProtocol(numbers=(17,))),
        (
            "-m conntrack --ctorigdst 10.96.0.0/12",
            matches.CtAddress(direction="original", side="dst", networks=net("10.96.0.0/12")),
        ),
        (
            "-m conntrack --ctrepldstport 80:90",
            matches.CtPorts(direction="reply", side="dst", ranges=(Range(80, 90),)),
        ),
        ("-m conntrack --ctexpire 5:10", matches.CtExpire(seconds=Range(5, 10))),
        (
            "-m set ! --match-set cali40all-ipam-pools dst",
            matches.InSet(name="cali40all-ipam-pools", directions=("dst",), negated=True),
        ),
        (
            "-m set --match-set x src,dst,src --return-nomatch",
            matches.InSet(name="x", directions=("src", "dst", "src"), return_nomatch=True),
        ),
        ("-m set --set old dst", matches.InSet(name="old", directions=("dst",))),
        (
            "-m addrtype ! --src-type LOCAL --limit-iface-out",
            matches.AddrType(src=frozenset({"LOCAL"}), src_negated=True, limit="out"),
        ),
        ("-m addrtype --dst-type LOCAL", matches.AddrType(dst=frozenset({"LOCAL"}))),
        ("-m rpfilter --validmark --invert", matches.RpFilter(validmark=True, negated=True)),
        ("-m rpfilter --loose --accept-local", matches.RpFilter(loose=True, accept_local=True)),
        ("-m physdev --physdev-in vif+", matches.Physdev(way="in", names=(NamePattern("vif", True),))),
        ("-m physdev ! --physdev-is-bridged", matches.Physdev(way=None, fact="is-bridged", negated=True)),
        ("-m mac --mac-source 00:11:22:AA:BB:CC", matches.Mac(address="00:11:22:aa:bb:cc")),
        ("-m length --length 100:", matches.Length(bytes=Range(100, 65535))),
        ("-m ttl --ttl-lt 5", matches.Ttl(values=Range(0, 4))),
        ("-m hl --hl-eq 255", matches.Ttl(values=Range(255, 255))),
        (
            "-m iprange ! --src-range 10.0.0.1-10.0.0.9",
            matches.AddressRange(
                side="src", first=ip_address("10.0.0.1"), last=ip_address("10.0.0.9"), negated=True
            ),
        ),
        ("-m owner --uid-owner 0", matches.Owner(of="uid", ids=Range(0, 0))),
        ("-m owner ! --gid-owner 100-200", matches.Owner(of="gid", ids=Range(100, 200), negated=True)),
        ("-m owner --uid-owner tor", matches.Owner(of="uid", name="tor")),
        ("-m socket --transparent", matches.Socket(transparent=True)),
        ("-m statistic --mode random --probability 0.5", matches.Statistic(probability=0.5)),
        ("-m statistic --mode nth --every 3 --packet 1", matches.Statistic(every=3, packet=1)),
        ("-m limit --limit 3/hour --limit-burst 7", matches.Limit(per_day=72.0, burst=7)),
        ("-m dscp --dscp 0x2e", matches.Dscp(value=46)),
        ("-m tos --tos 0x10/0x3f", matches.Tos(value=0x10, mask=0x3F)),
        ("-m pkttype --pkt-type broadcast", matches.PacketType(type="broadcast")),
        ("-m devgroup --src-group 0x1", matches.DeviceGroup(way="in", value=1)),
        ('-m comment --comment "two words"', matches.Comment(text="two words")),
    ],
)
def test_match(words: str, expected: Match) -> None:
    found = match(words)
    assert bare(found) == expected
    assert found.words == tuple(split(words))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-p tcp -m tcp --dport 80", [matches.Ports(side="dst", ranges=(Range(80, 80),))]),
        ("-p tcp --dport 80:90", [matches.Ports(side="dst", ranges=(Range(80, 90),))]),
        (
            "-p udp -m udp ! --sport :1023",
            [matches.Ports(side="src", ranges=(Range(0, 1023),), negated=True)],
        ),
        ("-p sctp --destination-port 1:", [matches.Ports(side="dst", ranges=(Range(1, 65535),))]),
        ("-p tcp --dport domain", [matches.Ports(side="dst", ranges=(Range(53, 53),))]),
        (
            "-p tcp -m multiport ! --dports 80,443:445",
            [matches.Ports(side="dst", ranges=(Range(80, 80), Range(443, 445)), negated=True)],
        ),
        ("-p udp -m multiport --ports 53", [matches.Ports(side=None, ranges=(Range(53, 53),))]),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", [matches.TcpFlags(mask=0x17, flags=2)]),
        ("-p tcp -m tcp ! --tcp-flags ALL NONE", [matches.TcpFlags(mask=63, flags=0, negated=True)]),
        ("-p tcp ! --syn", [matches.TcpFlags(mask=0x17, flags=2, negated=True)]),
        ("-p icmp -m icmp --icmp-type 8", [matches.Icmp(version=4, type=8)]),
        ("-p icmp --icmp-type 3/4", [matches.Icmp(version=4, type=3, codes=Range(4, 4))]),
        ("-p icmp --icmp-type any", [matches.Icmp(version=4, type=None)]),
        ("-p icmp --icmp-type echo-request", [matches.Icmp(version=4, type=8)]),
        ("-p ipv6-icmp -m icmp6 --icmpv6-type 135", [matches.Icmp(version=6, type=135)]),
        ("-p tcp -m tcp", [matches.Always(module="tcp")]),
        (
            "-p tcp -m tcp --sport 1 --dport 2",
            [
                matches.Ports(side="src", ranges=(Range(1, 1),)),
                matches.Ports(side="dst", ranges=(Range(2, 2),)),
            ],
        ),
    ],
)
def test_match_of_a_protocol(words: str, expected: list[Match]) -> None:
    assert [bare(found) for found in matches_of(words)[1:]] == expected


@pytest.mark.parametrize(
    ("words", "module"),
    [
        ("-m recent --update --seconds 60 --name SSH --rsource", "recent"),
        ("-m hashlimit --hashlimit-upto 5/min --hashlimit-mode srcip --hashlimit-name x", "hashlimit"),
        ("-m time --timestart 08:00 --timestop 18:00", "time"),
        ('-m string --string "a b" --algo bm --to 100', "string"),
        ('-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"', "bpf"),
        ('-m u32 --u32 "0x0>>0x1=0x2"', "u32"),
        ("-m ecn --ecn-tcp-cwr", "ecn"),
        ("-m cgroup --path a/b", "cgroup"),
        ("-m nfacct --nfacct-name n", "nfacct"),
        ("-m helper --helper ftp", "helper"),
        ("-m ipvs --vaddr 10.0.0.1 --vport 80", "ipvs"),
        ("-m esp --espspi 1:5", "esp"),
        ("-m policy --dir in --pol ipsec --proto esp --mode tunnel", "policy"),
        ("-m unheard --of x y ! --this", "unheard"),
        ("-s 10.0.0.0/255.0.255.0", None),
        ("-s 10.0.0.0/0.0.0.255", None),
        ("-s a.name.example", None),
        ("-p unheard", None),
        ("-m mark --mark 0x1ffffffff", "mark"),
        ("-m statistic --mode random --probability 7", "statistic"),
        ("-m conntrack --ctstate NEW,ODD", "conntrack"),
        ("-m addrtype --limit-iface-in", "addrtype"),
        ("-m state", "state"),
        ("--something-else 1 2", None),
    ],
)
def test_what_is_not_understood_in_full_keeps_its_words(words: str, module: str | None) -> None:
    found = match(words)
    assert isinstance(found, matches.Unknown)
    assert found.module == module
    assert found.words == tuple(split(words))
    assert not spec_of_text(f"-A X {words}").exact


def test_several_matches_of_one_module_stay_several() -> None:
    words = "-m set --match-set a src -m set ! --match-set b dst -m mark --mark 1 -m mark ! --mark 2"
    assert [(type(one).__name__, one.negated) for one in matches_of(words)] == [
        ("InSet", False),
        ("InSet", True),
        ("Mark", False),
        ("Mark", True),
    ]


def test_matches_after_the_target_count() -> None:
    said = spec_of_text('-A X -j LOG --log-prefix "p " -s 10.0.0.1 -m comment --comment late')
    assert [type(one).__name__ for one in said.matches] == ["IpAddress", "Comment"]
    assert said.target is not None
    assert said.target.options == (Option("log-prefix", ("p ",)),)
    assert said.target.words == ("-j", "LOG", "--log-prefix", "p ")


def test_options_go_to_the_module_that_owns_them() -> None:
    said = spec_of_text("-A X -p tcp -m tcp -m comment --comment a --dport 80 -m comment --comment b")
    kinds = [type(one).__name__ for one in said.matches]
    assert kinds == ["Protocol", "Ports", "Comment", "Comment"]
    assert said.matches[1].words == ("-m", "tcp", "--dport", "80")
    assert said.comments == ("a", "b")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--comment plain", "plain"),
        ('--comment "two words"', "two words"),
        ('--comment "a \\"b\\" \\\\ \\\'c"', 'a "b" \\ \'c'),
        ('--comment "\\""', '"'),
        ('--comment "!"', "!"),
        ('--comment "User: "', "User: "),
        ("--comment -j", "-j"),
        ('--comment "-j DROP"', "-j DROP"),
        ('--comment ""', ""),
        ('--comment "[bold] \x1b[31m"', "[bold] \x1b[31m"),
    ],
)
def test_comment(words: str, text: str) -> None:
    line = f"-A X -m comment {words} -j ACCEPT"
    said = spec_of_text(line)
    assert said.comments == (text,)
    assert comments(Rule(line, 1)) == (text,)
    assert said.target is not None and said.target.name == "ACCEPT"


@pytest.mark.parametrize(
    ("words", "value", "mask", "before", "after"),
    [
        ("--set-xmark 0x4000/0x0", 0x4000, 0, 0x4000, 0),
        ("--set-xmark 0x0/0x1b0000", 0, 0x1B0000, 0xFFFFFFFF, 0xFFE4FFFF),
        ("--set-xmark 0x10000/0x10000", 0x10000, 0x10000, 0xF, 0x1000F),
        ("--set-mark 0x1/0x2", 1, 3, 0x2, 0x1),
        ("--set-mark 7", 7, 0xFFFFFFFF, 0xFF00, 7),
        ("--and-mark 0xff", 0, 0xFFFFFF00, 0xABCD, 0xCD),
        ("--or-mark 0xf0", 0xF0, 0xF0, 0x10F, 0x1FF),
        ("--xor-mark 0x3", 3, 0, 1, 2),
    ],
)
def test_mark_arithmetic(words: str, value: int, mask: int, before: int, after: int) -> None:
    action = target(f"-j MARK {words}").action
    assert action == targets.SetMark("packet", value, mask)
    assert isinstance(action, targets.SetMark) and action.apply(before) == after


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-j CONNMARK --set-xmark 0x1/0x1", targets.SetMark("connection", 1, 1)),
        ("-j CONNMARK --save-mark", targets.CopyMark(False)),
        (
            "-j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xf00",
            targets.CopyMark(True, packet_mask=0xF0, connection_mask=0xF00),
        ),
        ("-j CONNMARK --restore-mark --mask 0xf", targets.CopyMark(True, 0xF, 0xF)),
        ("-j CT --notrack", targets.Track(notrack=True)),
        ("-j CT --helper pptp", targets.Track(helper="pptp")),
        ("-j NOTRACK", targets.Track(notrack=True)),
        (
            "-j DNAT --to-destination 10.0.0.1:80",
            targets.Nat("dnat", (NatRange(ip_address("10.0.0.1"), ip_address("10.0.0.1"), Range(80, 80)),)),
        ),
        (
            "-j DNAT --to-destination [fd00::1]:80",
            targets.Nat("dnat", (NatRange(ip_address("fd00::1"), ip_address("fd00::1"), Range(80, 80)),)),
        ),
        ("-j DNAT --to-destination :8080", targets.Nat("dnat", (NatRange(ports=Range(8080, 8080)),))),
        (
            "-j SNAT --to-source 10.0.0.1-10.0.0.9:1-100 --random-fully",
            targets.Nat(
                "snat",
                (NatRange(ip_address("10.0.0.1"), ip_address("10.0.0.9"), Range(1, 100)),),
                flags=frozenset({"random-fully"}),
            ),
        ),
        ("-j MASQUERADE", targets.Nat("masquerade")),
        (
            "-j MASQUERADE --to-ports 1024-65535 --random-fully",
            targets.Nat(
                "masquerade", (NatRange(ports=Range(1024, 65535)),), flags=frozenset({"random-fully"})
            ),
        ),
        ("-j REDIRECT --to-ports 80", targets.Nat("redirect", (NatRange(ports=Range(80, 80)),))),
        ("-j NETMAP --to 10.0.0.0/24", targets.Nat("netmap", network=ip_network("10.0.0.0/24"))),
        ("-j REJECT", targets.Reject()),
        ("-j REJECT --reject-with tcp-reset", targets.Reject("tcp-reset")),
        (
            "-j TPROXY --on-port 1000 --on-ip 127.0.0.1 --tproxy-mark 0x200/0xffffffff",
            targets.Tproxy(ip_address("127.0.0.1"), 1000, targets.SetMark("packet", 0x200, 0xFFFFFFFF)),
        ),
        ('-j LOG --log-prefix "[UFW] " --log-level 5', targets.Log("[UFW] ", "5")),
        ("-j NFLOG --nflog-group 2 --nflog-prefix a", targets.Log("a", group=2)),
        ("-j NFQUEUE --queue-balance 0:3 --queue-bypass", targets.Queue(Range(0, 3), True)),
        ("-j TCPMSS --clamp-mss-to-pmtu", targets.SetField("mss")),
        ("-j TCPMSS --set-mss 1400", targets.SetField("mss", 1400)),
        ("-j DSCP --set-dscp 0x2e", targets.SetField("dscp", 46)),
        ("-j CHECKSUM --checksum-fill", targets.SetField("checksum")),
        ("-j TOS --set-tos 0x10/0x3f", targets.SetField("tos", 0x10, 0x3F)),
        ("-j SET --add-set seen src,dst --exist", targets.ChangeSet("seen", ("src", "dst"), True)),
        ("-j ACCEPT", None),
        ("-j cali-FORWARD", None),
        ("-j CLUSTERIP --new --hashmode sourceip", None),
        ("-j DNAT --to-destination somewhere", None),
        ("-j DNAT --to-destination :0 --persistent --to-destination 0.0.0.0 --persistent", None),
        ("-g MARK", None),
    ],
)
def test_target(words: str, expected: targets.Action | None) -> None:
    found = target(words)
    assert found.action == expected
    assert found.words == tuple(split(words))


def test_goto_and_jump_differ() -> None:
    assert [target(words).verb for words in ("-j x", "-g x", "--jump x", "--goto x")] == [
        "jump",
        "goto",
        "jump",
        "goto",
    ]
    assert spec_of_text("-A X -s 10.0.0.1").verb is None


def test_device_patterns() -> None:
    assert NamePattern("cali", True).fits("cali12")
    assert not NamePattern("eth0").fits("eth01")
    assert NamePattern("", True).fits("anything")


def test_a_spec_is_made_once() -> None:
    rule = Rule("-A X -j ACCEPT", 1)
    assert spec(rule) is spec(Rule("-A X -j ACCEPT", 2))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("-j", "'-j' lacks its value"),
        ("-m mark --mark", "'--mark' lacks its value"),
        ('-m comment --comment "open', "a quote is not closed"),
        ("-s 10.0.0.1 stray", "stray word 'stray'"),
    ],
)
def test_broken_rules_say_what_is_broken(words: str, problem: str) -> None:
    assert spec_of_text(f"-A X {words}").problems == (problem,)

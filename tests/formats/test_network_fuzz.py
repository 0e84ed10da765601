"""Every format of the network meets broken texts: it answers, with facts or with problems."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.formats.catalogue import Format, formats
from calitop.formats.fragment import Fragment
from tests.formats import (
    test_bpf,
    test_ip_links,
    test_ip_routes,
    test_ip_rules,
    test_ipsets,
    test_pods,
    test_statistics,
)

OTHERS = ("iptables", "nft_")
"""Formats of rules have fuzz tests of their own."""


def network_formats() -> list[Format]:
    """The formats that these tests are about."""
    return [fmt for fmt in formats() if not short_name(fmt).startswith(OTHERS)]


def short_name(fmt: Format) -> str:
    return str(getattr(fmt, "__name__", "")).rpartition(".")[2]


ROUTE_JSON = (
    '[{"type":"unicast","dst":"10.1.0.0/16","via":{"family":"inet6","host":"fe80::5"},"dev":"d0","table":"9",'
    '"protocol":"80","scope":"global","metric":5,"flags":["onlink"],"metrics":[{"mtu":1400}],"encap":"ip"},'
    '{"dst":"default","nhid":14,"flags":[],"nexthops":[{"gateway":"10.0.0.2","dev":"d0","weight":1}]}]'
)
LINK_JSON = (
    '[{"ifindex":9,"link_index":3,"ifname":"lxc1","flags":["UP"],"mtu":1500,"address":"02:00:00:00:00:01",'
    '"linkinfo":{"info_kind":"vxlan","info_data":{"id":5,"port_range":{"low":0,"high":9}}},'
    '"stats64":{"rx":{"bytes":1,"packets":2},"tx":{"bytes":3}},"xdp":{"prog":{"id":1}},'
    '"addr_info":[{"family":"inet","local":"10.0.0.1","address":"10.0.0.2","prefixlen":24}]}]'
)
POD_JSON = (
    '{"apiVersion":"v1","kind":"List","items":[{"kind":"Pod","metadata":{"name":"a","namespace":"n"},'
    '"spec":{"nodeName":"n1"},"status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"}]}}]}'
)
SEEDS = [
    ROUTE_JSON,
    LINK_JSON,
    POD_JSON,
    test_ip_routes.MULTIPATH + "10.9.7.0/24 encap ip id 3 dst 1.1.1.1 dev d0 mtu lock 1300 pref high\n",
    test_ip_routes.ROUTE_N,
    test_ip_links.GREPPED + test_ip_links.DETAILED,
    test_ip_links.ADDRESSES,
    "lo               UNKNOWN        127.0.0.1/8 ::1/128\nv0@if7 UP 10.1.1.1 peer 10.1.1.2/32\n",
    test_ip_rules.TEXT,
    test_ip_rules.JSON,
    "10.0.0.2 dev d0 lladdr 02:00:00:00:00:02 used 0/0/0probes 0 PERMANENT\n",
    "? (10.0.0.2) at 02:00:00:00:00:02 [ether] PERM on d0\n10.0.0.9 ether 02:00:00:00:00:02 CM d0\n",
    test_ipsets.CREATE + 'add x 1.1.1.1 comment "a"\nswap x y\ndel x 1.1.1.1\nrename x z\nflush\ndestroy\n',
    test_ipsets.LIST,
    test_statistics.NETSTAT,
    test_statistics.CONNTRACK,
    "cpu=0 found=1 invalid=2\n0000154e 00000001 0000000a" + " 00000000" * 6 + "\n",
    "net.ipv4.ip_forward = 1\n/proc/sys/net/ipv4/conf/eth0.5/rp_filter:2\n",
    test_bpf.TC,
    test_bpf.JSON,
    test_bpf.TEXT,
    test_pods.WIDE,
    "Mon Nov 23 11:29:21 UTC 2026\n2026-11-23 01:29:21.123456 +08:00\n",
    "Linux k8s-work2 6.1.0-13-amd64 #1 SMP x86_64 GNU/Linux\nk8s-work2\n",
    "-rw------- 1 root root  190 Nov  3 10:12 05-cilium.conflist\n",
    "eth0:136744427 5307 1 2 0 0 0 0 445989 3634 3 4 0 0 0 0\n",
    '{"kernel":{"IpInReceives":5331}}',
]
WORDS = [
    *["", " ", "\t", "\n", "\r\n", "\0", "\x1b[31m", "\\", '"', "'", "{", "}", "[", "]", ",", ":", "/", "="],
    *["²", "٣", "é", "\ufeff", "\ud800", "0x", "-1", "1e9", "NaN", "Infinity", "9" * 5000, "null", "true"],
    *["nexthop", "via", "dev", "default", "10.0.0.0/99", "::/0", "fe80::%d0/64", "999.1.1.1", "src=", "#"],
]


def mutated(text: str, dice: random.Random) -> str:
    """The text with a few pieces cut out, doubled, swapped or replaced."""
    for _ in range(dice.randint(1, 4)):
        start, end = sorted((dice.randint(0, len(text)), dice.randint(0, len(text))))
        end = min(end, start + dice.choice((1, 3, 20, 400)))
        piece = dice.choice((dice.choice(WORDS), text[start:end] * 2, text[:start][-30:], ""))
        text = text[:start] + piece + text[end:]
    return text


def check(fmt: Format, text: str) -> None:
    """The answer is a fragment whose problems point into the text."""
    assert fmt.looks_like(text) in (True, False)
    fragment = fmt.parse(text)
    assert isinstance(fragment, Fragment)
    lines = text.count("\n") + 1
    assert all(problem.line is None or 1 <= problem.line <= lines for problem in fragment.problems)
    assert all(problem.why for problem in fragment.problems)


@pytest.mark.parametrize("fmt", network_formats(), ids=short_name)
def test_mutated_texts_never_break_a_reader(fmt: Format) -> None:
    dice = random.Random(short_name(fmt))
    for round_ in range(400):
        check(fmt, mutated(SEEDS[round_ % len(SEEDS)], dice))


@pytest.mark.parametrize("fmt", network_formats(), ids=short_name)
@given(text=st.text())
def test_any_text_gets_an_answer(fmt: Format, text: str) -> None:
    check(fmt, text)


NESTED = [
    "[" * 100_000,
    '{"dst":' * 20_000,
    '[{"dst":"' + "1" * 100_000,
    "{}," * 30_000,
    '[{"dst":"10.0.0.0/24" x},' * 2_000,
    "a" * 200_000,
    "10.0.0.0/8 " * 20_000,
    "default\n" * 20_000,
    "Name: \n" * 20_000,
    ": " * 50_000,
    "1: a: <" + "A," * 50_000,
    "filter " * 30_000,
    "x=" * 50_000,
    "-" * 100_000,
]


@pytest.mark.parametrize("fmt", network_formats(), ids=short_name)
def test_no_text_makes_a_reader_hang(fmt: Format) -> None:
    for text in NESTED:
        begin = time.perf_counter()
        check(fmt, text)
        assert time.perf_counter() - begin < 5, text[:20]


@pytest.mark.parametrize("text", SEEDS, ids=lambda text: text[:20].strip())
def test_a_text_with_windows_line_ends_tells_the_same(text: str) -> None:
    for fmt in network_formats():
        if fmt.looks_like(text):
            unix, windows = fmt.parse(text), fmt.parse(text.replace("\n", "\r\n"))
            assert [problem.line for problem in unix.problems] == [p.line for p in windows.problems]
            assert facts(unix) == facts(windows)


def facts(fragment: Fragment) -> list[object]:
    """All that a fragment tells, without its problems."""
    silent = Fragment()
    names = [name for name in vars(silent) if name not in ("problems", "richness", "warnings", "extra")]
    return [getattr(fragment, name) for name in names]


@pytest.mark.parametrize("text", SEEDS, ids=lambda text: text[:20].strip())
def test_at_most_one_format_takes_a_text_for_its_own(text: str) -> None:
    assert len([fmt for fmt in formats() if fmt.looks_like(text)]) <= 1

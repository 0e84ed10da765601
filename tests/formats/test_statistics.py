from __future__ import annotations

from pathlib import Path

import pytest

from calitop.formats import (
    conntrack_list,
    conntrack_stats,
    nstat,
    proc_netstat,
    proc_snmp,
    proc_snmp6,
    proc_softnet,
    sysctl,
)
from calitop.model.node import ConntrackEntry, FlowTuple
from tests.formats.shared_texts import captures

NETSTAT = (
    "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 7\n"
    "IpExt: InNoRoutes InOctets\nIpExt: 1 18446744073709551615\n"
)


def test_names_and_values_are_paired_by_group() -> None:
    assert proc_netstat.looks_like(NETSTAT)
    assert not proc_snmp.looks_like(NETSTAT)
    fragment = proc_netstat.parse(NETSTAT)
    assert fragment.problems == ()
    assert fragment.stats == {
        "TcpExt.SyncookiesSent": 0,
        "TcpExt.IPReversePathFilter": 7,
        "IpExt.InNoRoutes": 1,
        "IpExt.InOctets": 2**64 - 1,
    }


def test_snmp_has_negative_values() -> None:
    text = "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoMax MaxConn\nTcp: 120000 -1\n"
    assert proc_snmp.looks_like(text)
    assert (proc_snmp.parse(text).stats or {})["Tcp.MaxConn"] == -1


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("TcpExt: A B\nTcpExt: 1\n", [2]),
        ("TcpExt: A B\n", [1]),
        ("TcpExt: A B\nIpExt: C\nIpExt: 1\n", [1]),
        ("TcpExt: A\nTcpExt: x\n", [1, 2]),
        ("prose\nTcpExt: A\nTcpExt: 1\n", [1]),
    ],
)
def test_a_cut_group_is_reported(text: str, lines: list[int]) -> None:
    assert [problem.line for problem in proc_netstat.parse(text).problems] == lines


def test_nstat_glues_the_group_to_the_name() -> None:
    text = "#kernel\nIpInReceives           5331               0.0\nTcpExtIPReversePathFilter 3 0.0\n"
    expected = {"Ip.InReceives": 5331, "TcpExt.IPReversePathFilter": 3}
    assert nstat.looks_like(text)
    assert nstat.parse(text).stats == expected
    as_json = '{"kernel":{"IpInReceives":5331,"TcpExtIPReversePathFilter":3}}'
    assert nstat.looks_like(as_json)
    assert nstat.parse(as_json).stats == expected
    assert nstat.dotted("Ip6InOctets") == "Ip6.InOctets"
    assert nstat.dotted("IcmpMsgInType8") == "IcmpMsg.InType8"
    assert nstat.dotted("Strange") == "Strange"


def test_snmp6_is_a_list() -> None:
    text = "Ip6InReceives                   \t1\nIcmp6InMsgs                     \t2\n"
    assert proc_snmp6.looks_like(text)
    assert proc_snmp6.parse(text).stats == {"Ip6.InReceives": 1, "Icmp6.InMsgs": 2}


def test_processors_are_added_up() -> None:
    row = "0000154e 00000001 0000000a " + " ".join(["00000000"] * 10) + "\n"
    assert proc_softnet.looks_like(row * 2)
    assert proc_softnet.parse(row * 2).stats == {
        "Softnet.processed": 2 * 0x154E,
        "Softnet.dropped": 2,
        "Softnet.time_squeeze": 20,
    }
    text = "cpu=0   \tfound=1 invalid=2 insert_failed=3\ncpu=1   \tfound=1 invalid=2 insert_failed=3\n"
    assert conntrack_stats.looks_like(text)
    assert conntrack_stats.parse(text).stats == {
        "Conntrack.found": 2,
        "Conntrack.invalid": 4,
        "Conntrack.insert_failed": 6,
    }


def test_sysctl_keeps_keys_as_printed_and_reports_messages() -> None:
    text = (
        "net.ipv4.conf.eth0/5.rp_filter = 1\nnet.ipv4.tcp_mem = 1\t2\t3\nkernel.core_pattern = \n"
        "sysctl: permission denied on key 'net.ipv4.tcp_fastopen_key'\n"
        'sysctl: reading key "kernel.spl.hostid"\n'
    )
    assert sysctl.looks_like(text)
    fragment = sysctl.parse(text)
    assert fragment.sysctls == {
        "net.ipv4.conf.eth0/5.rp_filter": "1",
        "net.ipv4.tcp_mem": "1\t2\t3",
        "kernel.core_pattern": "",
    }
    assert [problem.line for problem in fragment.problems] == [4, 5]


def test_files_of_proc_sys_get_the_names_that_sysctl_gives_them() -> None:
    text = "/proc/sys/net/ipv4/conf/eth0.5/rp_filter:2\n/proc/sys/net/ipv4/ip_forward:1\n"
    assert sysctl.looks_like(text)
    assert sysctl.parse(text).sysctls == {"net.ipv4.conf.eth0/5.rp_filter": "2", "net.ipv4.ip_forward": "1"}


TCP = (
    "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 packets=3 bytes=4 "
    "src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 [ASSURED] mark=4 zone=7 use=1\n"
)
CONNTRACK = (
    TCP + "icmp     1 28 src=1.1.1.1 dst=1.1.1.2 type=8 code=0 id=6576 [UNREPLIED] src=1.1.1.2 dst=1.1.1.1 "
    "type=0 code=0 id=6576 mark=0 use=1\n"
    "ipv6 10 udp 17 100 src=::1 dst=::2 sport=1 dport=2 src=::2 dst=::1 sport=2 dport=1 mark=0 use=2\n"
    "unknown  4 599 src=1.1.1.1 dst=1.1.1.2 src=1.1.1.2 dst=1.1.1.1 mark=0 use=1\n"
    "conntrack v1.4.7 (conntrack-tools): 4 flow entries have been shown.\n"
)


def test_connections_have_two_directions() -> None:
    assert conntrack_list.looks_like(CONNTRACK)
    fragment = conntrack_list.parse(CONNTRACK)
    assert fragment.problems == ()
    tcp, icmp, udp, other = fragment.conntrack or ()
    assert tcp == ConntrackEntry(
        "tcp",
        "ESTABLISHED",
        FlowTuple("10.0.0.1", "10.0.0.2", 1, 2),
        FlowTuple("10.0.0.2", "10.0.0.1", 2, 1),
        ("ASSURED",),
        4,
        7,
        431999,
        "ipv4",
    )
    assert (icmp.flags, icmp.zone) == (("UNREPLIED",), None)
    assert (icmp.original.icmp_type, icmp.original.icmp_id, icmp.reply.icmp_type) == (8, 6576, 0)
    assert (udp.family, udp.state, udp.original.src) == ("ipv6", None, "::1")
    assert other.protocol == "4"


def test_an_offloaded_connection_has_no_timeout_and_a_cut_one_is_reported() -> None:
    line = (
        "tcp      6 src=1.1.1.1 dst=1.1.1.2 sport=1 dport=2 src=1.1.1.2 dst=1.1.1.1 [OFFLOAD] mark=0 use=1\n"
    )
    fragment = conntrack_list.parse(line + TCP[:80])
    (entry,) = fragment.conntrack or ()
    assert (entry.timeout_s, entry.flags) == (None, ("OFFLOAD",))
    assert [problem.line for problem in fragment.problems] == [2]


@pytest.mark.parametrize("folder", captures(), ids=lambda path: "-".join(path.parts[-3:]))
def test_captures_are_read_whole(folder: Path) -> None:
    for module, name in ((proc_netstat, "netstat"), (proc_snmp, "snmp"), (sysctl, "sysctl")):
        text = (folder / f"{name}.txt").read_text()
        assert module.looks_like(text)
        assert module.parse(text).problems == ()
    stats = proc_netstat.parse((folder / "netstat.txt").read_text()).stats or {}
    assert "TcpExt.IPReversePathFilter" in stats
    flows = (folder / "conntrack-L.txt").read_text()
    assert len(conntrack_list.parse(flows).conntrack or ()) == len(flows.splitlines())

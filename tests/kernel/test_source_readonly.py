"""Nothing is ever written: every system call of a live reading, by strace."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.kernel.netns import Namespace, run

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace"),
]

READ_ONLY = {
    1: {1, 4, 5, 6},  # conntrack: get, get_stats_cpu, get_stats, get_dying (nfnetlink_conntrack.h)
    6: {1, 7, 8, 12, 13, 14, 15},  # ipset: protocol, list, save, header, type, get_by… (ip_set.h)
    10: {1, 4, 7, 10, 13, 16, 19, 23},  # nf_tables: the NFT_MSG_GET… (nf_tables.h)
    11: {0},  # nft_compat: get (nf_tables_compat.h)
}
SHARED = (Path("/dev/null"), Path("/dev/tty"))
READING = """
import sys
from calitop.sources.collect import collect
from calitop.sources.kernel import KernelSource
from calitop.sources.source import Wanted

source = KernelSource(sys.argv[1])
source.structure()
for full in (False, True, False):
    source.counters(Wanted(full=full)) or source.structure()
source.close()
collect(sys.argv[1])
"""
CALLS = (
    "execve,sendto,sendmsg,sendmmsg,setsockopt,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,"
    "unlink,unlinkat,link,linkat,symlink,symlinkat,chmod,fchmod,fchmodat,truncate,ftruncate,"
    "init_module,finit_module,delete_module,mount,bpf,write"
)


def traced(space: Namespace, log: Path, *prefix: str) -> str:
    """The system calls of a whole reading, numbers undecoded."""
    run(
        [
            *("strace", "-f", "-qq", "-y", "-v", "-s", "64", "-e", f"trace={CALLS}", "-o", str(log)),
            *(*prefix, sys.executable, "-B", "-c", READING, space.name),
        ]
    )
    return log.read_text(errors="replace")


def is_question(message_type: int) -> bool:
    """Whether a netlink message of that type only asks."""
    subsystem, kind = message_type >> 8, message_type & 0xFF
    if subsystem:
        return kind in READ_ONLY.get(subsystem, set())
    return message_type == 0 or (message_type >= 16 and message_type % 4 == 2)  # RTM_GET… (rtnetlink.h)


@pytest.fixture
def log(netns: Namespace, tmp_path: Path) -> str:
    rules = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m comment --comment x -j DROP\nCOMMIT\n"
    netns.load(rules, "nft")
    netns.load(rules, "legacy")
    netns.run("ipset", "create", "some", "hash:ip")
    netns.run("nft", "add", "table", "inet", "own")
    return traced(netns, tmp_path / "trace")


def test_no_message_to_the_kernel_asks_for_a_change(log: str) -> None:
    types = {int(found, 0) for found in re.findall(r"nlmsg_type=(0x[0-9a-f]+|\d+)", log)}
    assert types, "strace shows the messages"
    assert {hex(number) for number in types if not is_question(number)} == set()
    named = set(re.findall(r"nlmsg_type=(?:\w+<<8\|)?([A-Z]\w+)", log))
    assert {name for name in named if "GET" not in name and name not in ("NLMSG_DONE", "NLMSG_NOOP")} <= {
        "IPSET_CMD_PROTOCOL",
        "IPSET_CMD_LIST",
        "IPSET_CMD_SAVE",
    }


def test_counters_come_from_netlink_and_the_programs_run_once(log: str) -> None:
    """Once for the structure and once for `collect`: the sockets that this test watches are really used."""
    for number, name in (
        ("0xa10", "NFT_MSG_GETGEN"),
        ("0xa07", "NFT_MSG_GETRULE"),
        ("0xa04", "NFT_MSG_GETCHAIN"),
    ):
        assert f"nlmsg_type={number}" in log or name in log
    assert len(re.findall(r'execve\("[^"]*/iptables-nft-save"[^\n]*\) = 0', log)) == 2


def test_no_socket_option_changes_a_table(log: str) -> None:
    options = re.findall(r"setsockopt\(\S+ (\w+), (\w+)", log)
    assert {level for level, _option in options} <= {"SOL_SOCKET", "SOL_NETLINK"}


def test_no_module_is_asked_for_and_no_compiler_is_started(log: str) -> None:
    programs = {Path(found).name for found in re.findall(r'execve\("([^"]+)"[^\n]*\) = 0', log)}
    assert "iptables-nft-save" in programs and "iptables-legacy-save" in programs
    assert programs & {"modprobe", "gcc", "ld", "ldconfig", "sh", "iptables", "iptables-restore"} == set()
    assert not re.search(r"\b(init_module|finit_module|delete_module|mount)\(", log)
    assert not re.search(r"bpf\((BPF_PROG_LOAD|BPF_PROG_ATTACH|BPF_MAP_UPDATE_ELEM|BPF_LINK_CREATE)", log)


def files_written(log: str) -> set[str]:
    """Files that were opened to be written, and calls that make, rename or remove some."""
    opened = re.findall(r'open(?:at)?\([^"]*"([^"]+)", [^,)]*(?:O_WRONLY|O_RDWR|O_CREAT)', log)
    changed = re.findall(
        r"\b(?:creat|mkdir|mkdirat|rename|renameat2?|unlink|unlinkat|truncate|chmod)\(.*", log
    )
    return {path for path in opened if Path(path) not in SHARED}.union(changed)


def test_no_file_is_written(log: str) -> None:
    assert files_written(log) == set()


def test_a_namespace_without_tables_has_none_afterwards(netns: Namespace, tmp_path: Path) -> None:
    log = traced(netns, tmp_path / "trace")
    assert not re.search(r'execve\("[^"]*(iptables|ip6tables)', log)
    assert netns.run("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names") == ""
    assert netns.run("nft", "list", "ruleset") == ""


def test_rules_are_the_same_afterwards(netns: Namespace, tmp_path: Path) -> None:
    netns.run("nft", "add", "table", "inet", "own")
    before = netns.run("nft", "-a", "list", "ruleset")
    traced(netns, tmp_path / "trace")
    assert netns.run("nft", "-a", "list", "ruleset") == before

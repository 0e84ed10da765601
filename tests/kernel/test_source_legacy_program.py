"""Legacy tables by python-iptables, where iptables-legacy-save is not installed."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from contextlib import closing

import pytest

from calitop.model.rules import ChainKey
from calitop.sources import legacy_program
from calitop.sources.kernel import KernelSource
from calitop.sources.programs import Programs
from tests.kernel.netns import Namespace, run

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(importlib.util.find_spec("iptc") is None, reason="needs python-iptables"),
]

IPV4 = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [5:6]
:OUTPUT ACCEPT [0:0]
:cali-A - [0:0]
[1:2] -A FORWARD -s 10.0.0.0/8 ! -d 1.2.3.4/32 -i eth+ ! -o lo -p tcp -m comment --comment "cali:abc-_ d" -m tcp --dport 80 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m mark ! --mark 0x0/0x10000 -g cali-A
-A INPUT -m comment --comment foo
-A INPUT -p icmp -m icmp --icmp-type 8 -j REJECT --reject-with icmp-port-unreachable
-A INPUT -m set --match-set s4 src -m set ! --match-set pp dst,dst -j cali-A
-A INPUT -p 4 -f -j RETURN
-A INPUT -p 211 -j RETURN
-A INPUT ! -p sctp -j RETURN
-A INPUT -m addrtype --dst-type LOCAL --limit-iface-in -j RETURN
-A INPUT -m state --state NEW -p udp -m multiport --dports 53,8472:8473 -j LOG --log-prefix "hi there: " --log-level 5
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.1/32 -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to-destination 1.2.3.4:6443
-A POSTROUTING -s 10.0.0.0/255.0.255.0 -j MASQUERADE --random-fully
COMMIT
*mangle
-A PREROUTING -m rpfilter --invert --validmark -j MARK --set-xmark 0x10000/0x10000
COMMIT
"""  # noqa: E501 - rules as iptables-save writes them
IPV6 = "*filter\n-A INPUT -s fd00::/8 -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT\nCOMMIT\n"
PROGRAM = [sys.executable, "-I", "-B", legacy_program.__file__]


def load(space: Namespace) -> None:
    space.run("ipset", "create", "s4", "hash:net")
    space.run("ipset", "create", "pp", "hash:ip,port")
    space.run("iptables-legacy-restore", "-c", text=IPV4)
    space.load(IPV6, "legacy", "ip6")


def without_headers(text: str) -> str:
    return re.sub(r"^# .*\n", "", text, flags=re.M)


@pytest.mark.parametrize(("family", "program"), [("ipv4", "iptables"), ("ipv6", "ip6tables")])
def test_it_prints_what_iptables_legacy_save_prints(family: str, program: str, netns: Namespace) -> None:
    load(netns)
    names = netns.run("cat", f"/proc/net/{program.removesuffix('tables')}_tables_names").split()
    ours = netns.run(*PROGRAM, family, *names)
    assert without_headers(ours) == without_headers(netns.run(f"{program}-legacy-save", "-c"))


def test_the_source_uses_it_where_the_program_is_missing(
    netns: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(netns)
    monkeypatch.setattr(Programs, "find", lambda self, wanted: None if wanted.backend else ("ip",))
    with closing(KernelSource(netns=netns.name)) as source:
        state = source.structure().state
    chain = state.chains()[ChainKey("ipv4", "legacy", "filter", "FORWARD")]
    assert (chain.policy, chain.packets, chain.rules[0].packets) == ("DROP", 5, 1)
    assert ChainKey("ipv6", "legacy", "filter", "INPUT") in state.chains()


def test_without_either_the_message_names_both(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    load(netns)
    monkeypatch.setattr(Programs, "find", lambda self, wanted: None if wanted.backend else ("ip",))
    monkeypatch.setattr(legacy_program, "__file__", "/dev/null")
    monkeypatch.setattr(legacy_program, "NOT_INSTALLED", 0)
    with closing(KernelSource(netns=netns.name)) as source:
        warnings = " ".join(source.structure().state.warnings)
    assert "'iptables-legacy-save'" in warnings and "calitop[iptables]" in warnings


FAKED = """
import os, subprocess, runpy, sys
exists = os.path.exists
os.path.exists = lambda path: path == "/proc/modules" or exists(path)
sys.argv = [sys.argv[1], *sys.argv[2:]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_importing_starts_no_program_even_on_a_kernel_with_modules(netns: Namespace) -> None:
    """python-iptables asks modprobe where /proc/modules exists, and ldconfig, gcc and ld everywhere."""
    load(netns)
    words = [sys.executable, "-I", "-B", "-c", FAKED, legacy_program.__file__, "ipv4", "filter"]
    done = subprocess.run(
        [*netns.prefix, "strace", "-f", "-qq", "-e", "trace=execve,init_module,finit_module", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "-A FORWARD" in done.stdout
    assert [line for line in done.stderr.splitlines() if "execve(" in line][1:] == []
    assert "module(" not in done.stderr


def test_plain_import_would_start_programs() -> None:
    """The reason for the care: should this change one day, the care can go."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    words = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", "/dev/stdout"]
    said = run([*words, sys.executable, "-B", "-c", "import iptc"])
    assert "ldconfig" in said

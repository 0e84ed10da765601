"""The live node: what the kernel holds is what the source tells, poll after poll."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from calitop.counters.sample import Sample
from calitop.errors import CalitopError, NeedPrivilege, SourceUnavailable
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey, Counter
from calitop.sources.kernel import KernelSource
from calitop.sources.source import Source, Wanted
from calitop.sources.via import CommandSource
from tests.kernel.netns import Namespace, run, wire

pytestmark = pytest.mark.kernel

RULES = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:cali-INPUT - [0:0]
-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
-A cali-INPUT -p icmp -j ACCEPT
-A cali-INPUT -s 10.99.0.0/16 -j DROP
COMMIT
"""
BACKENDS = ("nft", "legacy")
WAYS: dict[str, Callable[[Namespace], Source]] = {
    "kernel": lambda space: KernelSource(netns=space.name),
    "via": lambda space: CommandSource(f"ip netns exec {space.name}"),
}


@contextmanager
def opened(way: str, space: Namespace) -> Iterator[Source]:
    with closing(WAYS[way](space)) as source:
        yield source


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sample(source: Source) -> Sample:
    """The next sample, taking over changes of the structure as the poller does."""
    for _attempt in range(5):
        taken = source.counters(Wanted(full=True))
        if taken is not None:
            return taken
        source.structure()
    raise AssertionError("the structure never came to rest")


def notes(state: NodeState) -> dict[str, str]:
    return {file.file: file.note for file in state.files if file.note}


def problems(state: NodeState) -> list[str]:
    return [f"{file.file}: {problem.why}" for file in state.files for problem in file.problems]


@pytest.mark.parametrize("backend", BACKENDS)
def test_counters_are_those_of_iptables_save(
    way: str, backend: str, make_netns: Callable[[str], Namespace]
) -> None:
    """After a real ping every rule's counter equals the kernel's."""
    node, peer = make_netns("node"), make_netns("peer")
    wire(node, "left", peer, "right")
    node.ip("addr", "add", "10.9.0.1/30", "dev", "left")
    peer.ip("addr", "add", "10.9.0.2/30", "dev", "right")
    node.load(RULES, backend)
    with opened(way, node) as source:
        first = source.structure()
        peer.run("ping", "-c", "3", "-i", "0.01", "-W", "2", "10.9.0.1")
        taken = sample(source)
    key = ChainKey("ipv4", backend, "filter", "cali-INPUT")  # type: ignore[arg-type]
    assert taken.chains[key].rules[0] == Counter(3, 252)
    assert taken.chains[key].rules[1] == Counter(0, 0)
    assert (taken.links["left"].rx_packets or 0) >= 3
    assert taken.stats["Ip.InReceives"] >= 3
    assert taken.full and taken.generation == first.generation
    saved = node.run(f"iptables-{backend}-save", "-c")
    assert "[3:252] -A cali-INPUT" in saved


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_changed_rule_asks_for_the_structure_again(way: str, backend: str, netns: Namespace) -> None:
    netns.load(RULES, backend)
    with opened(way, netns) as source:
        first = source.structure()
        assert sample(source).generation == first.generation
        netns.run(f"iptables-{backend}", "-R", "cali-INPUT", "2", "-s", "10.98.0.0/16", "-j", "DROP")
        assert source.counters(Wanted()) is None
        second = source.structure()
        assert second.generation > first.generation
        texts = [rule.text for chain in second.state.chains().values() for rule in chain.rules]
        assert "-A cali-INPUT -s 10.98.0.0/16 -j DROP" in texts
        assert sample(source).generation == second.generation


def test_the_state_tells_links_addresses_routes_and_settings(way: str, netns: Namespace) -> None:
    netns.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
    netns.ip("link", "add", "cali1", "type", "veth", "peer", "name", "peer1")
    netns.ip("addr", "add", "10.7.0.1/24", "dev", "cali1")
    netns.ip("link", "set", "cali1", "up")
    netns.ip("route", "add", "blackhole", "10.8.0.0/26", "table", "77")
    netns.ip("rule", "add", "fwmark", "0x10/0xf0", "table", "77", "priority", "99")
    netns.run("sysctl", "-qw", "net.ipv4.conf.cali1.rp_filter=2")
    with opened(way, netns) as source:
        state = source.structure().state
    link = state.link("cali1")
    assert link is not None and link.kind == "veth" and "10.7.0.1/24" in link.addresses
    assert ("10.8.0.0/26", "77", "blackhole") in {(r.dst, r.table, r.type) for r in state.routes}
    assert (99, 0x10, 0xF0, "77") in {(r.priority, r.fwmark, r.fwmask, r.table) for r in state.ip_rules}
    assert state.sysctls["net.ipv4.conf.cali1.rp_filter"] == "2"
    assert not problems(state)


def test_a_new_link_asks_for_the_structure_again(way: str, netns: Namespace) -> None:
    with opened(way, netns) as source:
        first = source.structure()
        netns.ip("link", "add", "late0", "type", "veth", "peer", "name", "late1")
        deadline = time.monotonic() + 5
        while source.counters(Wanted()) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        second = source.structure()
        assert second.state.link("late0") is not None
        assert second.generation == first.generation


def test_both_backends_are_shown_with_a_warning(way: str, netns: Namespace) -> None:
    for backend in BACKENDS:
        netns.load(RULES, backend)
    with opened(way, netns) as source:
        state = source.structure().state
    assert {(r.family, r.backend) for r in state.rulesets if r.tables} == {
        ("ipv4", "nft"),
        ("ipv4", "legacy"),
    }
    assert any("both" in warning for warning in state.warnings)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ipv6_is_read_alike(way: str, backend: str, netns: Namespace) -> None:
    netns.load("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s fd00::/8 -j DROP\nCOMMIT\n", backend, "ip6")
    with opened(way, netns) as source:
        chains = source.structure().state.chains()
    key = ChainKey("ipv6", backend, "filter", "INPUT")  # type: ignore[arg-type]
    assert [rule.text for rule in chains[key].rules] == ["-A INPUT -s fd00::/8 -j DROP"]


def test_native_tables_are_read_beside_those_of_iptables(way: str, netns: Namespace) -> None:
    netns.load(RULES)
    netns.run(
        "nft",
        "-f",
        "-",
        text="table inet own { chain c { type filter hook input priority 5; counter drop; }; }",
    )
    with opened(way, netns) as source:
        source.structure()
        keys = sample(source).chains
    assert ChainKey("inet", "native", "own", "c") in keys
    assert ChainKey("ipv4", "nft", "filter", "cali-INPUT") in keys


def test_a_table_that_iptables_nft_cannot_print_is_read_with_nft(way: str, netns: Namespace) -> None:
    netns.run(
        "nft",
        "-f",
        "-",
        text="table ip filter { chain own { type filter hook input priority 5; meta nftrace set 1; }; }",
    )
    with opened(way, netns) as source:
        state = source.structure().state
    assert ChainKey("ipv4", "native", "filter", "own") in state.chains()
    assert any("iptables-nft-save cannot print" in warning for warning in state.warnings)


def test_an_empty_namespace_stays_empty(way: str, netns: Namespace) -> None:
    """What is absent is not asked, and it says so."""
    with opened(way, netns) as source:
        state = source.structure().state
        sample(source)
    assert not state.rulesets
    assert "not asked" in notes(state)["iptables-legacy-save -c"]
    assert not problems(state)
    assert netns.run("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names") == ""
    assert netns.run("nft", "list", "ruleset") == ""


def test_reading_leaves_the_rest_of_the_program_where_it_is(netns: Namespace) -> None:
    before = Path("/proc/thread-self/ns/net").readlink()
    with opened("kernel", netns) as source:
        source.structure()
    assert Path("/proc/thread-self/ns/net").readlink() == before


def test_a_namespace_that_is_not_there_names_those_that_are(netns: Namespace) -> None:
    with closing(KernelSource(netns="ct-no-such")) as source, pytest.raises(SourceUnavailable) as caught:
        source.structure()
    assert "ct-no-such" in caught.value.message
    assert netns.name in caught.value.hint


async def test_it_works_beside_a_running_event_loop(netns: Namespace) -> None:
    """The reader has a thread of its own, where no asyncio loop runs."""
    with opened("kernel", netns) as source:
        assert source.structure().state.links


def test_lost_events_count_as_a_change(netns: Namespace) -> None:
    """After far more events than the socket's buffer holds, the listing is still right."""
    netns.ip("link", "add", "busy", "type", "veth", "peer", "name", "busy1")
    netns.ip("link", "set", "busy", "up")
    with opened("kernel", netns) as source:
        source.structure()
        batch = "".join(f"route add 10.{n >> 8}.{n & 255}.0/24 dev busy\n" for n in range(5000))
        netns.run("ip", "-batch", "-", text=batch)
        netns.ip("route", "del", "10.0.7.0/24", "dev", "busy")
        time.sleep(0.5)
        sample(source)
        destinations = {route.dst for route in source.structure().state.routes}
    assert "10.19.0.0/24" in destinations and "10.0.7.0/24" not in destinations


def _without_privilege(space: Namespace, code: str) -> str:
    """Output of a program that runs inside as root without any capability."""
    done = subprocess.run(
        [
            *space.prefix,
            "setpriv",
            "--bounding-set",
            "-all",
            "--inh-caps",
            "-all",
            sys.executable,
            "-c",
            code,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_privilege_links_and_routes_still_show(backend: str, netns: Namespace) -> None:
    netns.load(RULES, backend)
    said = _without_privilege(
        netns,
        "from calitop.sources.kernel import KernelSource\n"
        "state = KernelSource().structure().state\n"
        "print([link.name for link in state.links], len(state.ip_rules), state.warnings)\n",
    )
    assert "'lo'" in said
    assert "ermission denied" in said
    assert "root" in said


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_privilege_at_the_far_end_the_rules_are_not_said_to_be_none(
    backend: str, netns: Namespace
) -> None:
    netns.load(RULES, backend)
    nobody = "setpriv --reuid 65534 --clear-groups --bounding-set -all --inh-caps -all"
    with closing(CommandSource(f"ip netns exec {netns.name} {nobody}")) as source:
        state = source.structure().state
    assert state.links and not state.rulesets
    told = [warning for warning in state.warnings if re.search("denied|root|permitted", warning)]
    assert told, state.warnings
    assert not notes(state).get(f"iptables-{backend}-save -c")


def test_without_privilege_a_namespace_cannot_be_entered(netns: Namespace) -> None:
    said = _without_privilege(
        netns,
        "from calitop.sources.kernel import KernelSource\n"
        "from calitop.errors import CalitopError\n"
        "try:\n"
        f"    KernelSource(netns='{netns.name}').structure()\n"
        "except CalitopError as error:\n"
        "    print(error.exit_code, error)\n",
    )
    assert said.startswith(f"{NeedPrivilege.exit_code} cannot enter the network namespace")


def test_a_prefix_that_does_not_run_is_told(netns: Namespace) -> None:
    for prefix, words in (
        ("ip netns exec ct-no-such", "ct-no-such"),
        ("/no/such/program", "No such file"),
        ("false", "status 1"),
    ):
        with closing(CommandSource(prefix)) as source, pytest.raises(CalitopError, match=words):
            source.structure()


def test_a_prefix_that_breaks_off_is_started_again(netns: Namespace) -> None:
    with closing(CommandSource(f"ip netns exec {netns.name}")) as source:
        source.structure()
        shell = source._runner._shell
        assert shell is not None
        shell.kill()
        shell.wait(5)
        with pytest.raises(SourceUnavailable):
            source.counters(Wanted())
        assert sample(source).links


def test_nothing_stays_behind_at_the_far_end(netns: Namespace) -> None:
    source = CommandSource(f"ip netns exec {netns.name}")
    source.structure()
    assert run(["ip", "netns", "pids", netns.name]).split()
    source.close()
    assert not run(["ip", "netns", "pids", netns.name]).split()

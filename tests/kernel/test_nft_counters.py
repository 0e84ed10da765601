"""Counters by following the hits, against the usual programs: equal for every rule, whatever changes."""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import count

import pytest

from calitop.counters.sample import Sample
from calitop.formats import iptables_save, nft_text
from calitop.model.rules import Chain, ChainKey, Counter
from calitop.poller import Poll, Poller
from calitop.sources.kernel import KernelSource
from calitop.sources.source import Structure, Wanted
from tests.kernel.netns import Namespace, wire

pytestmark = pytest.mark.kernel

IPV4 = """*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:empty - [0:0]
:from - [0:0]
:group - [0:0]
:pod - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m comment --comment "two \\"words\\"" -j from
-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A from -i left -g group
-A from -j DROP
-A group -p icmp -j pod
-A group -p tcp -j empty
-A pod -s 10.9.0.2/32 -p icmp -m length --length 100:200 -j ACCEPT
-A pod
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -s 10.9.0.2/32
COMMIT
"""
IPV6 = """*filter
:INPUT ACCEPT [0:0]
:six - [0:0]
-A INPUT -p ipv6-icmp -j six
-A six -s fd09::2/128 -p ipv6-icmp -m icmp6 --icmpv6-type 128
COMMIT
"""
NATIVE = """table inet own {
  map ways {
    type ifname : verdict
    elements = { "lo" : jump never, "left" : jump mapped }
  }
  chain in {
    type filter hook input priority 10; policy accept;
    jump silent
    counter jump counted
    iifname vmap @ways
  }
  chain silent {
    ip protocol icmp counter
    meta l4proto icmp
  }
  chain counted {
    counter jump deeper
    tcp dport 1 accept
    counter
  }
  chain deeper {
    icmp type echo-request counter
  }
  chain mapped {
    counter comment "by the map"
  }
  chain never {
    counter
  }
}
"""

NOTHING_SPECIAL = Wanted()
Counted = dict[ChainKey, tuple[tuple[Counter | None, ...], Counter | None]]


@pytest.fixture
def node(make_netns: Callable[[str], Namespace]) -> Iterator[tuple[Namespace, Namespace]]:
    """A node with rules of every kind, and its neighbour."""
    made, peer = make_netns("node"), make_netns("peer")
    wire(made, "left", peer, "right")
    for space, link, number in ((made, "left", 1), (peer, "right", 2)):
        space.run("sysctl", "-qw", f"net.ipv6.conf.{link}.disable_ipv6=0")
        space.ip("addr", "add", f"10.9.0.{number}/30", "dev", link)
        space.ip("addr", "add", f"fd09::{number}/64", "dev", link, "nodad")
    made.load(IPV4)
    made.load(IPV6, family="ip6")
    made.run("nft", "-f", "-", text=NATIVE)
    yield made, peer


def printed(space: Namespace) -> Counted:
    """What the usual programs say."""
    texts = [
        iptables_save.parse(space.run("iptables-nft-save", "-c")),
        iptables_save.parse(space.run("ip6tables-nft-save", "-c")),
        nft_text.parse(space.run("nft", "list", "table", "inet", "own")),
    ]
    found = (
        (ruleset.key(table).chain(chain.name), chain)
        for text in texts
        for ruleset in text.rulesets or ()
        for table in ruleset.tables
        for chain in table.chains.values()
    )
    return counters_of(dict(found))


class Reader:
    """Takes over samples the way the poller does, each chain's newest kept."""

    def __init__(self, space: Namespace) -> None:
        self.source = KernelSource(netns=space.name)
        self.structure: Structure = self.source.structure()
        self.now: Counted = counters_of(self.structure.state.chains())

    def read(self, wanted: Wanted = NOTHING_SPECIAL) -> Sample:
        """One poll."""
        for _attempt in range(10):
            sample = self.source.counters(wanted)
            if sample is not None:
                self.now |= {key: (tuple(each.rules), each.policy) for key, each in sample.chains.items()}
                return sample
            self._restructure()
        raise AssertionError("the rules never came to rest")

    def _restructure(self) -> None:
        """Chains that are the same keep what was read of them; the others bring their counters along."""
        before = self.structure.state.chains()
        self.structure = self.source.structure()
        after = self.structure.state.chains()
        kept = {key: self.now[key] for key, chain in after.items() if before.get(key) is chain}
        self.now = counters_of(after) | kept


def counters_of(chains: Mapping[ChainKey, Chain]) -> Counted:
    """The counters that chains were printed with."""
    return {key: (tuple(rule.counter for rule in each.rules), each.counter) for key, each in chains.items()}


@pytest.fixture
def reader(node: tuple[Namespace, Namespace]) -> Iterator[Reader]:
    made = Reader(node[0])
    with closing(made.source):
        yield made


def send(peer: Namespace) -> None:
    """Traffic through rules of both families."""
    peer.run("ping", "-c", "4", "-i", "0.01", "-W", "1", "-s", "92", "10.9.0.1", check=False)
    peer.run("ping", "-6", "-c", "3", "-i", "0.01", "-W", "1", "fd09::1", check=False)


def test_every_counter_equals_that_of_the_programs(node: tuple[Namespace, Namespace], reader: Reader) -> None:
    space, peer = node
    reader.read()
    for _round in range(3):
        send(peer)
        partial = reader.read()
        assert not partial.full
        assert reader.now == printed(space)
    moved = reader.now[ChainKey("ipv4", "nft", "filter", "pod")][0]
    assert moved[0] == Counter(12, 12 * 120)
    assert reader.now[ChainKey("inet", "native", "own", "mapped")][0][0] != Counter(0, 0)
    full = reader.read(Wanted(full=True))
    assert full.full and full.chains.keys() == printed(space).keys()


def test_a_quiet_poll_reads_few_chains(node: tuple[Namespace, Namespace], reader: Reader) -> None:
    reader.read()
    reader.read()
    quiet = set(reader.read().chains)
    assert ChainKey("ipv4", "nft", "filter", "pod") not in quiet
    assert ChainKey("inet", "native", "own", "deeper") not in quiet
    assert ChainKey("inet", "native", "own", "silent") in quiet, "nothing counts the way into it"


def test_reading_changes_nothing_and_sees_no_change_of_its_own(
    node: tuple[Namespace, Namespace], reader: Reader
) -> None:
    first = reader.structure.generation
    for _poll in range(5):
        reader.read(Wanted(full=True))
    assert reader.structure.generation == first


def test_rules_carry_the_handles_of_the_kernel(node: tuple[Namespace, Namespace], reader: Reader) -> None:
    listed = nft_text.parse(node[0].run("nft", "-a", "list", "ruleset"))
    expected = {
        (ruleset.family, table.name, chain.name): [rule.handle for rule in chain.rules]
        for ruleset in listed.rulesets or ()
        for table in ruleset.tables
        for chain in table.chains.values()
    }
    found = {
        (key.family, key.table, key.chain): [rule.handle for rule in chain.rules]
        for key, chain in reader.structure.state.chains().items()
    }
    assert {key: handles for key, handles in found.items() if key in expected} == expected


CHANGES: dict[str, list[str]] = {
    "a rule of the same size": ["iptables-nft -R pod 1 -s 10.9.0.3/32 -p icmp -m length --length 100:200"],
    "inserted above": ["iptables-nft -I pod 1 -p udp"],
    "flushed": ["iptables-nft -F pod"],
    "deleted": ["iptables-nft -F empty", "iptables-nft -D group 2", "iptables-nft -X empty"],
    "renamed": ["iptables-nft -E pod pod-2"],
    "new chain": ["iptables-nft -N late", "iptables-nft -A late -p icmp", "iptables-nft -I INPUT 2 -j late"],
    "policy": ["iptables-nft -P FORWARD DROP"],
    "new table": ["iptables-nft -t mangle -A PREROUTING -p icmp"],
    "other family": ["ip6tables-nft -A six -p tcp"],
    "native rule": ["nft add rule inet own deeper counter"],
    "native element": ["nft delete element inet own ways { lo }"],
    "native chain": ["nft add chain inet own more", "nft add rule inet own in counter jump more"],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_and_its_counters_belong_to_the_right_rules(
    change: str, node: tuple[Namespace, Namespace], reader: Reader
) -> None:
    space, peer = node
    send(peer)
    reader.read()
    before = reader.structure
    for words in CHANGES[change]:
        space.run(*words.split())
    send(peer)
    deadline = time.monotonic() + 10
    while reader.structure.generation == before.generation and time.monotonic() < deadline:
        reader.read()
    assert reader.structure.generation > before.generation
    send(peer)
    await_rules(reader, space)
    assert reader.now == printed(space)
    with closing(KernelSource(netns=space.name)) as fresh:
        assert rule_texts(reader.structure) == rule_texts(fresh.structure())


def await_rules(reader: Reader, space: Namespace) -> None:
    """Read until the chains are those of the kernel; several changes may be taken over one by one."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        reader.read()
        if reader.now.keys() == printed(space).keys():
            return


def rule_texts(structure: Structure) -> dict[ChainKey, list[tuple[str, int | None, int | None]]]:
    """Words, number and handle of every rule; policies stand in the chain's own line."""
    return {
        key: [(chain.policy or "", None, None), *((r.text, r.number, r.handle) for r in chain.rules)]
        for key, chain in structure.state.chains().items()
    }


def test_one_changed_chain_leaves_all_others_the_same_objects(
    node: tuple[Namespace, Namespace], reader: Reader
) -> None:
    before = reader.structure.state.chains()
    node[0].run("iptables-nft", "-A", "pod", "-p", "udp")
    reader.read()
    after = reader.structure.state.chains()
    assert [key.chain for key, chain in after.items() if before.get(key) is not chain] == ["pod"]


def test_tables_of_others_change_nothing(node: tuple[Namespace, Namespace], reader: Reader) -> None:
    reader.read()
    node[0].run("nft", "add", "table", "ip", "somebody")
    reader.read()
    chains = reader.structure.state.chains()
    node[0].run("nft", "add", "chain", "ip", "somebody", "c")
    reader.read()
    kept = {key for key, chain in reader.structure.state.chains().items() if chain is chains.get(key)}
    assert {key for key in chains if key.backend == "nft"} <= kept


def test_a_table_reloaded_while_polling_ends_with_every_counter_right(
    node: tuple[Namespace, Namespace],
) -> None:
    space, peer = node
    chance = random.Random(4)
    polls: queue.Queue[Poll] = queue.Queue()
    poller = Poller(KernelSource(netns=space.name), polls.put, interval_s=0.02)
    poller.start()
    number = count(1)

    def change() -> None:
        kind = chance.randrange(5)
        address = f"10.8.{next(number) % 250}.1/32"
        if kind == 0:
            space.load(IPV4)
        elif kind == 1:
            space.run("iptables-nft", "-R", "pod", "1", "-s", address)
        elif kind == 2:
            space.run("iptables-nft", "-I", "group", "1", "-s", address)
        elif kind == 3:
            rules = f"*filter\n:pod - [0:0]\n-A pod -s {address}\n-A pod -p icmp\nCOMMIT\n"
            space.run("iptables-nft-restore", "--noflush", text=rules)
        else:
            space.run("nft", "add", "rule", "inet", "own", "deeper", "ip", "saddr", address, "counter")

    with peer.process("ping", "-q", "-i", "0.01", "-s", "92", "10.9.0.1"):
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            change()
    asked = poller.read_all()
    poll = polls.get(timeout=10)
    while poll.read_all < asked:
        poll = polls.get(timeout=10)
    poller.stop()
    assert poll.failure is None
    for key, (rules, policy) in printed(space).items():
        assert tuple(poll.counts.rule(key, at).now for at in range(len(rules))) == rules, key
        assert poll.counts.policy(key).now == policy, key

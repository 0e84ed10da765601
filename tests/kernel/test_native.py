"""Calico and kube-proxy in nftables mode, as the kernel holds them: listings, counters, elements."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from calitop.cni.index import NodeIndex
from calitop.counters.ledger import Ledger
from calitop.formats import nft_json, nft_text
from calitop.formats.fragment import Fragment
from calitop.model.rules import ChainKey, MapKey, TableKey
from calitop.sources.kernel import KernelSource
from calitop.sources.source import Wanted
from lab import native, ping, topology, trial
from lab.faults import CALICO1, CALICO2
from lab.machine import NATIVE, Lab, Settings
from lab.plan import healthy
from lab.shell import inside
from tests.kernel.netns import Namespace
from tests.kernel.test_nft_formats import chains, facts, listed, map_facts, maps

pytestmark = pytest.mark.kernel

COUNTING = """
table ip t {
  set seen { type ipv4_addr; counter; elements = { 127.0.0.2, 127.0.0.3 comment "quiet" }; }
  map ways {
    type ipv4_addr : verdict
    counter
    elements = { 127.0.0.2 : goto there, 127.0.0.3 : drop }
  }
  chain there { counter; }
  chain out {
    type filter hook output priority 0;
    icmp type echo-request ip daddr @seen ip daddr vmap @ways
  }
}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A healthy lab in nftables mode of this test run's own."""
    made = Lab(f"ct-n{os.getpid() % 100000}")
    made.up(Settings(NATIVE, "nft", home="nft"), healthy("nft"))
    yield made
    made.down()


def test_every_pod_reaches_every_other(lab: Lab) -> None:
    """One pair of each kind, both ways: all pings come back."""
    assert [one for one in ping.matrix(lab, count=1) if one.received != one.sent] == []


def test_text_and_json_of_the_node_tell_the_same(lab: Lab) -> None:
    """Both listings of the real tables, chain by chain and map by map."""
    name = lab.namespace("work1")
    texts = [inside(name, "nft", *options, "list", "ruleset") for options in ((), ("-j",))]
    text, json = nft_text.parse(texts[0]), nft_json.parse(texts[1])
    assert (text.problems, json.problems) == ((), ())
    for key, chain in chains(text).items():
        if key[1] in ("calico", "kube-proxy"):
            assert facts(chain) == facts(chains(json)[key]), key
    assert [map_facts(one) for one in maps(text)] == [map_facts(one) for one in maps(json)]


def test_every_rule_and_role_of_the_table_is_understood(lab: Lab) -> None:
    """No chain is an orphan, every workload has both its chains by its interface, and owners are known."""
    source = KernelSource(lab.namespace("work1"))
    state = source.structure().state
    source.close()
    index = NodeIndex(state)
    own = [key for key in index.chains if key.table == native.TABLE]
    assert {index.owner_of_chain(key) for key in own} == {"calico"}
    assert not [key for key in own if index.role_of_chain(key).group in ("orphan", "other")]
    for name in topology.WORK1.interfaces:
        expected = [f"filter-cali-fw-{name}", f"filter-cali-tw-{name}"]
        assert [key.chain for key in index.chains_of_interface(name)] == expected
        assert len(index.maps.elements_for_interface(name)) == 2


def test_live_counters_are_those_of_the_listing(lab: Lab) -> None:
    """What the ledger counts of native chains while pings go is what nft itself lists in between."""
    source = KernelSource(lab.namespace("work1"))
    structure = source.structure()
    ledger = Ledger(structure)

    def pinged() -> ping.Pinged:
        return ping.ping(lab, CALICO2, CALICO1)

    measured = trial.run(lab, NATIVE, pinged).moved["work1"]
    sample = source.counters(Wanted())
    source.close()
    assert sample is not None and sample.generation == structure.generation
    counts = ledger.add(sample)
    moved = Counter(
        delta.packets for key, _, delta in counts.moved() if key.family == "ipv4" and delta.packets
    )
    assert moved == Counter(count for count in measured.rules.values() if count)
    accepted = ChainKey("ipv4", "native", native.TABLE, f"filter-cali-tw-{CALICO1.interface}")
    assert counts.chain_moved(accepted) > 0


def test_elements_that_count_are_read_from_both_listings(netns: Namespace) -> None:
    """Two pings by one element of a set and of a map; the others stay at zero."""
    netns.run("nft", "-f", "-", text=COUNTING)
    netns.run("ping", "-c", "2", "-i", "0.01", "-W", "1", "127.0.0.2", check=False)
    for options in ((), ("-j",)):
        found = counted(listed(netns, *options))
        assert found["seen"]["127.0.0.2"] == (2, 168)
        assert found["seen"]["127.0.0.3"] == (0, 0)
        assert found["ways"]["127.0.0.2"] == (2, 168)


def test_counters_of_elements_keep_their_moment_when_only_routes_changed(netns: Namespace) -> None:
    """The state is of later; the elements were not read again."""
    netns.run("nft", "-f", "-", text=COUNTING)
    seen = MapKey(TableKey("ipv4", "native", "t"), "seen")
    with closing(KernelSource(netns.name)) as source:
        first = source.structure().state
        netns.ip("route", "add", "192.0.2.0/24", "dev", "lo")
        deadline = time.monotonic() + 5
        while source.counters(Wanted()) is not None and time.monotonic() < deadline:
            time.sleep(0.01)  # the event is received by a thread of its own
        second = source.structure().state
    assert first.routes != second.routes
    moments = [NodeIndex(state).maps.maps[seen].counted_at for state in (first, second)]
    assert moments[0] is not None and moments[0] == moments[1]


def counted(read: Fragment) -> dict[str, dict[str, tuple[int, int]]]:
    """Counters of elements by set or map and by key."""
    return {one.name: dict(one.counters) for one in maps(read)}


def test_a_map_of_the_kernel_is_decided_by_its_index(netns: Namespace) -> None:
    """Options, targets and users of the loaded map."""
    netns.run("nft", "-f", "-", text=COUNTING)
    source = KernelSource(netns.name)
    index = NodeIndex(source.structure().state)
    source.close()
    table = TableKey("ipv4", "native", "t")
    ways = MapKey(table, "ways")
    places = {key: at for at, (key, _) in enumerate(index.maps.maps[ways].elements)}
    assert index.maps.target(ways, places["127.0.0.2"]) == table.chain("there")
    assert [ref.key for ref in index.maps.users(ways)] == [table.chain("out")]
    assert index.maps.options(MapKey(table, "seen"))["127.0.0.3"] == 'counter comment "quiet"'

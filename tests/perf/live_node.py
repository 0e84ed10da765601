"""A namespace that holds the generated node, and what calitop and the save program read of it."""

from __future__ import annotations

import itertools
import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from calitop.counters.sample import ChainReading
from calitop.formats import iptables_save
from calitop.model.rules import Chain, ChainKey, Counter
from calitop.sources import capture
from calitop.sources.kernel import KernelSource
from calitop.sources.kernel_rules import KernelRules
from calitop.sources.legacy_sockets import LegacySocket
from calitop.sources.look import legacy_tables
from calitop.sources.namespace import ReaderThread
from calitop.sources.rule_counters import RuleCounters
from calitop.sources.source import Wanted
from tests.kernel.netns import Namespace, namespace
from tests.perf import generate

Backend = Literal["nft", "legacy"]
BACKENDS: tuple[Backend, ...] = ("nft", "legacy")
TRIES = 5
CAPTURES = {"nft": capture.NFT_IPV4, "legacy": capture.LEGACY_IPV4}
Values = dict[ChainKey, tuple[tuple[Counter | None, ...], Counter | None]]


@dataclass(frozen=True)
class Node:
    """The namespace, with a thread that lives inside."""

    space: Namespace
    backend: Backend
    thread: ReaderThread

    @property
    def save(self) -> list[str]:
        """The program whose text is the truth."""
        return [f"iptables-{self.backend}-save", "-c"]

    def printed(self) -> dict[ChainKey, Chain]:
        """The chains as the save program prints them now."""
        return {
            ChainKey("ipv4", self.backend, table.name, chain.name): chain
            for ruleset in iptables_save.parse(self.space.run(*self.save)).rulesets or ()
            for table in ruleset.tables
            for chain in table.chains.values()
        }

    def ping(self) -> None:
        """Move some counters."""
        self.space.run("ping", "-q", "-c", "3", "-i", "0.01", "127.0.0.1")


@contextmanager
def loaded(size: generate.Size, backend: Backend) -> Iterator[Node]:
    """A fresh namespace with the rules, sets, links and routes of a node; deleted at the end."""
    with namespace(f"bench-{backend}") as space, closing(ReaderThread(space.name)) as thread:
        space.run("ip", "-batch", "-", text="\n".join(_links(size)) + "\n")
        space.run("ip", "-batch", "-", text="\n".join(_routes(size)) + "\n")
        space.run("ipset", "restore", text=generate.ipset_save(size))
        space.run(f"iptables-{backend}-restore", "-c", text=_counted(generate.iptables_save(size)))
        yield Node(space, backend, thread)


def _counted(text: str) -> str:
    """The rules with a count of its own for each, so that none can stand in for another."""
    numbers = itertools.count(1)
    return re.sub(r"\[0:0\]", lambda _: f"[{(number := next(numbers))}:{number * 60}]", text)


def _links(size: generate.Size) -> Iterator[str]:
    """Bridges, which every kernel has; one that snoops would send IGMP of its own and move counters."""
    for link in json.loads(generate.links_json(size)):
        if link["ifname"] != "lo":
            yield f"link add {link['ifname']} type bridge mcast_snooping 0"
            yield f"link set {link['ifname']} up"


def _routes(size: generate.Size) -> Iterator[str]:
    for route in json.loads(generate.routes_json(size)):
        words = ["route add", route["dst"], "dev", route["dev"]]
        for name, word in (("gateway", "via"), ("protocol", "proto"), ("scope", "scope")):
            words += [word, route[name]] if name in route else []
        yield " ".join([*words, *route["flags"]])


# -- correctness ----------------------------------------------------------------------------


def values(chains: Mapping[ChainKey, Chain]) -> Values:
    """Every rule counter and policy, as printed."""
    return {
        key: (tuple(rule.counter for rule in chain.rules), chain.counter if chain.builtin else None)
        for key, chain in chains.items()
    }


def _told(readings: Mapping[ChainKey, ChainReading]) -> Values:
    return {key: (tuple(reading.rules), reading.policy) for key, reading in readings.items()}


def demand_equal(what: str, told: Values, node: Node) -> int:
    """How many rules were compared with what the save program prints.

    Raises:
        SystemExit: A counter differs: nothing that follows would be worth its time.
    """
    there = values(node.printed())
    wrong = sorted(key for key in there.keys() | told.keys() if there.get(key) != told.get(key))
    if wrong:
        raise SystemExit(f"{node.backend}: {what} and {' '.join(node.save)} differ in {wrong[:5]}")
    return sum(len(rules) for rules, _ in there.values())


@contextmanager
def reader_of(node: Node) -> Iterator[tuple[RuleCounters, Values]]:
    """Our reader of the rules' counters with the rules learnt, and all that it knows after a ping."""
    access = KernelRules()
    reader = node.thread.call(lambda: access.counters_of(CAPTURES[node.backend]))
    if reader is None:
        raise SystemExit(f"{node.backend}: this kernel cannot be asked for counters")
    try:
        known = _learnt(node, reader)
        node.ping()
        known |= _told(node.thread.call(lambda: reader.read(Wanted())).chains)
        yield reader, known
    finally:
        node.thread.call(reader.close)
        access.close()


def _learnt(node: Node, reader: RuleCounters) -> Values:
    for _ in range(TRIES):
        chains = node.printed()
        node.thread.call(partial(reader.learn, chains))
        read = node.thread.call(lambda: reader.read(Wanted()))
        if read.changed == frozenset():
            return values(chains) | _told(read.chains)
    raise SystemExit(f"{node.backend}: the rules never stood still")


def whole(node: Node, source: KernelSource) -> Values:
    """What the whole source tells of the rules after a ping."""
    for _ in range(TRIES):
        state = source.structure().state
        node.ping()
        sample = source.counters(Wanted())
        if sample is not None:
            mine = {
                k: c for k, c in state.chains().items() if (k.family, k.backend) == ("ipv4", node.backend)
            }
            return values(mine) | {k: v for k, v in _told(sample.chains).items() if k in mine}
    raise SystemExit(f"{node.backend}: the node never stood still")


class BareLegacy:
    """GET_ENTRIES of every legacy table, and nothing done with the answer; used by one thread."""

    def __init__(self) -> None:
        self._ask = LegacySocket(socket.AF_INET)
        self._sizes = {name: self._ask.shape(name).size for name in legacy_tables("ip_tables_names")}

    def read(self) -> None:
        """Ask for all tables."""
        for name, size in self._sizes.items():
            self._ask.entries(name, size)

    def close(self) -> None:
        """Give the socket back."""
        self._ask.close()

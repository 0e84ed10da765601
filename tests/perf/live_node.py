"""A namespace that holds the generated node, and what calitop and the save program read of it."""

from __future__ import annotations

import itertools
import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from calitop.counters.sample import ChainReading, Sample
from calitop.formats import iptables_save
from calitop.model.rules import Chain, ChainKey, Counter
from calitop.sources import capture
from calitop.sources.kernel import KernelSource
from calitop.sources.kernel_rules import KernelRules
from calitop.sources.legacy_sockets import LegacySocket
from calitop.sources.look import legacy_tables
from calitop.sources.namespace import ReaderThread
from calitop.sources.nfnetlink import (
    FAMILY_NUMBERS,
    GET_RULE,
    TABLE_ATTRIBUTE,
    Nfnetlink,
    attribute,
    question,
)
from calitop.sources.rule_counters import CountersRead, RuleCounters
from calitop.sources.source import Structure, Wanted
from tests.kernel.netns import Namespace, namespace
from tests.perf import generate
from tests.perf.traffic import two_pods

Backend = Literal["nft", "legacy"]
BACKENDS: tuple[Backend, ...] = ("nft", "legacy")
TRIES = 5
SETTLE_S = 1.0
"""Between two comparisons: the kernel answers for a neighbour that is not there after three of these."""
CAPTURES = {"nft": capture.NFT_IPV4, "legacy": capture.LEGACY_IPV4}
Values = dict[ChainKey, tuple[tuple[Counter | None, ...], Counter | None]]


@dataclass(frozen=True)
class Node:
    """The namespace, with a thread that lives inside and the pods behind two of its links."""

    space: Namespace
    backend: Backend
    thread: ReaderThread
    pods: tuple[Namespace, ...]

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
    """A fresh namespace with a node's rules, sets, links and routes, two pods real; deleted at the end."""
    with ExitStack() as stack:
        space = stack.enter_context(namespace(f"bench-{backend}"))
        pods = stack.enter_context(two_pods(space))
        thread = stack.enter_context(closing(ReaderThread(space.name)))
        space.run("ip", "-batch", "-", text="\n".join(_links(size, {"lo", *pods})) + "\n")
        space.run("ip", "-batch", "-", text="\n".join(_routes(size)) + "\n")
        space.run("ipset", "restore", text=generate.ipset_save(size))
        space.run(f"iptables-{backend}-restore", "-c", text=_counted(generate.iptables_save(size)))
        yield Node(space, backend, thread, tuple(pods.values()))


def _counted(text: str) -> str:
    """The rules with a count of its own for each, so that none can stand in for another."""
    numbers = itertools.count(1)
    return re.sub(r"\[0:0\]", lambda _: f"[{(number := next(numbers))}:{number * 60}]", text)


def _links(size: generate.Size, present: set[str]) -> Iterator[str]:
    """Bridges for those that are absent: every kernel has them. One that snoops would send IGMP and count."""
    for link in json.loads(generate.links_json(size)):
        if link["ifname"] not in present:
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


def differing(told: Values, node: Node) -> list[ChainKey]:
    """Chains with a counter or policy that is not what the save program prints."""
    there = values(node.printed())
    return sorted(key for key in there.keys() | told.keys() if there.get(key) != told.get(key))


def moved(before: Values, after: Values) -> int:
    """How many rules have counted in between."""
    return sum(
        old != new
        for key, (rules, _) in after.items()
        for old, new in zip(before[key][0], rules, strict=True)
    )


class OurReader:
    """Our reader of the rules' counters, which keeps what it was told; `read` is for the node's thread."""

    def __init__(self, node: Node) -> None:
        self._node, self._access = node, KernelRules()
        reader = node.thread.call(lambda: self._access.counters_of(CAPTURES[node.backend]))
        if reader is None:
            raise SystemExit(f"{node.backend}: this kernel cannot be asked for counters")
        self._reader: RuleCounters = reader
        self._known = self._learnt()
        self._reads: list[CountersRead] = []

    def _learnt(self) -> Values:
        for _ in range(TRIES):
            chains = self._node.printed()
            self._node.thread.call(partial(self._reader.learn, chains))
            read = self._node.thread.call(lambda: self._reader.read(Wanted()))
            if read.changed == frozenset():
                return values(chains) | _told(read.chains)
        raise SystemExit(f"{self._node.backend}: the rules never stood still")

    def read(self) -> None:
        """One reading."""
        self._reads.append(self._reader.read(Wanted()))

    def known(self) -> Values:
        """Every counter as of one more reading."""
        self._node.thread.call(self.read)
        for read in self._reads:
            self._known |= _told(read.chains)
        self._reads.clear()
        return self._known

    def close(self) -> None:
        """Give back sockets."""
        self._node.thread.call(self._reader.close)
        self._access.close()


class WholePoll:
    """All that a poll of the node reads: rules, links, routes, settings; what it was told is kept.

    The rules never change here, so what was told of counters stays true when links or routes do.
    """

    def __init__(self, node: Node) -> None:
        self._backend = node.backend
        self._source = KernelSource(node.space.name)
        self._structure: Structure = self._source.structure()
        self._samples: list[Sample] = []

    def read(self) -> None:
        """One poll as the poller has it: when something changed, that is read too."""
        sample = self._source.counters(Wanted())
        if sample is not None:
            self._samples.append(sample)
            return
        self._structure = self._source.structure()

    def known(self) -> Values:
        """Every counter as of one more poll."""
        self.read()
        chains = self._structure.state.chains().items()
        mine = {key: one for key, one in chains if (key.family, key.backend) == ("ipv4", self._backend)}
        known = values(mine)
        for sample in self._samples:
            known |= {key: one for key, one in _told(sample.chains).items() if key in mine}
        return known

    def close(self) -> None:
        """End its thread."""
        self._source.close()


def demand_equal(known: Callable[[], Values], node: Node) -> int:
    """How many rules were compared with what the save program prints; what is still on its way may come in.

    Raises:
        SystemExit: A counter differs: what was timed is worth nothing.
    """
    for _ in range(TRIES):
        node.ping()
        told = known()
        if not (wrong := differing(told, node)):
            return sum(len(rules) for rules, _ in told.values())
        time.sleep(SETTLE_S)
    raise SystemExit(f"{node.backend}: we and {' '.join(node.save)} differ in {wrong[:5]}")


class Bare(Protocol):
    """The kernel's part of a reading alone."""

    def read(self) -> None:
        """Ask for all tables, and do nothing with the answer."""

    def close(self) -> None:
        """Give the socket back."""


class BareNft:
    """Every rule of the tables listed by the kernel, and nothing done with the answer; used by one thread."""

    def __init__(self) -> None:
        self._ask = Nfnetlink()
        self._questions = [
            question(GET_RULE, FAMILY_NUMBERS["ipv4"], attribute(TABLE_ATTRIBUTE, name), dump=True)
            for name in ("filter", "nat")
        ]

    def read(self) -> None:
        """Ask for all tables."""
        for asked in self._questions:
            self._ask.dump(asked)

    def close(self) -> None:
        """Give the socket back."""
        self._ask.close()


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

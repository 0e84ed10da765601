"""The loop: a router, its rules, many packets; each prediction beside what the kernel did."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import ip_address

from calitop.formats.spec import spec
from calitop.model import matches
from calitop.model.node import NodeState
from calitop.path.flight import Connection
from calitop.path.node import Node
from calitop.path.packet import ICMP, Ends
from tests.differential import kernel_trace, natives
from tests.differential.calico import Moved
from tests.differential.compare import Predicted, differences, predict
from tests.differential.describe import described
from tests.differential.kernel_trace import Numbers
from tests.differential.networks import Furniture, Router, furnish, router
from tests.differential.packets import Sent, random_fields
from tests.differential.rulesets import Rules
from tests.differential.wires import Observed, Wires

PACKETS_PER_ROUTER = 100
# Of equal priority the chain registered last is called first; calitop takes iptables-nft's for the first.
BACKENDS = (("nft",), ("legacy",), ("legacy", "nft"))


_UNDECIDABLE = (matches.Socket, matches.Statistic, matches.Limit, matches.Unknown)


@dataclass
class Report:
    """What a run found.

    Attributes:
        packets: How many were compared.
        decided: For how many one way alone was predicted.
        wrong: A description of each for which no predicted way was the kernel's.
        open: Why more than one way was predicted, by the first condition.
        ends: What became of the packets.
    """

    packets: int = 0
    decided: int = 0
    wrong: list[str] = field(default_factory=list)
    open: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {name}" for name, count in self.ends.most_common())
        return f"{self.packets} packets ({ends}): {self.decided} decided, {len(self.wrong)} wrong"


def run(count: int, seed: str, backends: Sequence[tuple[str, ...]] = BACKENDS) -> Report:
    """Send at least `count` packets through random routers."""
    report, number = Report(), 0
    while report.packets < count:
        one_router(report, f"{seed}.{number}", min(PACKETS_PER_ROUTER, count - report.packets), backends)
        number += 1
    return report


def one_router(report: Report, seed: str, packets: int, backends: Sequence[tuple[str, ...]]) -> None:
    """All packets of one router; the same seed makes the same one again."""
    rng = random.Random(seed)
    with router() as made:
        network = furnish(made, rng)
        _load(made, network, rng, rng.choice(backends))
        state = made.state()
        made.inside.run("nft", "-f", "-", text=kernel_trace.SWITCH)
        wires = Wires(made.inside.name, made.outside.name, made.cables, made.macs)
        try:
            case = Case(made, Node("router", state), wires, _numbers(made, state), report, seed)
            for sent in _packets(made, network, rng, packets):
                case.one(sent)
        finally:
            wires.close()


def _load(made: Router, network: Furniture, rng: random.Random, backends: tuple[str, ...]) -> None:
    """Rules as Calico writes them or arbitrary ones, some with a table of nft beside."""
    own = Rules(rng, network, made.macs["p0"])
    moved = Moved(rng, network) if rng.random() < 0.3 else None
    made.inside.run("ipset", "restore", text=own.sets() + (moved.sets() if moved else ""))
    for number, backend in enumerate(backends):
        # Mangle in OUTPUT routes anew in each backend, which calitop does once (docs/known-differences.md).
        without = ("mangle", "OUTPUT") if number else None
        made.inside.load(moved.text() if moved and not number else own.text(without), backend)
    if rng.random() < 0.2:
        made.inside.run("nft", "-f", "-", text=natives.table(rng, network))


def _numbers(made: Router, state: NodeState) -> Numbers:
    """Where the rules that the kernel names stand in their chains."""
    legacy = {
        (key.table or "", key.chain): len(chain.rules)
        for key, chain in state.chains().items()
        if key.backend == "legacy"
    }
    return Numbers(kernel_trace.handles(made.inside.run("nft", "-j", "list", "ruleset")), legacy)


def _packets(made: Router, network: Furniture, rng: random.Random, count: int) -> Iterator[Sent]:
    for number in range(count):
        dev = None if rng.random() < 0.3 else rng.choice(list(made.cables))
        yield Sent(
            dev=dev,
            src=rng.choice(("0.0.0.0", *network.own)) if dev is None else network.anywhere(),
            dst=network.anywhere() if dev else network.target(),
            ident=2 * number + 1,
            mark=0 if dev else rng.choice((0, 0, 0x10000, 0x100)),
            **random_fields(rng),
        )


@dataclass
class Case:
    """One router with everything to judge its packets."""

    router: Router
    node: Node
    wires: Wires
    numbers: Numbers
    report: Report
    seed: str

    @cached_property
    def vague(self) -> bool:
        """Whether chance, or something that no file tells, decides any rule."""
        rules = (rule for chain in self.node.chains.values() for rule in chain.rules)
        return any(
            isinstance(match, _UNDECIDABLE) or "random" in rule.text
            for rule in rules
            for match in (*spec(rule).matches, None)
        )

    @cached_property
    def idle(self) -> frozenset[tuple[str, str, str, None]]:
        """Policies that do nothing beside those of another backend: when they are asked is open."""
        if len({key.backend for key in self.node.chains}) < 2:
            return frozenset()
        return frozenset(
            (key.backend or "native", key.table or "", key.chain, None)
            for key, chain in self.node.chains.items()
            if chain.policy == "ACCEPT" and not chain.rules
        )

    def one(self, sent: Sent) -> None:
        """A packet that no connection knows, and its answer where it came out of the router."""
        self.wires.forget()
        right, observed = self._judged(sent, ())
        if right is None or right.dev is None or right.flight.conditions or not observed.out:
            return
        answer = sent.answer_to(observed.out[0], sent.ident + 1)
        if answer is not None:
            self._judged(answer, _as_seen(right.flight.connections, answer))

    def _judged(self, sent: Sent, connections: Sequence[Connection]) -> tuple[Predicted | None, Observed]:
        mac = self.router.macs[self.router.cables[sent.dev]] if sent.dev else None
        predicted = predict(self.node, sent, mac, connections)
        observed = self.wires.exchange(sent, self.numbers)
        observed.rules[:] = [one for one in observed.rules if one.place not in self.idle]
        found = [(one, differences(one, observed, sent, self.vague, self.idle)) for one in predicted]
        right = next((one for one, wrong in found if not wrong), None)
        self._count(predicted, right)
        if right is None:
            self.report.wrong.append(described(self.node, self.seed, sent, observed, found))
        return right, observed

    def _count(self, predicted: Sequence[Predicted], right: Predicted | None) -> None:
        self.report.packets += 1
        self.report.ends[right.verdict if right else "wrong"] += 1
        if len(predicted) == 1:
            self.report.decided += 1
        else:
            self.report.open.update(one.words for one in predicted[0].flight.conditions[:1])


def _as_seen(connections: Sequence[Connection], answer: Sent) -> list[Connection]:
    """Connections whose rewritten ends were left to the kernel, with what it chose."""
    ports = (answer.sport, answer.dport) if answer.protocol != ICMP else (None, None)
    chosen = Ends(ip_address(answer.src), ip_address(answer.dst), *ports)
    return [replace(one, replying=_filled(one.replying, chosen)) for one in connections]


def _filled(ends: Ends, seen: Ends) -> Ends:
    return Ends(
        ends.src or seen.src,
        ends.dst or seen.dst,
        seen.sport if ends.sport is None else ends.sport,
        seen.dport if ends.dport is None else ends.dport,
    )

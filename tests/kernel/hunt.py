"""Faults, alone and stacked, between all kinds of ends: what the lab measures beside what calitop answers.

The seed fixes the order of the cases; `test_verdict_hunt.py` walks the first of them.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from calitop.formats import conntrack_list
from calitop.hits.moved import NodeHits, node_hits
from calitop.model.node import NodeState
from calitop.model.place import Where
from calitop.model.values import Address
from calitop.sources.kernel import KernelSource
from calitop.verdict.answer import answer
from calitop.verdict.records import Verdict
from lab import topology
from lab.faults import FAULTS
from lab.machine import Lab, Settings
from lab.measure import Reading
from lab.measure import read as measure
from lab.plan import KubeProxy, Plan, healthy
from lab.shell import inside
from lab.topology import Node, Pod

NODES = topology.NODES
PACKETS = 5
OUTSIDE = "198.51.100.7"
"""Nobody is there (RFC 5737)."""
SEND = """
import socket, sys, time
kind, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
answered = 0
for number in range(count):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as one:
        one.settimeout(0.3)
        try:
            one.connect((target, 9))
            one.send(b"x" * 40)
            one.recv(100)
        except ConnectionRefusedError:
            answered += 1
        except OSError:
            pass
print(answered)
"""
"""Asks a closed port: a reset or 'port unreachable' is the answer."""


@dataclass(frozen=True, eq=False)
class Fault:
    """Something wrong: fields of the plans, and commands beside them with what undoes them."""

    name: str
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    commands: tuple[tuple[str, str], ...] = ()
    """Namespace's place and shell words, run after loading."""
    undo: tuple[tuple[str, str], ...] = ()
    kube: KubeProxy = "ipvs"


def _drop(name: str, node: str, words: str) -> Fault:
    return Fault(name, commands=((node, f"iptables-BACKEND -t {words}"),))


def _sysctl(name: str, place: str, key: str, value: str, back: str) -> Fault:
    key = key.replace(".", "/")
    return Fault(
        name,
        commands=((place, f"echo {value} > /proc/sys/net/{key}"),),
        undo=((place, f"echo {back} > /proc/sys/net/{key}"),),
    )


OF_THE_LAB = tuple(
    Fault(each.name, each.changes, kube=each.kube) for each in FAULTS if each.name not in ("mtu", "rewriting")
)


def more_faults(source: Pod, target: Pod) -> list[Fault]:
    """Faults that the lab has no name for, some of them about the ends."""
    found: list[Fault] = []
    for node in ("work1", "work2"):
        found += [
            _drop(f"raw-drop@{node}", node, "raw -I PREROUTING -p icmp -j DROP"),
            _drop(f"mangle-drop@{node}", node, "mangle -I PREROUTING -p icmp -j DROP"),
            _drop(f"mangle-forward@{node}", node, "mangle -A FORWARD -p icmp -j DROP"),
            _drop(f"post-drop@{node}", node, "mangle -A POSTROUTING -p icmp -j DROP"),
            _drop(f"out-drop@{node}", node, "filter -I OUTPUT -p 4 -j DROP"),
            _drop(f"raw-out-drop@{node}", node, "raw -I OUTPUT -p udp -j DROP"),
            _drop(f"in-drop@{node}", node, "filter -I INPUT -p udp -j DROP"),
            _drop(f"reject@{node}", node, "filter -I FORWARD ! -p 4 -j REJECT"),
            _drop(f"own-errors@{node}", node, "filter -I OUTPUT -p icmp -j DROP"),
            _drop(f"errors@{node}", node, "filter -I FORWARD -p icmp --icmp-type 3 -j DROP"),
            _drop(
                f"limited@{node}",
                node,
                "filter -I FORWARD -m statistic --mode nth --every 2 --packet 0 -j DROP",
            ),
            _drop(f"request-drop@{node}", node, "filter -I FORWARD -p icmp --icmp-type 8 -j DROP"),
            _drop(f"reply-drop@{node}", node, "filter -I FORWARD -p icmp --icmp-type 0 -j DROP"),
            _drop(f"logged@{node}", node, f"filter -I FORWARD -s {source.ip} -j MARK --set-mark 0"),
            _sysctl(f"no-forward@{node}", node, "ipv4.ip_forward", "0", "1"),
            Fault(
                f"no-back@{node}", {node: {"missing_routes": (source.ip, "default", *topology.CILIUM_RANGES)}}
            ),
        ]
        for kind in ("unreachable", "prohibit", "blackhole"):
            found.append(Fault(f"{kind}-target@{node}", {node: {"routes": (f"{kind} {target.ip}",)}}))
            found.append(Fault(f"{kind}-source@{node}", {node: {"routes": (f"{kind} {source.ip}",)}}))
    place = target.name
    found += [
        _sysctl("mute", place, "ipv4.icmp_echo_ignore_all", "1", "0"),
        _sysctl("rpf-in-pod", place, "ipv4.conf.all.rp_filter", "1", "0"),
        Fault(
            "link-down",
            commands=((node_of(target).name, f"ip link set {target.interface} down"),),
            undo=((node_of(target).name, f"ip link set {target.interface} up"),),
        ),
    ]
    return found


def node_of(pod: Pod) -> Node:
    """The node a pod runs on."""
    return topology.node_of(pod)


@dataclass(frozen=True)
class Case:
    """One experiment."""

    faults: tuple[Fault, ...]
    source: Pod | Node
    target: Pod | Node | str
    protocol: str = "icmp"
    backend: str = "nft"
    size: int = 56

    @property
    def kube(self) -> KubeProxy:
        """kube-proxy's style that all its faults can have."""
        return "iptables" if any(each.kube == "iptables" for each in self.faults) else "ipvs"

    def plans(self) -> dict[str, Plan]:
        """Both nodes with all its faults."""
        plans = healthy(self.kube)
        for fault in self.faults:
            plans = {name: _with(plan, fault.changes.get(name, {})) for name, plan in plans.items()}
        return plans

    def __str__(self) -> str:
        names = "+".join(each.name for each in self.faults) or "healthy"
        return f"{names}: {_name(self.source)} -> {_name(self.target)} {self.protocol} {self.backend}"


def _with(plan: Plan, changes: Mapping[str, Any]) -> Plan:
    joined: dict[str, Any] = {
        name: (*getattr(plan, name), *value) if name in ("sysctls", "routes", "missing_routes") else value
        for name, value in changes.items()
    }
    return replace(plan, **joined)


def _name(end: Pod | Node | str) -> str:
    if isinstance(end, str):
        return end
    if isinstance(end, Node):
        return end.name
    return f"{end.cni}@{node_of(end).name}({end.ip})"


def address(end: Pod | Node | str) -> str:
    """The address of an end."""
    return end if isinstance(end, str) else end.address if isinstance(end, Node) else end.ip


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    case: Case
    answered: int
    moved: Mapping[str, Reading]
    before: Mapping[str, NodeState]
    after: Mapping[str, NodeState]

    @property
    def nodes(self) -> list[NodeHits]:
        """What calitop says moved."""
        return [node_hits(name, self.before[name], self.after[name]) for name in self.before]

    @property
    def ends(self) -> tuple[Address, Address]:
        """Both addresses."""
        return ip_address(address(self.case.source)), ip_address(address(self.case.target))

    def like_captures(self) -> Outcome:
        """The same without what plain captures do not hold: `conntrack -S` and the other backend."""
        return replace(
            self,
            before=_plainer(self.before, self.case.backend),
            after=_plainer(self.after, self.case.backend),
        )

    def drops(self) -> dict[str, int]:
        """Rules and policies that dropped, and statistics of drops, by node, as the lab measured them."""
        found = {}
        for node, moved in self.moved.items():
            for words, count in moved.rules.items():
                if re.search(r"-j (DROP|REJECT)\b|policy DROP$", words):
                    found[f"{node} {words}"] = count
            for words, count in moved.stats.items():
                if not re.search("ForwDatagrams|DestUnreachs", words):
                    found[f"{node} {words}"] = count
        return found


def _plainer(states: Mapping[str, NodeState], backend: str) -> dict[str, NodeState]:
    return {
        name: replace(
            state,
            stats={
                k: v for k, v in (state.stats or {}).items() if not k.startswith(("Conntrack.", "Softnet."))
            },
            rulesets=tuple(each for each in state.rulesets if each.backend == backend),
        )
        for name, state in states.items()
    }


def run(lab: Lab, case: Case) -> Outcome:
    """Load the faults, send, and read before and after."""
    lab.load(Settings(case.backend, case.kube, None), case.plans())
    for place, words in _commands(case):
        inside(lab.namespace(place), "sh", "-e", stdin=words + "\n")
    try:
        return _sent(lab, case)
    finally:
        for fault in case.faults:
            for place, words in fault.undo:
                inside(lab.namespace(place), "sh", stdin=words + "\n")
        # What waits for an answer to its ARP would be sent in the middle of the next case.
        inside(lab.namespace(case.source.name), "ip", "neigh", "flush", "all")


def _commands(case: Case) -> Iterator[tuple[str, str]]:
    for fault in case.faults:
        for place, words in fault.commands:
            yield place, words.replace("BACKEND", case.backend)


def _sent(lab: Lab, case: Case) -> Outcome:
    both = any(plan.other_backend for plan in case.plans().values())
    lows = {node.name: measure(lab, node.name, case.backend, both) for node in NODES}
    before = {node.name: _read(lab, node.name) for node in NODES}
    answered = _send(lab, case)
    highs = {node.name: measure(lab, node.name, case.backend, both) for node in NODES}
    after = {node.name: _read(lab, node.name) for node in NODES}
    moved = {name: highs[name].since(lows[name]) for name in lows}
    return Outcome(case, answered, moved, before, after)


def _read(lab: Lab, node: str) -> NodeState:
    source = KernelSource(lab.namespace(node))
    try:
        state = source.structure().state
    finally:
        source.close()
    listed = conntrack_list.parse(inside(lab.namespace(node), "conntrack", "-L"))
    return replace(state, conntrack=tuple(listed.conntrack or ()))


def _send(lab: Lab, case: Case) -> int:
    place = case.source.name
    prefix = ["ip", "netns", "exec", lab.namespace(place)]
    target = address(case.target)
    if case.protocol == "icmp":
        words = ["ping", "-n", "-c", str(PACKETS), "-i", "0.05", "-W", "0.4", "-s", str(case.size), target]
        if isinstance(case.source, Node):
            words[1:1] = ["-I", case.source.address]
        done = subprocess.run([*prefix, *words], capture_output=True, text=True, check=False)
        found = re.search(r"(\d+) received", done.stdout)
        return int(found[1]) if found else 0
    words = [sys.executable, "-c", SEND, case.protocol, target, str(PACKETS)]
    return int(subprocess.run([*prefix, *words], capture_output=True, text=True, check=True).stdout)


# -- judging -----------------------------------------------------------------------------

_COUNTED = {
    "rp_filter": "TcpExt.IPReversePathFilter",
    "no_route": "IpExt.InNoRoutes",
    "no_forwarding": "Ip.InAddrErrors",
    "ttl": "Ip.InHdrErrors",
    "mtu": "Ip.FragFails",
}
_SILENT = ("blackhole", "unreachable", "prohibit")


def is_true(verdict: Verdict, outcome: Outcome) -> bool:
    """Whether a verdict agrees with what was measured; an undecided one always does."""
    rejects = any("-j REJECT" in words for words in outcome.drops())
    if verdict.where is None:
        return verdict.outcome == "undecided" or outcome.answered == PACKETS
    return (outcome.answered < PACKETS or rejects) and _is_measured(verdict, verdict.where, outcome)


def _is_measured(verdict: Verdict, where: Where, outcome: Outcome) -> bool:
    counted = [words for words, count in outcome.drops().items() if count == verdict.packets]
    if where.chain is not None:
        kind = "policy " if where.kind == "policy" else f"#{where.number} "
        place = f"{where.table} {where.chain} {kind}"
        return any(
            words.startswith((f"{where.node} {place}", f"{where.node} other {place}")) for words in counted
        )
    if where.name in _COUNTED:
        return f"{where.node} {_COUNTED[where.name]}" in counted
    if where.name == "conntrack_full":
        return where.node is not None and outcome.case.plans()[where.node].conntrack_full
    return where.name in _SILENT and not counted


def questions(outcome: Outcome) -> Iterator[tuple[str, Verdict]]:
    """The verdict by what is given: both nodes or one, with and without the flow and the number."""
    full, plain = outcome.nodes, outcome.like_captures().nodes
    yield "all that was read", answer(full, outcome.ends, PACKETS).verdict
    for given, nodes in (("both", plain), *((node.name, [node]) for node in plain)):
        for ends in (outcome.ends, None):
            for packets in (PACKETS, None):
                words = f"{given}{', flow' if ends else ''}{', number' if packets else ''}"
                yield words, answer(nodes, ends, packets).verdict


# -- cases -------------------------------------------------------------------------------


def pairs() -> list[tuple[Pod | Node, Pod | Node | str]]:
    """All kinds of ends."""
    found: list[tuple[Pod | Node, Pod | Node | str]] = []
    for here in NODES:
        there = topology.peer(here)
        mine = (here.calico_pods, here.cilium_pods)
        for pods in mine:
            one = pods[0]
            found += [(one, pods[1]), (one, mine[pods is mine[0]][0])]
            found += [(one, there.calico_pods[0]), (one, there.cilium_pods[0])]
            found += [(one, there), (there, one), (one, here), (here, one), (one, OUTSIDE)]
    return found


def cases(seed: int, backend: str) -> Iterator[Case]:
    """Endless cases, half of them with one fault, across the nodes more often than not."""
    chance = random.Random(seed)
    ends = pairs()
    across = [
        (one, other)
        for one, other in ends
        if isinstance(one, Pod) and isinstance(other, Pod) and node_of(one) is not node_of(other)
    ]
    while True:
        source, target = chance.choice(across if chance.random() < 0.7 else ends)
        yield _case(chance, source, target, backend)


def _case(chance: random.Random, source: Pod | Node, target: Pod | Node | str, backend: str) -> Case:
    pods = [end for end in (source, target) if isinstance(end, Pod)]
    here = source if isinstance(source, Pod) else pods[0]
    there = target if isinstance(target, Pod) else pods[0]
    known = [*OF_THE_LAB, *(OF_THE_LAB if chance.random() < 0.4 else ()), *more_faults(here, there)]
    count = chance.choice((1, 1, 2, 2, 3))
    faults = tuple(chance.sample(list(dict.fromkeys(known)), count)) if chance.random() < 0.97 else ()
    faults = tuple(f for f in faults if f.name not in ("identity-mark",) or chance.random() < 0.3)
    protocol = chance.choice(("icmp",) * 8 + ("tcp", "udp"))
    return Case(faults, source, target, protocol, backend)

"""The rules that a packet passes by on a predicted way, each with the condition that fails.

A way tells only what took the packet. Between two of its steps lie rules that did not: those before
the next step in its chain, and those to the end of every chain that the packet came back from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from calitop.model import matches
from calitop.model.matches import Match
from calitop.model.rules import ChainKey
from calitop.path.matches import conditions
from calitop.path.node import Node
from calitop.path.packet import ICMP, ICMPV6, IPIP, NO_DEVICE, TCP, UDP, Packet
from calitop.path.steps import Step

_NO_END = 1 << 31
_NAMES: dict[int | None, str] = {ICMP: "icmp", IPIP: "ipencap", TCP: "tcp", UDP: "udp", ICMPV6: "ipv6-icmp"}
"""Protocols as iptables-save calls them."""


@dataclass(frozen=True, slots=True)
class PassedBy:
    """A rule that did not take the packet."""

    node: str
    key: ChainKey
    index: int
    """Of the rule in its chain from 0."""
    number: int | None
    """Of the rule from 1; None where the chain is cut."""
    text: str
    because: str
    """The condition that fails, and what the packet has instead: `-i cali+: it comes in by tunl0`."""
    sure: bool
    """False where the condition is open, and the way stands on the assumption that it fails."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What lies between a step and the one before it."""

    rules: tuple[PassedBy, ...] = ()
    others: int = 0
    """Rules of a large chain that name another address or device, not listed one by one."""


def passed_by(nodes: Sequence[Node], steps: Sequence[Step]) -> list[Passed]:
    """For each step the rules passed by on the way to it from the step before.

    Args:
        nodes: The nodes of the way.
        steps: A way from the start of a base chain on: `Path.steps`, and before a branch's steps its path's.
    """
    named = {node.name: node for node in nodes}
    walk = _Walk()
    found = []
    for step in steps:
        node = named.get(step.node)
        if node is None or step.key is None:
            walk = _Walk()
            found.append(Passed())
            continue
        found.append(_between(node, step, walk.reach(node, step)))
        walk.leave(node, step)
    return found


@dataclass(slots=True)
class _Frame:
    """A chain that the packet is in, and the rule that it meets next."""

    key: ChainKey
    next: int = 0


_Stretch = tuple[ChainKey, int, int]


class _Walk:
    """The chains that the packet is in."""

    def __init__(self) -> None:
        self._frames: list[_Frame] = []

    def reach(self, node: Node, step: Step) -> list[_Stretch]:
        """The stretches of rules passed by up to a step."""
        key, end = step.key, _NO_END if step.index is None else step.index
        assert key is not None
        passed = []
        if not any(frame.key == key and frame.next <= end for frame in self._frames):
            self._enter(node, key)
        while self._frames[-1].key != key or self._frames[-1].next > end:
            frame = self._frames.pop()
            passed.append((frame.key, frame.next, _NO_END))
        passed.append((key, self._frames[-1].next, end))
        return passed

    def _enter(self, node: Node, key: ChainKey) -> None:
        """A chain that no step led to: a base chain, or where an element of a verdict map leads."""
        chain = node.chains.get(key)
        if chain is None or chain.builtin or not self._frames or self._frames[-1].key[:3] != key[:3]:
            self._frames = []
        self._frames.append(_Frame(key))

    def leave(self, node: Node, step: Step) -> None:
        """Go where a step's rule sends the packet; a chain left for good has no more rules to meet."""
        frame = self._frames[-1]
        verb, _, chain = step.action.partition(" ")
        led = frame.key._replace(chain=chain)
        if step.kind == "policy" or step.action in ("ACCEPT", "DROP"):
            self._frames = []
            return
        frame.next = _NO_END if step.index is None or verb in ("RETURN", "goto") else step.index + 1
        if verb in ("jump", "goto") and led in node.chains:
            self._frames.append(_Frame(led))


def _between(node: Node, step: Step, stretches: Sequence[_Stretch]) -> Passed:
    rules: list[PassedBy] = []
    others = 0
    for key, first, end in stretches:
        chain = node.chains.get(key)
        if chain is None:
            continue
        last = min(end, len(chain.rules))
        places = [at for at in node.plan(key).candidates([step.packet]) if first <= at < last]
        others += max(0, last - first) - len(places)
        rules += (_passed(node, key, at, step.packet) for at in places)
    return Passed(tuple(rules), others)


def _passed(node: Node, key: ChainKey, index: int, packet: Packet) -> PassedBy:
    plan = node.plan(key)
    rule, said = plan.rules[index], plan.spec(index)
    tested = list(conditions(said, packet, node.world))
    failing = next((match for match, truth in tested if truth is False), None)
    opened = next((match for match, truth in tested if truth is None), None)
    chosen = failing or opened
    because = _because(chosen, packet, failing is None) if chosen is not None else "it only counts"
    return PassedBy(node.name, key, index, rule.number, rule.text, because, failing is not None)


# -- in words


def _because(match: Match, packet: Packet, is_open: bool) -> str:
    words = match.words or (type(match).__name__,)
    told = next(_told(match, packet), None)
    if told is None:
        return f"{' '.join(words)} {'is open' if is_open else 'does not hold'}"
    is_named = words[0] == "-m" and len(words) > 2
    return f"{' '.join(words[2:] if is_named else words)}: {told}"


def _told(match: Match, packet: Packet) -> Iterator[str]:
    """What the packet has of that which a condition asks for, where that is quickly said."""
    if isinstance(match, matches.Interface):
        way, dev = ("comes in", packet.iif) if match.way == "in" else ("goes out", packet.oif)
        yield f"it {way} by {'no device' if dev == NO_DEVICE else dev or 'a device not known'}"
    elif isinstance(match, (matches.IpAddress, matches.AddressRange)):
        own = packet.src if match.side == "src" else packet.dst
        yield f"its {'source' if match.side == 'src' else 'destination'} is {own or 'not known'}"
    elif isinstance(match, matches.Protocol):
        yield f"its protocol is {_NAMES.get(packet.protocol, _number(packet.protocol))}"
    elif isinstance(match, matches.Mark):
        own_mark = packet.mark if match.of == "packet" else packet.connmark
        yield f"its {'mark' if match.of == 'packet' else 'connection mark'} is {own_mark}"
    elif isinstance(match, matches.CtState):
        yield f"its state is {' or '.join(sorted(packet.ct_state))}"
    elif isinstance(match, matches.Ports):
        yield f"its ports are {_number(packet.sport)} to {_number(packet.dport)}"
    elif isinstance(match, matches.Icmp):
        yield f"its ICMP type is {_number(packet.icmp_type)}"
    elif isinstance(match, (matches.InSet, matches.AddrType)):
        yield f"it is from {packet.src or 'an address not known'} to {packet.dst or 'one not known'}"


def _number(value: int | None) -> str:
    return "not known" if value is None else str(value)

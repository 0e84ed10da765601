"""A packet as an operator writes it: pods, interfaces and addresses by name, made into a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from calitop.cni.index import NodeIndex
from calitop.cni.pods import pod_name
from calitop.errors import UsageError
from calitop.model.network import Link
from calitop.model.node import NodeState
from calitop.model.values import Address
from calitop.path.bits import FULL, NO_MARK, Bits
from calitop.path.node import Node
from calitop.path.trace import Protocol, Request
from calitop.probe.known import KnownEnd, known_sources, known_targets


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, in words that need not make sense yet."""

    source: str
    """Pod, interface or address."""
    target: str
    """Pod or address."""
    protocol: Protocol = "icmp"
    port: str = ""
    mark: str = ""
    """`0x2b500f00`, or `VALUE/MASK` where only some bits are known."""
    at: str = ""
    """Where it starts: a node, an interface, or `NODE:INTERFACE`; empty to find it."""


def request_of(question: Question, nodes: Sequence[Node]) -> Request:
    """The request that a question comes to.

    Args:
        question: What the operator wrote.
        nodes: Where names are looked up; a name that several know is the first one's.

    Raises:
        UsageError: An end is missing or unknown, the families differ, a number is none.
    """
    start = _Start.of(question.at, nodes)
    source, found = _source(question.source, nodes)
    target = _address(question.target, nodes, "destination")
    if source.version != target.version:
        raise UsageError(
            f"'{question.source}' and '{question.target}' are of different families",
            "give two IPv4 or two IPv6 ends",
        )
    return Request(
        src=source,
        dst=target,
        protocol=question.protocol,
        dport=_port(question),
        mark=mark_of(question.mark),
        on=start.on or found.on,
        dev=start.dev or found.dev,
        reply=True,
    )


def mark_of(text: str) -> Bits:
    """A mark as `V` or `V/M`: with a mask only its bits are known; no text is no mark.

    Raises:
        UsageError: It is no number of 32 bits.
    """
    value, slash, mask = text.strip().partition("/")
    try:
        numbers = int(value or "0", 0), int(mask, 0) if slash else FULL
    except ValueError:
        numbers = (-1, -1)
    if not all(0 <= number <= FULL for number in numbers):
        raise UsageError(f"mark: '{text}' is no number of 32 bits", "give one like 0x2b500f00, or VALUE/MASK")
    return Bits(*numbers) if text.strip() else NO_MARK


def known_ends(states: Iterable[NodeState]) -> tuple[list[KnownEnd], list[KnownEnd]]:
    """Sources and destinations that the nodes know: pods first, then interfaces and addresses.

    An interface that several nodes have is left out: its name does not tell which is meant.
    """
    indexes = [NodeIndex(state) for state in states]
    sources = [end for index in indexes for end in known_sources(index)]
    targets = [end for index in indexes for end in known_targets(index)]
    names = [link.name for index in indexes for link in index.state.links]
    shared = {name for name in names if names.count(name) > 1}
    pods = [end for end in targets if "/" in end.name]
    return _each_once([*pods, *(end for end in sources if end.name not in shared)]), _each_once(targets)


def _each_once(ends: Iterable[KnownEnd]) -> list[KnownEnd]:
    """Pods before what has no name of its own."""
    found: dict[str, KnownEnd] = {}
    for end in ends:
        found.setdefault(end.name, end)
    return sorted(found.values(), key=lambda end: "/" not in end.name)


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a packet starts, as far as it is told."""

    on: str | None = None
    dev: str | None = None

    @classmethod
    def of(cls, text: str, nodes: Sequence[Node]) -> _Start:
        """What a field says: a node, an interface, or both."""
        names = [node.name for node in nodes]
        on, colon, dev = text.partition(":")
        if colon and on in names and dev:
            return cls(on, dev)
        if text in ("", *names):
            return cls(text or None)
        found = [node.name for node in nodes if text in node.world.links]
        if len(found) == 1:
            return cls(found[0], text)
        reason = f"{' and '.join(found)} have it" if found else "it is neither a node nor an interface of one"
        raise UsageError(f"no start at '{text}': {reason}", "give NODE or NODE:INTERFACE")


def _port(question: Question) -> int | None:
    text = question.port
    if question.protocol == "icmp" or not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= 65535):
        raise UsageError(f"port: '{text}' is no number from 1 to 65535", "give one")
    return int(text)


def _source(text: str, nodes: Sequence[Node]) -> tuple[Address, _Start]:
    """The source's address; of an interface also where it is."""
    for node in nodes:
        link = node.world.links.get(text)
        if link is None:
            continue
        address, is_own = _behind(node, link)
        if address is not None:
            return address, _Start(node.name) if is_own else _Start(node.name, text)
        raise UsageError(
            f"no address is known behind '{text}' of {node.name}",
            f"give the address, and {node.name}:{text} as its start",
        )
    return _address(text, nodes, "source"), _Start()


def _behind(node: Node, link: Link) -> tuple[Address | None, bool]:
    """The address of the pod behind a link, or the node's own on it, and whether it is that."""
    pods = [pod.ip for pod in node.state.pods if pod.interface == link.name and pod.ip]
    routed = [
        route.dst
        for route in node.state.routes
        if route.dev == link.name and _is_single(route.dst, route.gateway)
    ]
    behind = [ip_address(_bare(text)) for text in (*pods, *routed)]
    own = [address for address in map(ip_address, map(_bare, link.addresses)) if not address.is_link_local]
    found = next((address for address in behind if address not in own), None)
    return (found, False) if found is not None else (next(iter(own), None), True)


def _is_single(dst: str, gateway: str | None) -> bool:
    return gateway is None and dst.partition("/")[2] in ("32", "128")


def _address(text: str, nodes: Sequence[Node], end: str) -> Address:
    """An address, or that of the pod whose name it is."""
    if not text:
        raise UsageError(f"nothing is said of the {end}", "choose a pod or an address")
    try:
        return ip_address(_bare(text))
    except ValueError:
        pass
    found = set(_pod_addresses(text, nodes))
    if len(found) != 1:
        reason = "several pods are called so" if found else "it is neither an address nor a known pod"
        raise UsageError(
            f"no {end} '{text}': {reason}", "give an IP address, or --pods FILE with the pods' names"
        )
    return ip_address(found.pop())


def _pod_addresses(name: str, nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        for pod in node.state.pods:
            if pod.ip and name in (pod.name, pod_name(pod)):
                yield _bare(pod.ip)


def _bare(text: str) -> str:
    return text.split("/")[0]

"""A packet as an operator writes it: pods, interfaces and addresses by name, made into a request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from calitop.cni.index import NodeIndex
from calitop.errors import UsageError
from calitop.hits.asked import both_ends
from calitop.model.network import Link
from calitop.model.node import NodeState
from calitop.model.values import Address
from calitop.path.bits import Bits, parse_mark
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
        nodes: Where names are looked up; an interface that several have is the first one's.

    Raises:
        UsageError: An end is missing or unknown, the families differ, a number is none.
    """
    start = _start(question.at, nodes)
    source = _source(question.source, nodes)
    src, dst = both_ends((pod for node in nodes for pod in node.state.pods), source.end, question.target)
    return Request(
        src=src,
        dst=dst,
        protocol=question.protocol,
        dport=_port(question),
        mark=_mark(question.mark),
        on=start.on or source.on,
        dev=start.dev or source.dev,
        reply=True,
    )


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
    end: str = ""
    """The source, an address or a pod."""


def _start(text: str, nodes: Sequence[Node]) -> _Start:
    """What is said of the start: a node, an interface, or both."""
    names = [node.name for node in nodes]
    on, colon, dev = text.partition(":")
    if colon and on in names:
        links = nodes[names.index(on)].world.links
        if links and dev not in links:
            raise UsageError(f"no start at '{text}': {on} has no interface '{dev}'", "give one that it has")
        return _Start(on, dev)
    if text in ("", *names):
        return _Start(text or None)
    found = [node.name for node in nodes if text in node.world.links]
    if len(found) == 1:
        return _Start(found[0], text)
    reason = f"{' and '.join(found)} have it" if found else "it is neither a node nor an interface of one"
    raise UsageError(f"no start at '{text}': {reason}", "give NODE or NODE:INTERFACE")


def _mark(text: str) -> Bits:
    try:
        return parse_mark(text or "0")
    except ValueError as error:
        raise UsageError(str(error), "give VALUE or VALUE/MASK") from None


def _port(question: Question) -> int | None:
    text = question.port
    if question.protocol == "icmp" or not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= 65535):
        raise UsageError(f"port: '{text}' is no number from 1 to 65535", "give one")
    return int(text)


def _source(text: str, nodes: Sequence[Node]) -> _Start:
    """The source; of an interface the address behind it, and where it is."""
    node = next((node for node in nodes if text in node.world.links), None)
    if node is None:
        return _Start(end=text)
    address, is_own = _behind(node, node.world.links[text])
    if address is None:
        raise UsageError(
            f"no address is known behind '{text}' of {node.name}",
            f"give the address, and {node.name}:{text} as its start",
        )
    return _Start(node.name, None if is_own else text, str(address))


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


def _bare(text: str) -> str:
    return text.split("/")[0]

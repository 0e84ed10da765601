"""Exactly what a probe would send, from where and to where, before anything is sent."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from ipaddress import ip_network

from calitop.cni.index import NodeIndex
from calitop.errors import UsageError
from calitop.model.node import NodeState
from calitop.model.values import Address
from calitop.probe.connect import DATAGRAM
from calitop.probe.judge import what_is_sent
from calitop.probe.node import ProbedNode
from calitop.probe.origin import address_of, find_origin
from calitop.probe.records import DATA_BYTES, MOST, Origin, Request

_HEADERS = {4: 20 + 8, 6: 40 + 8}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request comes to on a node; two that are equal send the same."""

    request: Request
    origin: Origin
    target: Address
    why_not_here: str | None = None
    """Why the operator must send; None where calitop sends."""

    @property
    def words(self) -> str:
        """What is sent, from where and to where; or whose packets are waited for."""
        if self.why_not_here is not None:
            return f"{self.origin} {self.why_not_here}; your own ping from there is waited for: {self.ping}"
        space = self.origin.space
        inside = f"network namespace {space}" if space else "the node's own network namespace"
        return f"{self._packets()}: from {self.origin}, in {inside}, to {self.target}"

    @property
    def ping(self) -> str:
        """The operator's command, to be run at the source."""
        return f"ping -c {self.request.count} {self.target}"

    def _packets(self) -> str:
        each = {
            "icmp": f" of {DATA_BYTES + _HEADERS[self.target.version]} bytes",
            "tcp": " (SYN), each closed at once",
            "udp": f" of {len(DATAGRAM) + _HEADERS[self.target.version]} bytes",
        }
        return what_is_sent(self.request, self.request.count) + each[self.request.protocol]


def plan_probe(node: ProbedNode, index: NodeIndex, request: Request) -> Plan:
    """What the request comes to; looks into network namespaces, sends nothing.

    Args:
        node: The node that is to be probed.
        index: Over its state.
        request: What the operator asks for.

    Raises:
        UsageError: The request makes no sense on this node, or must not be sent.
        SourceUnavailable, NeedPrivilege: The source's namespace cannot be found or entered.
    """
    _check(request)
    target = address_of(index, request.target)
    refuse_unsafe(target, index.state)
    origin = find_origin(node, index, request.source, target)
    return Plan(request, origin, target, None if origin.here else _why_not_here(node))


def _why_not_here(node: ProbedNode) -> str:
    return "is not on this node" if node.can_send else "is behind a prefix, from where nothing is sent"


def _check(request: Request) -> None:
    if not 1 <= request.count <= MOST:
        raise UsageError(f"{request.count} packets are not sent", f"give a count from 1 to {MOST}")
    if request.protocol != "icmp" and not (request.port and 1 <= request.port <= 65535):
        raise UsageError(f"'{request.port}' is no port", "give a port from 1 to 65535")


def refuse_unsafe(target: Address, state: NodeState) -> None:
    """Check that the address is one machine's.

    Raises:
        UsageError: It is a multicast, broadcast, loopback or unspecified address.
    """
    kind = (
        "a multicast address"
        if target.is_multicast
        else "a broadcast address"
        if _is_broadcast(target, state)
        else "no address of a machine"
        if target.is_unspecified or target.is_loopback or target.is_link_local
        else None
    )
    if kind is not None:
        raise UsageError(f"nothing is sent to {target}: it is {kind}", "give the address of a pod or a node")


def _is_broadcast(target: Address, state: NodeState) -> bool:
    if target.version != 4:
        return False
    if str(target) == "255.255.255.255":
        return True
    if any(route.type == "broadcast" and route.dst.split("/")[0] == str(target) for route in state.routes):
        return True
    networks = [ip_network(text, strict=False) for link in state.links for text in link.addresses]
    return any(each.prefixlen < 31 and target == each.broadcast_address for each in networks)


def command_of(request: Request) -> str:
    """The request as a command line of `calitop probe`, for the shell of that node."""
    port = [] if request.protocol == "icmp" else [f"--{request.protocol}", str(request.port)]
    ends = ["--from", request.source, "--to", request.target]
    return shlex.join(["calitop", "probe", *ends, *port, "--count", str(request.count)])

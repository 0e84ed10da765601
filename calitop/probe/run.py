"""One probe from beginning to end: background, baseline, packets, what moved, the answer.

The only caller of what sends. Blocks for some seconds, prints nothing, and leaves nothing
behind; run it in a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from calitop.cni.index import NodeIndex
from calitop.errors import CalitopError, NeedPrivilege, SourceUnavailable, UsageError
from calitop.hits.ends import End
from calitop.model.node import NodeState
from calitop.model.values import Address
from calitop.probe.background import hits_without, measure, remark
from calitop.probe.connect import DATAGRAM, SYN_PATIENCE_S, connect_tcp, send_datagrams
from calitop.probe.echo import send_echoes
from calitop.probe.judge import quiet, weigh, what_is_sent
from calitop.probe.node import ProbedNode, Reading
from calitop.probe.origin import address_of, find_origin
from calitop.probe.pace import Pace
from calitop.probe.records import (
    DATA_BYTES,
    MOST,
    Background,
    Cancelled,
    OnProgress,
    Origin,
    ProbeCancelled,
    ProbeResult,
    Progress,
    Request,
    Sending,
)
from calitop.probe.watch import packets_seen, sent_as_asked
from calitop.sources.namespace import ReaderThread
from calitop.verdict.answer import Answer, answer

BACKGROUND_S = 1.0
PATIENCE_S = 1.0
"""How long the last reply is waited for."""
_SETTLE_S = 0.1
"""For the last packets to pass all rules."""
_LOOK_EVERY_S = 0.5
_HEADERS = {4: 20 + 8, 6: 40 + 8}


def probe(
    node: ProbedNode, request: Request, on_progress: OnProgress, cancelled: Cancelled = lambda: False
) -> ProbeResult:
    """Sends what is asked for, or waits for the operator to send it, and tells what became of it.

    Args:
        node: The node to read, and to send from where the source is on it.
        request: What to send.
        on_progress: Told of each step, from threads of the probe too. Before anything is sent it
            is told exactly what (`sending`).
        cancelled: Asked several times a second; True ends the probe.

    Raises:
        UsageError: The request makes no sense on this node, or must not be sent.
        SourceUnavailable, NeedPrivilege: The node cannot be read, or the namespace not entered.
        ProbeCancelled: The operator stopped it.
    """
    _check(request)
    on_progress(Progress("background", "measuring what moves by itself"))
    first = node.read()
    index = NodeIndex(first.state)
    target = address_of(index, request.target)
    refuse_unsafe(target, first.state)
    origin = find_origin(node, index, request.source, target)
    _pause(first.at + BACKGROUND_S - time.monotonic(), cancelled)
    on_progress(Progress("baseline", "taking the baseline"))
    baseline = node.read()
    run = _Run(node, request, origin, target, first, baseline, on_progress, cancelled)
    return run.sent_here() if origin.here else run.sent_elsewhere()


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


def _check(request: Request) -> None:
    if not 1 <= request.count <= MOST:
        raise UsageError(f"{request.count} packets are not sent", f"give a count from 1 to {MOST}")
    if request.protocol != "icmp" and not (request.port and 1 <= request.port <= 65535):
        raise UsageError(f"'{request.port}' is no port", "give a port from 1 to 65535")


def _pause(seconds: float, cancelled: Cancelled) -> None:
    until = time.monotonic() + seconds
    while True:
        if cancelled():
            raise ProbeCancelled("the probe was stopped")
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, Pace.BEAT_S))


class _Run:
    """What is the same whoever sends."""

    def __init__(
        self,
        node: ProbedNode,
        request: Request,
        origin: Origin,
        target: Address,
        first: Reading,
        baseline: Reading,
        on_progress: OnProgress,
        cancelled: Cancelled,
    ) -> None:
        self._node, self._request, self._origin, self._target = node, request, origin, target
        self._baseline, self._tell, self._cancelled = baseline, on_progress, cancelled
        self._stopped = threading.Event()
        self._name = baseline.state.name or "node"
        self._background = measure(self._name, first, baseline)

    # -- calitop sends ------------------------------------------------------------------

    def sent_here(self) -> ProbeResult:
        """Send, and read what moved."""
        self._tell(Progress("sending", self._announcement(), 0, self._request.count))
        sending = self._send()
        _pause(_SETTLE_S, self._cancelled)
        self._tell(Progress("reading", "reading what moved"))
        now = self._node.read()
        found = self._answer(now, sending.sent or None)
        verdict = weigh(found.verdict, self._request, sending, self._background)
        return self._result(now, replace(found, verdict=verdict), sending, None)

    def _announcement(self) -> str:
        origin = self._origin
        each = {
            "icmp": f" of {DATA_BYTES + _HEADERS[self._target.version]} bytes",
            "tcp": " (SYN), each closed at once",
            "udp": f" of {len(DATAGRAM) + _HEADERS[self._target.version]} bytes",
        }[self._request.protocol]
        inside = f"network namespace {origin.space}" if origin.space else "the node's own network namespace"
        what = what_is_sent(self._request, self._request.count)
        return f"sending {what}{each}: from {origin}, in {inside}, to {self._target}"

    def _send(self) -> Sending:
        patience = SYN_PATIENCE_S if self._request.protocol == "tcp" else PATIENCE_S
        pace = Pace(self._request.count, self._tell, self._is_stopped, patience)
        try:
            return self._inside(lambda: self._send_now(pace))
        except KeyboardInterrupt:
            self._stopped.set()
            raise
        except OSError as error:
            raise self._refused(error) from error

    def _inside(self, work: Callable[[], Sending]) -> Sending:
        if self._origin.space is None:
            return self._node.inside(work)
        thread = ReaderThread(self._origin.space)
        try:
            return thread.call(work)
        except KeyboardInterrupt:
            self._stopped.set()  # before the thread is waited for: it must not send on
            raise
        finally:
            thread.close()

    def _is_stopped(self) -> bool:
        return self._stopped.is_set() or self._cancelled()

    def _send_now(self, pace: Pace) -> Sending:
        ends, port, count = (self._origin.address, self._target), self._request.port or 0, self._request.count
        if self._request.protocol == "tcp":
            return connect_tcp(*ends, port, count, pace)
        if self._request.protocol == "udp":
            return send_datagrams(*ends, port, count, pace)
        return send_echoes(*ends, count, pace)

    def _refused(self, error: OSError) -> CalitopError:
        what = f"cannot send from {self._origin.address} to {self._target}: {error.strerror or error}"
        if isinstance(error, PermissionError):
            return NeedPrivilege(what, "run as root")
        return SourceUnavailable(what, "check the address and the routes of the source")

    # -- the operator sends -------------------------------------------------------------

    def sent_elsewhere(self) -> ProbeResult:
        """Wait until the operator's own packets were seen, or for as long as was asked."""
        count, until = self._request.count, time.monotonic() + self._request.wait_s
        self._tell(Progress("waiting", self._invitation(), 0, count))
        seen, now = 0, self._baseline
        while time.monotonic() < until:
            _pause(_LOOK_EVERY_S, self._cancelled)
            now = self._node.read()
            before, seen = seen, self._seen(now)
            if seen != before:
                self._tell(Progress("waiting", f"ping now: {min(seen, count)}/{count} seen", seen, count))
            elif seen >= count:
                break
        found = self._answer(now, None)
        if seen and (asked := sent_as_asked(found.nodes, count)):
            found = self._answer(now, asked)
        return self._result(now, replace(found, verdict=quiet(found.verdict, self._background)), None, seen)

    def _invitation(self) -> str:
        why = (
            "is not on this node" if self._node.can_send else "is behind a prefix, from where nothing is sent"
        )
        ping = f"ping -c {self._request.count} {self._target}"
        return f"{self._origin} {why}: ping now, from there: {ping}"

    def _seen(self, now: Reading) -> int:
        found = self._answer(now, None)
        return packets_seen(found.nodes, found.flow) if found.flow else 0

    # -- both ---------------------------------------------------------------------------

    def _answer(self, now: Reading, packets: int | None) -> Answer:
        origin = self._origin
        hits = hits_without(self._name, self._background, self._baseline, now)
        source = End(self._name, origin.device) if origin.space is not None else None
        return answer([hits], (origin.address, self._target), packets, source)

    def _result(self, now: Reading, found: Answer, sending: Sending | None, seen: int | None) -> ProbeResult:
        background: Background = replace(self._background, window_s=now.at - self._baseline.at)
        verdict = replace(found.verdict, evidence=(*found.verdict.evidence, *remark(background)))
        told = replace(found, verdict=verdict)
        return ProbeResult(self._request, self._origin, self._target, sending, seen, background, told)

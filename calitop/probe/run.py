"""One probe from beginning to end: background, baseline, packets, what moved, the answer.

The only caller of what sends. Blocks for some seconds, prints nothing, and leaves nothing
behind; run it in a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from calitop.cni.index import NodeIndex
from calitop.errors import CalitopError, NeedPrivilege, SourceUnavailable, UsageError
from calitop.hits.ends import End
from calitop.probe.background import hits_without, measure, remark
from calitop.probe.connect import SYN_PATIENCE_S, connect_tcp, send_datagrams
from calitop.probe.echo import send_echoes
from calitop.probe.judge import quiet, weigh
from calitop.probe.node import ProbedNode, Reading
from calitop.probe.pace import Pace
from calitop.probe.plan import Plan, plan_probe
from calitop.probe.records import (
    Background,
    Cancelled,
    OnProgress,
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


def probe(
    node: ProbedNode,
    request: Request,
    on_progress: OnProgress,
    cancelled: Cancelled = lambda: False,
    agreed: Plan | None = None,
) -> ProbeResult:
    """Sends what is asked for, or waits for the operator to send it, and tells what became of it.

    Args:
        node: The node to read, and to send from where the source is on it.
        request: What to send.
        on_progress: Told of each step, from threads of the probe too. Before anything is sent it
            is told exactly what (`sending`).
        cancelled: Asked several times a second; True ends the probe.
        agreed: What the operator was shown beforehand; nothing else is sent.

    Raises:
        UsageError: The request makes no sense on this node, must not be sent, or has come to
            something else than was agreed.
        SourceUnavailable, NeedPrivilege: The node cannot be read, or the namespace not entered.
        ProbeCancelled: The operator stopped it.
    """
    on_progress(Progress("background", "measuring what moves by itself"))
    first = node.read()
    plan = plan_probe(node, NodeIndex(first.state), request)
    if agreed is not None and plan != agreed:
        raise UsageError(f"nothing was sent: now it would be {plan.words}", "look again, then send")
    _pause(first.at + BACKGROUND_S - time.monotonic(), cancelled)
    on_progress(Progress("baseline", "taking the baseline"))
    run = _Run(node, plan, first, node.read(), on_progress, cancelled)
    return run.sent_here() if plan.origin.here else run.sent_elsewhere()


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
        plan: Plan,
        first: Reading,
        baseline: Reading,
        on_progress: OnProgress,
        cancelled: Cancelled,
    ) -> None:
        self._node, self._plan = node, plan
        self._request, self._origin, self._target = plan.request, plan.origin, plan.target
        self._baseline, self._tell, self._cancelled = baseline, on_progress, cancelled
        self._stopped = threading.Event()
        self._name = baseline.state.name or "node"
        self._background = measure(self._name, first, baseline)

    # -- calitop sends ------------------------------------------------------------------

    def sent_here(self) -> ProbeResult:
        """Send, and read what moved."""
        self._tell(Progress("sending", f"sending {self._plan.words}", 0, self._request.count))
        sending = self._send()
        _pause(_SETTLE_S, self._cancelled)
        self._tell(Progress("reading", "reading what moved"))
        now = self._node.read()
        found = self._answer(now, sending.sent or None)
        verdict = weigh(found.verdict, self._request, sending, self._background)
        return self._result(now, replace(found, verdict=verdict), sending, None)

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
        return f"{self._origin} {self._plan.why_not_here}: ping now, from there: {self._plan.ping}"

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

"""A prober that sends nothing: tests decide what it answers, step by step."""

from __future__ import annotations

import queue
from ipaddress import ip_address

from calitop.cni.index import NodeIndex
from calitop.errors import CalitopError, UsageError
from calitop.hits.moved import NodeHits
from calitop.probe.plan import Plan
from calitop.probe.prober import Prober
from calitop.probe.records import (
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
from calitop.verdict.answer import answer
from tests.tui.node import POD_A

SPACE = "/run/netns/cni-3d1f6a"


class FakeProber(Prober):
    """Plans for two addresses; a probe makes the steps that the test gives it."""

    def __init__(self, hits: NodeHits | None = None, here: bool = True) -> None:
        super().__init__()
        self.hits = hits
        self.here = here
        self.refusal: CalitopError | None = None
        """Why nothing can be planned."""
        self.probed: list[Plan | None] = []
        """What was agreed upon, one for each probe that was begun."""
        self.steps: queue.Queue[Progress | CalitopError | None] = queue.Queue()
        """Steps of the running probe; an error ends it, None ends it with the answer."""

    def plan(self, index: NodeIndex, request: Request) -> Plan:
        """Addresses only."""
        if self.refusal is not None:
            raise self.refusal
        try:
            target = ip_address(request.target)
        except ValueError:
            raise UsageError(f"no address is known of '{request.target}'", "give an IP address") from None
        origin = Origin(ip_address("10.222.160.4"), self.here, SPACE, POD_A)
        return Plan(request, origin, target, None if self.here else "is not on this node")

    def probe(
        self,
        request: Request,
        on_progress: OnProgress,
        cancelled: Cancelled = lambda: False,
        agreed: Plan | None = None,
    ) -> ProbeResult:
        """The steps of the test, then the answer over its hits."""
        self.probed.append(agreed)
        while True:
            if cancelled():
                raise ProbeCancelled("the probe was stopped")
            try:
                step = self.steps.get(timeout=0.02)
            except queue.Empty:
                continue
            if isinstance(step, CalitopError):
                raise step
            if step is None:
                return self._result(request, agreed)
            on_progress(step)

    def _result(self, request: Request, agreed: Plan | None) -> ProbeResult:
        assert agreed is not None and self.hits is not None
        sending = Sending(request.count, (None,) * request.count) if self.here else None
        found = answer([self.hits], None, request.count)
        seen = None if self.here else request.count
        return ProbeResult(request, agreed.origin, agreed.target, sending, seen, Background(1.0), found)

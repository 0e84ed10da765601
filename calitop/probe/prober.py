"""A node that can be probed again and again: each probe reads it anew and leaves nothing open."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from calitop.probe.records import Cancelled, OnProgress, ProbeResult, Request

if TYPE_CHECKING:
    from calitop.cni.index import NodeIndex
    from calitop.probe.node import ProbedNode
    from calitop.probe.plan import Plan


class Prober:
    """Plans and probes; each call blocks, so a thread of its own is the place for it.

    Args:
        netns: Named network namespace that is the node; None for the one calitop is in.
        via: Prefix of another machine; nothing can be sent from there.
        pods: File with the output of `kubectl get pods`.
    """

    def __init__(self, netns: str | None = None, via: str | None = None, pods: Path | None = None) -> None:
        self._netns, self._via, self._pods = netns, via, pods

    def plan(self, index: NodeIndex, request: Request) -> Plan:
        """Exactly what would be sent, by the node as the index has it; sends nothing.

        Raises:
            CalitopError: As `calitop.probe.plan.plan_probe`.
        """
        from calitop.probe.plan import plan_probe

        with closing(self._node()) as node:
            return plan_probe(node, index, request)

    def probe(
        self,
        request: Request,
        on_progress: OnProgress,
        cancelled: Cancelled = lambda: False,
        agreed: Plan | None = None,
    ) -> ProbeResult:
        """Send, and tell what became of it.

        Raises:
            CalitopError: As `calitop.probe.run.probe`.
        """
        from calitop.probe.run import probe

        with closing(self._node()) as node:
            return probe(node, request, on_progress, cancelled, agreed)

    def _node(self) -> ProbedNode:
        from calitop.probe.node import ProbedNode

        return ProbedNode(self._netns, self._via, self._pods)

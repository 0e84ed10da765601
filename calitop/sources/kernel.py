"""This kernel as a live source: programs for rules, netlink and files for counters, events for links."""

from __future__ import annotations

from pathlib import Path

from calitop.counters.sample import Sample
from calitop.model.node import IpSet
from calitop.sources.kernel_rules import KernelRules
from calitop.sources.kernel_runner import KernelRunner
from calitop.sources.live import LiveReading
from calitop.sources.namespace import ReaderThread
from calitop.sources.pods import listed_pods
from calitop.sources.set_members import read_set
from calitop.sources.source import Structure, Wanted


class KernelSource:
    """The node that calitop runs on, or one of its named network namespaces.

    Args:
        netns: Name of a network namespace to read inside; None for the one calitop is in.
        pods: File with the output of `kubectl get pods`; without it the kubelet's log
            folders tell which pods are here.
    """

    def __init__(self, netns: str | None = None, pods: Path | None = None) -> None:
        self.name = netns or "this node"
        self._thread = ReaderThread(netns)
        self._access = KernelRules()
        self._runner = KernelRunner()
        listed = listed_pods(pods) if pods else ()
        self._reading = LiveReading(self._runner, netns, listed, access=self._access)

    def structure(self) -> Structure:
        """See `source.Source.structure`."""
        answer = self._thread.call(lambda: self._reading.structure())
        self.name = answer.state.name or self.name
        return answer

    def refresh(self) -> Structure:
        """See `poller.Refreshing`: what changed beside the rules, without reading anything."""
        return self._thread.call(self._reading.refresh)

    def counters(self, wanted: Wanted) -> Sample | None:
        """See `source.Source.counters`."""
        return self._thread.call(lambda: self._reading.counters(wanted))

    def set_members(self, name: str) -> IpSet:
        """See `source.TellsSets.set_members`."""
        return self._thread.call(lambda: read_set(self._runner, name))

    def processor_s(self) -> float:
        """See `poller.Metered`."""
        return self._thread.processor_s()

    def close(self) -> None:
        """End the thread and what it listens to; may be called twice."""
        self._reading.close()
        self._access.close()
        self._thread.close()
        self._runner.close()

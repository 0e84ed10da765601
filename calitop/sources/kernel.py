"""This kernel as a live source: programs for rules, netlink and files for counters, events for links."""

from __future__ import annotations

from pathlib import Path

from calitop.counters.sample import Sample
from calitop.sources.events import LinkEvents
from calitop.sources.kernel_rules import KernelRules
from calitop.sources.live import LiveReading
from calitop.sources.local import LocalRunner
from calitop.sources.namespace import ReaderThread
from calitop.sources.pods import listed_pods
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
        self._events: LinkEvents | None = None
        self._access = KernelRules()
        listed = listed_pods(pods) if pods else ()
        self._reading = LiveReading(LocalRunner(), netns, listed, access=self._access)

    def structure(self) -> Structure:
        """See `source.Source.structure`."""
        answer = self._thread.call(lambda: self._reading.structure(self._links_changed()))
        self.name = answer.state.name or self.name
        return answer

    def refresh(self) -> Structure:
        """See `poller.Refreshing`: what changed beside the rules, without reading anything."""
        return self._thread.call(self._reading.refresh)

    def counters(self, wanted: Wanted) -> Sample | None:
        """See `source.Source.counters`."""
        return self._thread.call(lambda: self._reading.counters(wanted, self._links_changed()))

    def processor_s(self) -> float:
        """See `poller.Metered`."""
        return self._thread.processor_s()

    def close(self) -> None:
        """End both threads; may be called twice."""
        if self._events is not None:
            self._events.close()
        self._reading.close()
        self._access.close()
        self._thread.close()

    def _links_changed(self) -> bool:
        """Asked inside the reader thread, so that the events are those of its namespace."""
        if self._events is None:
            self._events = LinkEvents()
            self._events.start()
        return self._events.take()

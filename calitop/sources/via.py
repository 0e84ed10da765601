"""A node read through any prefix that runs a command there, one round trip a poll."""

from __future__ import annotations

from pathlib import Path

from calitop.counters.sample import Sample
from calitop.model.node import IpSet
from calitop.sources.live import LiveReading
from calitop.sources.pods import listed_pods
from calitop.sources.set_members import read_set
from calitop.sources.shell import ShellRunner
from calitop.sources.source import Structure, Wanted


class CommandSource:
    """The node at the far end of a prefix such as `ssh root@node`.

    There are no events through a prefix: each poll reads links and routes too.

    Args:
        prefix: The words of `--via`; `sh` is appended.
        pods: File with the output of `kubectl get pods`.
    """

    def __init__(self, prefix: str, pods: Path | None = None) -> None:
        self.name = prefix
        self._runner = ShellRunner(prefix)
        self._reading = LiveReading(self._runner, None, listed_pods(pods) if pods else (), fallback=prefix)

    def structure(self) -> Structure:
        """See `source.Source.structure`."""
        answer = self._reading.structure()
        self.name = answer.state.name or self.name
        return answer

    def refresh(self) -> Structure:
        """See `poller.Refreshing`: what changed beside the rules, without reading anything."""
        return self._reading.refresh()

    def counters(self, wanted: Wanted) -> Sample | None:
        """See `source.Source.counters`."""
        return self._reading.counters(wanted)

    def set_members(self, name: str) -> IpSet:
        """See `source.TellsSets.set_members`."""
        return read_set(self._runner, name)

    def close(self) -> None:
        """End the shell; may be called twice."""
        self._runner.close()

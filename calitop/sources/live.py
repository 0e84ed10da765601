"""The common part of both live sources: when to read what, and the numbers of the versions.

A source says which runner brings the answers; what changed, what is still fresh and what is
due is here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from calitop.cni.pod_identity import with_identities
from calitop.counters.sample import Sample
from calitop.errors import NeedPrivilege, SourceUnavailable
from calitop.model.node import Pod
from calitop.sources import capture
from calitop.sources.answers import utc_now
from calitop.sources.capture import Capture, Captured, Part, Runner
from calitop.sources.rule_reading import NoAccess, RuleAccess, RuleReading
from calitop.sources.source import Structure, Wanted
from calitop.sources.state import LatestAnswers

SETTINGS_EVERY_S = 10.0
"""Settings, set headers and neighbours are read again after this time, or later when it takes long."""
COUNTERS_EVERY_S = 0.9
"""Counters of links and of the kernel are read at most once in this time: a thousand links cost more than
all rules that count. Whoever wants a full reading gets them too."""
PODS_EVERY_S = 2.0
"""After a change of links and routes the signs of pods are read again at most once in this time."""
_SHARE = 500
"""Settings take at most one part in so many of the time."""


class LiveReading:
    """Reads a node again and again; used by one thread.

    Args:
        runner: The way to the node.
        name: The node's name where it is not what `hostname` says.
        pods: Pods that the operator gave.
        fallback: Name for a node that does not tell one.
        access: Readers of counters, where the kernel can be asked without a program.
    """

    def __init__(
        self,
        runner: Runner,
        name: str | None,
        pods: tuple[Pod, ...],
        fallback: str | None = None,
        access: RuleAccess | None = None,
    ) -> None:
        self._runner = runner
        self._name = name
        self._fallback = fallback
        self._pods = pods
        self._answers = LatestAnswers()
        self._rules = RuleReading(access or NoAccess(), self._answers)
        self._generation = 0
        self._last: Structure | None = None
        self._rules_at = self._printed_at = 0.0
        self._settings_due = self._counters_due = self._pods_due = 0.0
        self._pods_moved = True
        """A link or route changed since the signs of pods were read."""
        self._changed: set[Part] = set()
        """What differs since the last structure."""
        self._unused: set[Capture] = set()
        """Read by `counters` and not yet seen by anybody."""

    def structure(self) -> Structure:
        """See `source.Source.structure`."""
        due = [wanted for wanted in self._due() if wanted not in self._unused]
        self._read(due)
        self._raise_when_nothing_is_readable()
        if Part.RULES in self._changed or not self._generation:
            self._generation += 1
            self._rules_at = self._printed_at
        self._changed.clear()
        self._unused.clear()
        self._counters_due = 0.0  # Whatever was read for this is older than the counters that follow.
        name = self._name or self._answers.node_name() or self._fallback
        state = self._answers.state(name, utc_now(), self._pods)
        self._last = Structure(self._generation, state, self._rules_at)
        return self._last

    def close(self) -> None:
        """Give back the readers; to be called where they were made."""
        self._rules.close()

    def refresh(self) -> Structure:
        """The last structure with the neighbours as read since.

        Every other change makes `counters` ask for a new structure; neighbours change too often.
        """
        if self._last is None:
            return self.structure()
        neighbours = self._answers.neighbours()
        if neighbours != self._last.state.neighbours:
            state = with_identities(replace(self._last.state, neighbours=neighbours))
            self._last = replace(self._last, state=state)
        return self._last

    def counters(self, wanted: Wanted) -> Sample | None:
        """See `source.Source.counters`; what no reader stands behind is read each time."""
        if not self._generation:
            return None
        self._rules.read(wanted)
        due = self._due(wanted.full)
        self._read(due)
        if self._changed:
            self._unused.update(due)
            return None
        read = self._rules.take()
        return Sample(
            self._generation,
            time.monotonic(),
            {**read.chains, **dict(self._answers.chains())},
            {**read.took_s, **self._answers.took_s()},
            full=read.full,
            settled=read.settled,
            links=self._answers.links() if capture.DEV in due else {},
            stats=self._answers.stats() if capture.DEV in due else {},
        )

    def _due(self, full: bool = True) -> list[Capture]:
        due, now = [*self._rules.due(), *capture.LINKS], time.monotonic()
        if full or now >= self._counters_due:
            due += capture.COUNTERS
            self._counters_due = now + COUNTERS_EVERY_S
        if now >= self._settings_due:
            due += capture.SETTINGS
        if self._pods_moved and now >= self._pods_due:
            due += capture.PODS
        if not self._generation:
            due += capture.NAMES
        return due

    def _read(self, due: Sequence[Capture]) -> None:
        self._rules.prepare(due)
        began = time.monotonic()
        for wanted, answer in zip(due, self._runner.run(due), strict=True):
            if self._answers.take(wanted, answer) and wanted is not capture.NEIGHBOURS:
                self._changed.add(wanted.part)
        self._pods_moved |= Part.LINKS in self._changed
        if capture.POD_NAMESPACES in due:
            self._pods_moved = False
            self._pods_due = time.monotonic() + max(PODS_EVERY_S, _SHARE * sum(map(self._took, capture.PODS)))
        self._rules.learn(due)
        if self._rules.print_few():
            self._changed.add(Part.RULES)
        if Part.RULES in self._changed:
            self._printed_at = began
        if capture.SYSCTL in due:
            took = sum(self._took(wanted) for wanted in capture.SETTINGS)
            self._settings_due = time.monotonic() + max(SETTINGS_EVERY_S, _SHARE * took)

    def _took(self, wanted: Capture) -> float:
        answer = self._answers[wanted]
        return answer.took_s if answer else 0.0

    def _given(self, captures: Iterable[Capture]) -> list[Captured]:
        return [answer for answer in map(self._answers.__getitem__, captures) if answer is not None]

    def _raise_when_nothing_is_readable(self) -> None:
        told = self._given([*capture.RULES, *capture.LINKS])
        if any(answer.ok for answer in told):
            return
        reasons = [answer.error for answer in told if answer.asked and answer.error]
        if any(answer.denied for answer in told):
            raise NeedPrivilege(
                f"cannot read this node: {reasons[0] if reasons else 'permission denied'}",
                "run as root, or open a snapshot: calitop PATH",
            )
        if reasons:
            raise SourceUnavailable(
                f"nothing can be read of this node: {reasons[0]}", "install iproute2 and iptables there"
            )

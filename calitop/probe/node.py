"""The node that is probed, read as a whole as often as the probe wants."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from calitop.errors import NeedPrivilege, SourceUnavailable
from calitop.model.node import NodeState
from calitop.sources import capture
from calitop.sources.answers import utc_now
from calitop.sources.capture import Runner
from calitop.sources.local import LocalRunner
from calitop.sources.namespace import ReaderThread
from calitop.sources.pods import listed_pods
from calitop.sources.shell import ShellRunner
from calitop.sources.state import LatestAnswers

_NOT_NEEDED = ("conntrack -L", "date -u")
_EACH_TIME = ("conntrack -S", "cat /proc/net/softnet_stat")
_EXTRA = tuple(each for each in capture.SAVED if each.line not in _NOT_NEEDED)
COUNTED = (*capture.RULES, *capture.COUNTERS, *(each for each in _EXTRA if each.line in _EACH_TIME))
"""Read each time, first of all and close together."""
STILL = (
    *capture.LINKS,
    *(each for each in capture.SETTINGS if each is not capture.SET_HEADERS),
    *capture.NAMES,
    *capture.PODS,
    *(each for each in _EXTRA if each not in COUNTED),
)
"""Read once, with the first reading."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class Reading:
    """The node at one moment."""

    state: NodeState
    at: float
    """Monotonic clock, seconds, when the counters were asked for."""


class ProbedNode:
    """This node, one of its named network namespaces, or a node behind a prefix.

    Used by one thread at a time.

    Args:
        netns: Named network namespace that is the node; None for the one calitop is in.
        via: Prefix of another machine; nothing can be sent from there.
        pods: File with the output of `kubectl get pods`.
    """

    def __init__(self, netns: str | None = None, via: str | None = None, pods: Path | None = None) -> None:
        self.can_send = via is None
        self._name, self._prefix = netns, via
        self._pods = listed_pods(pods) if pods else ()
        self._thread = ReaderThread(netns if via is None else None)
        self._runner: Runner = LocalRunner() if via is None else ShellRunner(via)
        self._answers = LatestAnswers()
        self._begun = False

    def read(self) -> Reading:
        """Everything that the verdict asks for.

        Raises:
            NeedPrivilege: Rules may not be read.
            SourceUnavailable: Nothing can be read of the node.
        """
        return self._thread.call(self._read)

    def inside(self, work: Callable[[], Answer]) -> Answer:
        """What `work` answers in a thread that is in the node's network namespace.

        Raises:
            NeedPrivilege, SourceUnavailable: The namespace cannot be entered.
        """
        return self._thread.call(work)

    def close(self) -> None:
        """End the thread and the shell; may be called twice."""
        self._runner.close()
        self._thread.close()

    def _read(self) -> Reading:
        at = time.monotonic()
        wanted = COUNTED if self._begun else (*COUNTED, *STILL)
        for each, answer in zip(wanted, self._runner.run(wanted), strict=True):
            self._answers.take(each, answer)
        self._begun = True
        self._require_rules()
        name = self._name or self._answers.node_name() or self._prefix
        return Reading(self._answers.state(name, utc_now(), self._pods), at)

    def _require_rules(self) -> None:
        given = [self._answers[each] for each in (*capture.RULES, capture.NETSTAT, *capture.LINKS)]
        told = [answer for answer in given if answer is not None]
        denied = next((answer for answer in told[: len(capture.RULES)] if answer.denied), None)
        if denied is not None:
            raise NeedPrivilege(f"cannot read the rules: {denied.error}", "run as root")
        if not any(answer.ok for answer in told):
            reason = next((answer.error for answer in told if answer.error), "no answer")
            raise SourceUnavailable(f"nothing can be read of this node: {reason}", "see calitop show")

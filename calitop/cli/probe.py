"""`calitop probe`: send a few packets from a pod, and tell where they were lost."""

from __future__ import annotations

import sys

from calitop.cli.arguments import Arguments
from calitop.cli.hits import STATUS
from calitop.probe.prober import Prober
from calitop.probe.records import Progress, Protocol, Request
from calitop.report.envelope import json_text
from calitop.report.probe import probe_json, probe_text
from calitop.report.text import printable


def run(arguments: Arguments) -> int:
    """Probe, with each step told on standard error, and print the answer.

    Returns:
        Exit status: 0 passed, 1 lost, 6 undecided.

    Raises:
        UsageError, SourceUnavailable, NeedPrivilege: As `calitop.probe.run.probe`.
    """
    prober = Prober(arguments.netns, arguments.via, arguments.pods)
    result = prober.probe(_request(arguments), _tell)
    print(json_text(probe_json(result)) if arguments.json else probe_text(result).rstrip("\n"))
    return STATUS[result.answer.verdict.outcome]


def _request(arguments: Arguments) -> Request:
    protocol: Protocol = "tcp" if arguments.tcp else "udp" if arguments.udp else "icmp"
    assert arguments.source is not None and arguments.target is not None
    return Request(
        arguments.source, arguments.target, protocol, arguments.tcp or arguments.udp, arguments.count
    )


def _tell(progress: Progress) -> None:
    print(printable(f"calitop: {progress.words}"), file=sys.stderr, flush=True)

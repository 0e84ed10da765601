"""The answer of a probe: what the counters say, weighed against what the sender itself saw."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from calitop.probe.background import doubtful
from calitop.probe.records import Background, Request, Sending
from calitop.report.text import plural
from calitop.verdict.records import Verdict

_WHAT = {
    "icmp": ("echo request", "echo requests"),
    "tcp": ("TCP connection", "TCP connections"),
    "udp": ("UDP datagram", "UDP datagrams"),
}


def what_is_sent(request: Request, count: int) -> str:
    """`5 echo requests`, `1 TCP connection to port 443`."""
    words = plural(count, *_WHAT[request.protocol])
    return words if request.port is None else f"{words} to port {request.port}"


def weigh(found: Verdict, request: Request, sending: Sending, background: Background) -> Verdict:
    """The verdict with the sender's own account in it.

    Replies that arrived prove the whole way; replies that did not arrive never count as passed.
    """
    facts = _facts(request, sending)
    if sending.sent == 0:
        return _open(found, "nothing could be sent: " + "; ".join(sending.told), facts)
    if sending.answered == sending.sent:
        because = f"{what_is_sent(request, sending.sent)} sent, all answered"
        return Verdict("passed", because, None, sending.sent, (*facts, *_proof(found)))
    if request.protocol == "udp" and sending.refused == sending.sent:
        because = (
            f"{what_is_sent(request, sending.sent)} arrived: the target itself says that the port is closed"
        )
        return Verdict("passed", because, None, sending.sent, (*facts, *_proof(found)))
    return _without_replies(found, request, sending, background, facts)


def quiet(found: Verdict, background: Background) -> Verdict:
    """The verdict, withdrawn where it rests on a statistic that moves without our packets too."""
    doubts = doubtful(background, (found.because, *found.evidence)) if found.outcome == "lost" else []
    if not doubts:
        return found
    names = " and ".join(doubts)
    because = (
        f"{found.because}; but {names} also moved in the {background.seconds:.1f} s before anything was sent"
    )
    return replace(_open(found, because, ()), where=None, packets=None)


def _without_replies(
    found: Verdict, request: Request, sending: Sending, background: Background, facts: tuple[str, ...]
) -> Verdict:
    missing = sending.sent - sending.answered - sending.refused
    if found.outcome == "passed":
        return _open(
            found,
            f"this node's counters saw the packets and their answers pass, but {missing} of "
            f"{sending.sent} answers did not reach the sender",
            facts,
        )
    if found.outcome == "undecided":
        return _open(found, _silence(found.because, request, sending), facts)
    return quiet(replace(found, evidence=(*facts, *found.evidence)), background)


def _silence(because: str, request: Request, sending: Sending) -> str:
    if sending.refused:
        return (
            f"{sending.refused} of {sending.sent} were refused, by the target itself or on the way; {because}"
        )
    if request.protocol == "udp" and not sending.answered:
        return f"no datagram was answered, which for UDP need not mean a loss; {because}"
    return because


def _facts(request: Request, sending: Sending) -> tuple[str, ...]:
    account = f"the sender: {sending.sent} sent, {sending.answered} answered"
    if sending.refused:
        account += f", {sending.refused} refused"
    return (account, *(f"the sender heard: {words}" for words in sending.told))


def _proof(found: Verdict) -> tuple[str, ...]:
    """Of a verdict over counters what may stand beside replies that did arrive."""
    return found.evidence if found.outcome == "passed" else ()


def _open(found: Verdict, because: str, facts: tuple[str, ...]) -> Verdict:
    outcome: Literal["undecided"] = "undecided"
    return replace(
        found, outcome=outcome, because=because, where=None, packets=None, evidence=(*facts, *found.evidence)
    )

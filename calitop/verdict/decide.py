"""The verdict: lost here, passed, or undecided, from what moved on the nodes.

A place is only blamed when its amount is exact and fits what was expected, and when no other
place fits as well; otherwise all that fit are named, with what would tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from calitop.hits.flow import Flow, likely_packets
from calitop.hits.moved import NodeHits
from calitop.verdict.along import can_be_of, checkpoints_of, is_answer_to
from calitop.verdict.collecting import collect_on
from calitop.verdict.loss import Loss
from calitop.verdict.losses import losses_of
from calitop.verdict.open_end import next_to_look
from calitop.verdict.records import Candidate, Verdict
from calitop.verdict.trail import Passage, passage
from calitop.verdict.words import packets_words, where_words


def decide(nodes: Sequence[NodeHits], flow: Flow | None, packets: int | None) -> Verdict:
    """The answer for one flow, or without one for everything that moved.

    Args:
        nodes: What moved on each node.
        flow: The flow that is asked for, or that connection tracking tells.
        packets: How many were sent; taken from what moved when None.
    """
    expected = packets if packets is not None else likely_packets(nodes)
    if not any(node.moved or node.links or node.stats for node in nodes):
        return _nothing(nodes)
    losses = [loss for node in nodes for loss in losses_of(node, flow, expected)]
    losses = _reached(nodes, flow, losses)
    through = passage(nodes, flow, expected, guessed=packets is None)
    if packets is None:
        expected = _settled(losses, expected)
    notes = _notes(flow, packets, expected)
    blamed = _blamed(nodes, losses, expected, through, flow)
    contradicted = through.passed and blamed is not None and blamed.flow is True
    if through.passed and not contradicted:
        return _passed(through, flow, losses, notes)
    if blamed is not None and not contradicted:
        return _lost(blamed, expected, notes, through)
    return _undecided(nodes, flow, losses, through, expected, notes)


def _reached(nodes: Sequence[NodeHits], flow: Flow | None, losses: Sequence[Loss]) -> list[Loss]:
    """The places to which as many packets of the flow can have come as were lost there."""
    if flow is None:
        return list(losses)
    checkpoints = checkpoints_of(nodes, flow)
    return [loss for loss in losses if can_be_of(loss, checkpoints, flow)]


def _blamed(
    nodes: Sequence[NodeHits],
    losses: Sequence[Loss],
    expected: int | None,
    through: Passage,
    flow: Flow | None,
) -> Loss | None:
    """The one place that took what was expected; None where none does, or several do."""
    proven = [loss for loss in losses if loss.proven]
    whole = _without_consequences(nodes, [loss for loss in proven if loss.packets == expected])
    rivals = [loss for loss in losses if not loss.proven and loss.packets == expected]
    if len(whole) == 1 and not rivals:
        return whole[0]
    if not whole and len(proven) == 1 and len(losses) == 1 and expected is not None:
        return proven[0] if _accounts(proven[0], expected, through, flow) else None
    return None


def _without_consequences(nodes: Sequence[NodeHits], whole: list[Loss]) -> list[Loss]:
    """The places that took the flow, without those that took what a node told the sender about that."""
    answers = {
        later.where
        for first in whole
        for later in whole
        if is_answer_to(later, first, nodes) and not is_answer_to(first, later, nodes)
    }
    return [loss for loss in whole if loss.where not in answers]


def _settled(losses: Sequence[Loss], likely: int | None) -> int | None:
    """A guessed amount, corrected by the only loss there is.

    Behind a tunnel most rules see each packet two or three times, outside and inside.
    """
    if likely is None or len(losses) != 1 or not losses[0].proven:
        return likely
    amount = losses[0].packets
    return amount if likely in (amount, 2 * amount, 3 * amount) else likely


def _accounts(loss: Loss, expected: int, through: Passage, flow: Flow | None) -> bool:
    """Whether a smaller amount is the whole story: the sender was told and fell silent."""
    return loss.packets < expected and loss.where.name == "mtu" and flow is not None and not through.passed


def _notes(flow: Flow | None, packets: int | None, expected: int | None) -> list[str]:
    notes = []
    if flow is not None and flow.source is None and flow.target is None:
        notes.append(f"neither {flow.src} nor {flow.dst} was found on these nodes")
    if packets is None and expected is not None:
        notes.append(f"assumed {packets_words(expected)}, by what moved")
    return notes


def _lost(loss: Loss, expected: int | None, notes: list[str], through: Passage) -> Verdict:
    of = f" (of {expected})" if expected is not None and expected != loss.packets else ""
    return Verdict(
        "lost",
        f"on {loss.where.node} {loss.says}{of}",
        loss.where,
        loss.packets,
        (*loss.evidence, *through.evidence, *notes),
    )


def _passed(through: Passage, flow: Flow | None, losses: Sequence[Loss], notes: list[str]) -> Verdict:
    who = f" of {flow}" if flow else ""
    aside = [f"not counted against it: {fact}" for loss in losses for fact in loss.evidence[:1]]
    return Verdict(
        "passed",
        f"{packets_words(through.packets or 0)}{who} went through and were answered",
        None,
        through.packets,
        (*through.evidence, *aside, *notes),
    )


def _nothing(nodes: Sequence[NodeHits]) -> Verdict:
    names = ", ".join(node.name for node in nodes)
    return Verdict(
        "undecided",
        f"nothing moved on {names}: the packets did not get there, or were sent at another time",
        missing=("counters of the node that sends, before and after the packets",),
    )


def _undecided(
    nodes: Sequence[NodeHits],
    flow: Flow | None,
    losses: Sequence[Loss],
    through: Passage,
    expected: int | None,
    notes: list[str],
) -> Verdict:
    found = [_candidate(loss) for loss in losses]
    ahead = next_to_look(nodes, flow, expected)
    candidates = tuple(found) or ahead.candidates
    evidence = [fact for loss in losses for fact in loss.evidence]
    return Verdict(
        "undecided",
        _why_open(losses, through, ahead.seen),
        None,
        None,
        (*evidence, *through.evidence, *notes),
        candidates,
        ahead.missing,
    )


def _why_open(losses: Sequence[Loss], through: Passage, seen: str) -> str:
    if through.why_not:
        return through.why_not
    if len(losses) > 1:
        places = " or ".join(f"{where_words(loss.where)} on {loss.where.node}" for loss in losses[:4])
        return f"several places fit: {places}"
    if losses:
        return f"on {losses[0].where.node} {losses[0].says}, but it is not proven that these are the packets"
    return seen


def _candidate(loss: Loss) -> Candidate:
    node = loss.where.node or "NODE"
    return Candidate(loss.where, loss.condition or "it took the packets of the flow", collect_on(node))

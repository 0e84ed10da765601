"""What moved and the verdict as the JSON object of interface.md, `hits`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from calitop.counters.counts import Reset
from calitop.hits.moved import Moved, NodeHits
from calitop.model.network import LinkCounters
from calitop.model.place import Where
from calitop.verdict.answer import Answer
from calitop.verdict.hooks import HookHits
from calitop.verdict.legs import Leg
from calitop.verdict.records import Candidate, Verdict

if TYPE_CHECKING:
    from calitop.probe.records import Background

Json = dict[str, object]


def hits_json(answer: Answer) -> Json:
    """What moved on each node and where the packets were lost, without the envelope."""
    nodes = [_node(*each) for each in zip(answer.nodes, answer.hooks, strict=True)]
    return {"nodes": nodes, "verdict": verdict_json(answer.verdict), "expected": answer.expected}


def verdict_json(verdict: Verdict) -> Json:
    """The answer alone."""
    return {
        "outcome": verdict.outcome,
        "where": where_json(verdict.where),
        "packets": verdict.packets,
        "because": verdict.because,
        "evidence": list(verdict.evidence),
        "candidates": [_candidate(each) for each in verdict.candidates],
        "missing": list(verdict.missing),
    }


def where_json(where: Where | None) -> Json | None:
    """A place; what does not apply is null."""
    return None if where is None else asdict(where)


def _candidate(each: Candidate) -> Json:
    return {"where": where_json(each.where), "if": each.condition, "collect": each.collect}


def _node(node: NodeHits, hooks: Sequence[HookHits]) -> Json:
    return {
        "name": node.name,
        **amounts_json(node),
        "resets": [_reset(each) for each in node.resets],
        "hooks": [{"hook": each.hook, **asdict(one)} for each in hooks for one in each.through],
        "routing": [_leg(leg) for each in hooks for leg in each.legs],
    }


def _leg(leg: Leg) -> Json:
    return {
        "to": str(leg.to),
        "dst": leg.route.dst,
        "gateway": leg.gateway,
        "dev": leg.dev,
        "outer": leg.outer,
    }


def amounts_json(told: NodeHits | Background) -> Json:
    """What moved: rules and policies, statistics, links."""
    return {
        "moved": [_moved(each) for each in told.moved],
        "kernel": [{"name": name, "delta": delta} for name, delta in told.stats.items()],
        "links": [_link(name, delta) for name, delta in told.links.items()],
    }


def _moved(each: Moved) -> Json:
    return {
        **_place(each),
        "packets": each.delta.packets,
        "bytes": each.delta.bytes,
        "exact": each.delta.exact,
        "flow": each.flow,
        "text": each.text,
        "comments": list(each.comments),
    }


def _link(name: str, delta: LinkCounters) -> Json:
    return {
        "name": name,
        "rx_packets": delta.rx_packets,
        "tx_packets": delta.tx_packets,
        "rx_dropped": delta.rx_dropped,
        "tx_dropped": delta.tx_dropped,
    }


def _reset(each: Reset) -> Json:
    return {
        **_place(each),
        "why": each.why,
    }


def _place(each: Moved | Reset) -> Json:
    return {**each.key._asdict(), "number": each.number}

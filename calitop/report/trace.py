"""A predicted path as the JSON object of interface.md, `trace`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calitop.model.values import Address
from calitop.path.moved import Prediction, Unpredicted
from calitop.path.network import Network
from calitop.path.packet import Packet
from calitop.path.passed_by import Passed, PassedBy, passed_by
from calitop.path.steps import Branch, Path, Step
from calitop.path.trace import Request, Traced
from calitop.report.hits import where_json

Json = dict[str, object]


@dataclass(frozen=True, eq=False)
class Told:
    """Everything that a report on a predicted path tells of."""

    network: Network
    request: Request
    traced: Traced
    prediction: Prediction | None = None
    """Beside what counted; None where no node has two moments."""

    def passed(self, steps: Sequence[Step], before: Sequence[Step] = ()) -> list[Passed]:
        """The rules passed by before each of the steps.

        Args:
            steps: A path's or a branch's.
            before: The path's, where `steps` are those of its branch.
        """
        return passed_by(self.network.nodes, [*before, *steps])[len(before) :]


def trace_json(told: Told, *, not_matching: bool = False) -> Json:
    """The paths of a packet and of its answer, without the envelope.

    Args:
        told: The prediction.
        not_matching: With the rules passed by before each step, as `passed_by`.
    """
    traced = told.traced
    body: Json = {
        "forward": _path(told, traced.forward, not_matching),
        "reply": None if traced.reply is None else _path(told, traced.reply, not_matching),
        "asymmetry": traced.asymmetry,
    }
    if told.prediction is not None:
        body["unpredicted"] = [_unpredicted(one) for one in told.prediction.unpredicted]
    return body


def _path(told: Told, path: Path, not_matching: bool) -> Json:
    return {
        "verdict": path.verdict,
        "where": where_json(path.where),
        "because": path.because,
        "steps": _steps(told, path.steps, (), not_matching),
        "branches": [_branch(told, path, one, not_matching) for one in path.branches],
        "missing": list(path.missing),
        "assumed": list(path.assumed),
    }


def _branch(told: Told, path: Path, branch: Branch, not_matching: bool) -> Json:
    found: Json = {
        "if": branch.condition,
        "verdict": branch.verdict,
        "where": where_json(branch.where),
        "because": branch.because,
        "steps": _steps(told, branch.steps, path.steps, not_matching),
    }
    if told.prediction is not None:
        found["fits"] = told.prediction.fits(branch.steps, branch.where)
    return found


def _steps(told: Told, steps: Sequence[Step], before: Sequence[Step], not_matching: bool) -> list[Json]:
    found = [_step(step, told.prediction) for step in steps]
    if not_matching:
        for one, passed in zip(found, told.passed(steps, before), strict=True):
            one["passed_by"] = [_passed(each) for each in passed.rules]
    return found


def _step(step: Step, prediction: Prediction | None) -> Json:
    found: Json = {
        "node": step.node,
        "kind": step.kind,
        "hook": step.hook,
        "family": step.family,
        "backend": step.backend,
        "table": step.table,
        "chain": step.chain,
        "number": step.number,
        "action": step.action,
        "text": step.text,
        "packet": _packet(step.packet),
    }
    delta = prediction.delta(step) if prediction is not None else None
    if delta is not None:
        found["moved"] = {"packets": delta.packets, "bytes": delta.bytes, "exact": delta.exact}
    return found


def _packet(packet: Packet) -> Json:
    """The packet as it came to a step; what is not known is null, no device is the empty name."""
    return {
        "src": _host(packet.src),
        "dst": _host(packet.dst),
        "protocol": packet.protocol,
        "sport": packet.sport,
        "dport": packet.dport,
        "iif": packet.iif,
        "oif": packet.oif,
        "mark": {"value": packet.mark.value, "known": packet.mark.known},
        "state": sorted(packet.ct_state),
        "length": packet.length,
        "ttl": packet.ttl,
    }


def _host(address: Address | None) -> str | None:
    return None if address is None else f"{address}/{address.max_prefixlen}"


def _passed(one: PassedBy) -> Json:
    return {
        **one.key._asdict(),
        "number": one.number,
        "text": one.text,
        "because": one.because,
        "sure": one.sure,
    }


def _unpredicted(one: Unpredicted) -> Json:
    return {
        "node": one.node,
        **one.key._asdict(),
        "number": one.number,
        "packets": one.delta.packets,
        "bytes": one.delta.bytes,
        "exact": one.delta.exact,
        "whose": one.whose,
        "mark_bits": one.mark_bits,
        "text": one.text,
    }

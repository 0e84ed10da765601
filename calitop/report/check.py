"""What the checks found as the JSON object of interface.md, `check`."""

from __future__ import annotations

from calitop.check.records import Checked, Evidence, Finding, Ref
from calitop.model.network import Link, Route
from calitop.model.rules import ChainKey

Json = dict[str, object]


def check_json(checked: Checked) -> Json:
    """Findings and what was not checked, without the envelope."""
    return {
        "findings": [_finding(each) for each in checked.findings],
        "not_checked": [
            {"id": each.id, "node": each.node, "needs": each.needs} for each in checked.not_checked
        ],
        "nodes": [
            {"name": each.name, "done": each.done, "not_done": each.not_done} for each in checked.nodes
        ],
    }


def _finding(found: Finding) -> Json:
    return {
        "id": found.id,
        "severity": found.severity,
        "node": found.node,
        "title": found.title,
        "evidence": [_evidence(each) for each in found.evidence],
        "explain": found.explain,
        "fix": found.fix,
        "source": found.source,
    }


def _evidence(each: Evidence) -> Json:
    told: Json = {"kind": each.kind, "ref": ref_words(each.ref), "text": each.text}
    return told if each.node is None else {**told, "node": each.node}


def ref_words(ref: Ref) -> str:
    """The thing as one word that a script can take apart.

    Returns:
        `ipv4/nft/filter/FORWARD/3` for a rule (number from 1), the same without number for a chain
        (`-` for what no source tells), `main/10.0.0.0/24/tunl0` for a route, else the name.
    """
    if isinstance(ref, str):
        return ref
    if isinstance(ref, ChainKey):
        return "/".join(part or "-" for part in ref)
    if isinstance(ref, Link):
        return ref.name
    if isinstance(ref, Route):
        return f"{ref.table}/{ref.dst}/{ref.dev or '-'}"
    key, at = ref
    return f"{ref_words(key)}/{at + 1}"

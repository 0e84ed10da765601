"""What calitop explains as the JSON object of `calitop explain`: whole nodes, or the things asked about."""

from __future__ import annotations

from collections.abc import Sequence

from calitop.cni.rule_index import RuleRef
from calitop.explain.about import Asked
from calitop.explain.hash_words import MORE_BROKEN, ChainHashes, VersionRange
from calitop.explain.mark_facts import EndpointFact, MarkFact
from calitop.explain.node_summary import NodeSummary, Owners, Programmed
from calitop.explain.static_chains import StaticChain
from calitop.explain.told import Told, ToldRule
from calitop.model.rules import ChainKey
from calitop.report.check import ref_words

Json = dict[str, object]


def summary_json(nodes: Sequence[NodeSummary], static: Sequence[StaticChain]) -> Json:
    """Whole nodes, and what two or more of them have in common; without the envelope."""
    names = [one.index.state.name for one in nodes]
    return {
        "nodes": [_node(one) for one in nodes],
        "static_chains": [_static(names, one) for one in static],
    }


def about_json(asked: Sequence[Asked]) -> Json:
    """The things asked about, in the order of the questions; without the envelope."""
    return {
        "about": [
            {"what": one.what, "found": [_told(node, told) for node, told in one.found]} for one in asked
        ]
    }


def _node(one: NodeSummary) -> Json:
    state = one.index.state
    return {
        "name": state.name,
        "captured_at": state.captured_at,
        "programs": [_programmed(each) for each in one.programs],
        "calico": _calico(one) if one.has_calico else None,
        "bpf": None
        if one.bpf is None
        else {"by": one.bpf.by, "words": str(one.bpf), "evidence": list(one.bpf.evidence)},
        "hashes": {
            "rules": {
                "verified": one.hash_counts.get("match", 0),
                "differ": one.hash_counts.get("differs", 0),
                "foreign": one.hash_counts.get("foreign", 0),
                "not_judged": one.hash_counts.get("unknown", 0) + one.not_recomputed,
            },
            "judged": one.judged,
            "chains": [_hashes(key, each, one.judged) for key, each in one.hashes.items()],
        },
        "marks": [_mark(each) for each in one.marks],
        "endpoint_marks": [_endpoint(each) for each in one.endpoints],
        "mark_overlaps": [{"names": [a, b], "bits": f"{bits:#x}"} for a, b, bits in one.overlaps],
        "owners": {kind.replace(" ", "_"): _owners(each) for kind, each in one.owners.items()},
        "unknown": [{"what": each.what, "needs": each.needs} for each in one.open],
    }


def _programmed(each: Programmed) -> Json:
    return {
        "owner": each.owner,
        "family": each.family,
        "backend": each.backend,
        "tables": list(each.tables),
        "chains": each.chains,
        "rules": each.rules,
    }


def _calico(one: NodeSummary) -> Json:
    return {
        "version": _version(one.version),
        "ipvs": one.ipvs,
        "ipvs_ref": None if one.ipvs_sign is None else ref_words(one.ipvs_sign),
    }


def _version(found: VersionRange) -> Json:
    """The releases as words, `v3.17` each; null where no rule sets the bound."""
    return {
        "first": None if found.first is None else f"v3.{found.first}",
        "last": None if found.last is None else f"v3.{found.last}",
        "words": found.words(),
        "proofs": [{"words": words, "ref": _ref(ref)} for words, ref in found.proofs],
    }


def _ref(ref: RuleRef | ChainKey) -> str:
    return ref_words((ref.key, ref.index) if isinstance(ref, RuleRef) else ref)


def _hashes(key: ChainKey, each: ChainHashes, judged: bool) -> Json:
    is_open = each.verdict == "edited" and not judged
    return {
        "ref": ref_words(key),
        "verdict": "unknown" if is_open else each.verdict,
        "words": MORE_BROKEN if is_open else each.words,
        "number": None if each.at is None else each.at + 1,
        "missing": list(each.missing),
    }


def _mark(each: MarkFact) -> Json:
    return {
        "name": each.name,
        "owner": each.owner,
        "bits": f"{each.bits:#x}",
        "ref": None if each.proof is None else _ref(each.proof),
        "how": each.how or None,
    }


def _endpoint(each: EndpointFact) -> Json:
    return {
        "mark": f"{each.mark:#x}",
        "interface": each.interface,
        "pod": each.pod,
        "computed": each.is_computed,
        "how": each.how,
    }


def _owners(counts: Owners) -> list[Json]:
    ordered = sorted(counts.items(), key=lambda one: (one[0] is None, one[0] or ""))
    return [{"owner": owner, "count": count} for owner, count in ordered]


def _static(names: Sequence[str | None], one: StaticChain) -> Json:
    return {
        "ref": ref_words(one.key),
        "equal": one.is_equal,
        "nodes": [
            {"name": name, "signature": each.signature, "why": each.why or None}
            for name, each in zip(names, one.nodes, strict=True)
        ],
    }


def _told(node: str | None, told: Told) -> Json:
    return {
        "node": node,
        "kind": told.kind,
        "ref": told.ref,
        "title": told.title,
        "sentences": list(told.lines),
        "rules": [_rule(each) for each in told.rules],
    }


def _rule(each: ToldRule) -> Json:
    return {"number": each.number, "ref": each.ref, "words": each.words, "text": each.text}

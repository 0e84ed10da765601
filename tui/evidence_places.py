"""Where the evidence of a finding stands in the explorer."""

from __future__ import annotations

from calitop.check.records import Evidence, EvidenceKind
from calitop.cni.pods import pod_name
from calitop.formats import cni_listing, pods_wide, sysctl
from calitop.model.network import Link, Route
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey
from tui.finder import pod_place
from widgets.view import ChainId, LinkId, RuleId, SetId, Subject, route_id

TOLD_BY: dict[EvidenceKind, str] = {
    "sysctl": sysctl.KIND,
    "file": cni_listing.KIND,
    "pod": pods_wide.KIND,
}
"""The kind of file that tells what no pane shows; both listings of pods begin so."""


def place_of(evidence: Evidence, state: NodeState) -> Subject | None:
    """The very thing; None where only the file that told it can be shown."""
    ref = evidence.ref
    if isinstance(ref, str):
        return _named(evidence.kind, ref, state)
    if isinstance(ref, Route):
        return route_id(ref)
    if isinstance(ref, Link):
        return LinkId(ref.name)
    if isinstance(ref, ChainKey):
        return RuleId(ref, None) if evidence.kind == "policy" else ChainId(ref)
    return RuleId(*ref)


def _named(kind: EvidenceKind, name: str, state: NodeState) -> Subject | None:
    if kind == "set":
        return SetId(name)
    if kind == "pod":
        pod = next((pod for pod in state.pods if pod_name(pod) == name), None)
        return None if pod is None else pod_place(state, pod)
    return _interface_of(name, state) if kind == "sysctl" else None


def _interface_of(setting: str, state: NodeState) -> LinkId | None:
    """The interface of `net.ipv4.conf.NAME.…`, whose name may hold dots; None for `all` and others."""
    name = setting.split(".", 3)[-1].rpartition(".")[0]
    is_own = ".conf." in setting and state.link(name) is not None
    return LinkId(name) if is_own else None


def file_telling(evidence: Evidence, state: NodeState) -> str | None:
    """The file or command that told it, as the list of files names it; None where none is known."""
    kind = TOLD_BY.get(evidence.kind)
    return next((one.file for one in state.files if kind and kind in (one.kind or "")), None)

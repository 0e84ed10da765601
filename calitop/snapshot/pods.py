"""Which pod list is shown with a node.

A list fits when it names the node, or when the pods that it puts on one node have the
addresses that are local here (a folder says `work1` where kubectl says `k8s-work1`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from calitop.cni.pod_identity import with_identities
from calitop.cni.pods import fits
from calitop.formats.fragment import Fragment
from calitop.model.node import Known, NodeState, Pod, SourceFile


@dataclass(frozen=True, eq=False)
class PodList:
    """One pod list with the file it came from."""

    pods: tuple[Pod, ...]
    told: SourceFile | None = None


def pods_of(fragment: Fragment) -> tuple[Pod, ...]:
    """The pods of a list; a listing of log folders is one too, where the operator gives it as such."""
    if fragment.pods:
        return fragment.pods
    folders = (sign for sign in fragment.pod_signs or () if sign.kind == "log folder" and sign.name)
    return tuple(
        Pod(sign.namespace, sign.name or "", uid=sign.uid, known_from=(Known("name", sign.source),))
        for sign in folders
    )


def with_pods(
    state: NodeState, own: tuple[Pod, ...], lists: Sequence[PodList], given: PodList | None
) -> NodeState:
    """The state with its pods: those of the operator's list, its own, else the first list that fits.

    The host ends of their interfaces are filled in where the node's own facts tell them.
    """
    if given is not None:
        pods = given.pods
    else:
        pods = own or next((each.pods for each in lists if fits(each.pods, state)), ())
    return with_identities(replace(state, pods=pods))

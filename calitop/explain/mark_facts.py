"""What the packet mark holds on a node: each meaning with its bits and how it is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from calitop.cni.felix_hash import endpoint_mark
from calitop.cni.index import NodeIndex, RuleRef
from calitop.cni.marks import MEANINGS
from calitop.cni.pods import pod_name
from calitop.explain.mark_words import owner_of_meaning

_WITHOUT_RULE = {
    "pass_": "the one bit of Calico's own ones between accept and scratch 0",
    "scratch1": "the one bit of Calico's own ones above scratch 0",
    "wireguard": "the policy rule for all but WireGuard's own packets",
    "cilium_identity": "fixed in Cilium's source, where its own field says 0xf00; no rule shows it",
}
"""How a meaning is known that was read off no rule."""
_FROM_OWN = ("pass_", "scratch1")
"""Known by the rule that clears all of Calico's own bits."""


@dataclass(frozen=True, slots=True)
class MarkFact:
    """One meaning of bits of the packet mark."""

    name: str
    bits: int
    how: str
    """How it is known; "" where `proof` says it all."""
    proof: RuleRef | None

    @property
    def owner(self) -> str:
        """Calico, kube-proxy, kubelet or Cilium."""
        return owner_of_meaning(self.name)


@dataclass(frozen=True, slots=True)
class EndpointFact:
    """One value of Calico's endpoint mark."""

    mark: int
    interface: str | None
    """None for "not a Calico endpoint"."""
    pod: str | None
    is_computed: bool | None
    """Whether it is what Felix computes from the interface's name; None for no endpoint."""
    how: str


def mark_facts(index: NodeIndex) -> tuple[MarkFact, ...]:
    """Every meaning that the node's rules tell, in the order in which Calico gives out bits."""
    marks = index.marks
    proofs = {name: RuleRef(key, at) for name, key, at in marks.proofs}
    known = ((name, words, getattr(marks, name)) for name, words in MEANINGS)
    return tuple(
        MarkFact(
            words,
            bits,
            "" if name in proofs else _WITHOUT_RULE.get(name, ""),
            proofs.get("own" if name in _FROM_OWN and name not in proofs else name),
        )
        for name, words, bits in known
        if bits
    )


def endpoint_facts(index: NodeIndex) -> tuple[EndpointFact, ...]:
    """Every endpoint mark that the node's rules tell, with its interface and pod."""
    return tuple(_endpoints(index))


def _endpoints(index: NodeIndex) -> Iterator[EndpointFact]:
    marks = index.marks
    if marks.non_cali is not None:
        yield EndpointFact(marks.non_cali, None, None, None, "not a Calico endpoint")
    for value, interface in marks.endpoints:
        pod = index.pod_of_interface(interface)
        is_computed = endpoint_mark(interface, marks.endpoint or 0) == value
        how = (
            "as Felix computes it from the name"
            if is_computed
            else "not what Felix computes from the name first: taken by another, or not Felix's"
        )
        yield EndpointFact(value, interface, None if pod is None else pod_name(pod), is_computed, how)

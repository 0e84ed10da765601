"""Bits of the packet mark that two owners use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import reduce
from operator import or_

from calitop.check.evidence import of_rule
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Evidence, Found, Unjudged
from calitop.cni.marks import MarkBits
from calitop.explain.mark_words import overlaps
from calitop.formats.spec import spec
from calitop.model.rules import ChainKey, Rule
from calitop.model.targets import SetMark

_KNOWN_OWNERS = ("calico", "cilium", "kube-proxy")
"""Their use of the mark is known to go together, but for the identity (its own check)."""

_MEANINGS = "rules of Calico that tell what its bits mean (iptables-save -c, with comments)"
_WRITING = ("MARK", "mark set")
"""One of these stands in every rule that writes a mark, in iptables' and nft's words."""

_FIELDS = tuple(one.name for one in fields(MarkBits) if one.name not in ("endpoints", "proofs"))


def _foreign(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Rules of nobody known that write into Calico's bits."""
    marks = facts.index.marks
    calico = reduce(or_, (bits for words, bits in marks.parts() if words.startswith("Calico")), 0)
    if not calico and facts.has_calico_rules:
        yield Unjudged(_MEANINGS)
    for key, at, rule in _foreign_writers(facts) if calico else ():
        if bits := _written(rule) & calico:
            names = ", ".join(words for words in marks.meanings(bits) if words.startswith("Calico"))
            title = f"rule {rule.number or '?'} of {key.chain} writes into the mark's bits of {names}"
            yield Found(title, (of_rule(key, at, rule), *_proofs(facts)))


def _foreign_writers(facts: NodeFacts) -> Iterator[tuple[ChainKey, int, Rule]]:
    """Rules that may write a mark, without those of known owners; no rule is parsed for it."""
    for key, chain in facts.index.chains.items():
        if facts.index.owner_of_chain(key) in _KNOWN_OWNERS or not chain.may_hold(*_WRITING):
            continue
        for at, rule in enumerate(chain.rules):
            is_writer = any(word in rule.text for word in _WRITING)
            if is_writer and facts.index.owner_of_rule(key, rule) not in _KNOWN_OWNERS:
                yield key, at, rule


def _written(rule: Rule) -> int:
    """The bits of the packet mark that the rule may change."""
    actions = (target.action for target in spec(rule).targets)
    return next(
        (act.mask | act.value for act in actions if isinstance(act, SetMark) and act.of == "packet"), 0
    )


def _identity(facts: NodeFacts) -> Iterator[Found]:
    bits = facts.index.marks.identity_meets_endpoint
    if bits:
        title = f"Cilium's identity and Calico's endpoint mark share the bits {bits:#x}"
        yield Found(title, _proofs(facts, "endpoint", "cilium"))


def _overlapping(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Meanings of different owners in one bit; Cilium's identity shares bits with nearly all."""
    if facts.has_calico_rules and facts.index.marks.accept is None:
        yield Unjudged(_MEANINGS)
    for one, other, bits in overlaps(facts.index.marks):
        if "Cilium identity" not in (one, other):
            yield Found(f"{one} and {other} share the mark's bits {bits:#x}", _proofs_of(facts, bits))


def _proofs_of(facts: NodeFacts, bits: int) -> tuple[Evidence, ...]:
    """The rules by which the meanings of these bits were read."""
    named = {name for name in _FIELDS if (getattr(facts.index.marks, name) or 0) & bits}
    return _proofs(facts, *named)


def _proofs(facts: NodeFacts, *meanings: str) -> tuple[Evidence, ...]:
    """The rules from which the meanings were read; without any named, that of Calico's accept bit."""
    wanted = meanings or ("accept",)
    found = (proof for proof in facts.index.marks.proofs if proof[0] in wanted)
    return tuple(of_rule(key, at, facts.index.chains[key].rules[at]) for _, key, at in found)


CHECKS = (
    Check(
        "foreign-mark",
        "warning",
        ("rules",),
        "Calico keeps in these bits what it has decided about a packet: a packet may be accepted or dropped "
        "by chance.",
        "Use other bits there, or give Calico others (FelixConfiguration iptablesMarkMask).",
        "tailscale/tailscale#591; projectcalico/felix#964",
        _foreign,
    ),
    Check(
        "mark-overlap",
        "warning",
        ("rules",),
        "Two programs keep different things in one bit of the packet mark: what one writes the other takes "
        "for its own.",
        "Give one of them other bits (FelixConfiguration iptablesMarkMask, kube-proxy "
        "iptables.masqueradeBit).",
        "projectcalico/felix#964; tailscale/tailscale#591",
        _overlapping,
    ),
    Check(
        "identity-meets-endpoint",
        "info",
        ("rules",),
        "With kube-proxy in IPVS mode Calico reads the sender's endpoint from these bits. A packet that "
        "Cilium has marked with an identity looks to it like one from an endpoint that does not exist, and "
        "may be dropped as Unknown endpoint.",
        "Give Calico's mark mask bits that Cilium's identity does not use, if such drops are counted.",
        "cilium/cilium bpf/lib/common.h, get_identity; felix rules/epmark.go",
        _identity,
    ),
)

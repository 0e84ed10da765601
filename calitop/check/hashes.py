"""Chains of Felix against the signatures that it gave its rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from calitop.check.evidence import of_rule
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, CrossCheck, Evidence, Found, Severity, Unjudged
from calitop.check.together import Together
from calitop.cni.names import calico_rest
from calitop.explain.hash_words import all_hashes, broken_chains
from calitop.explain.static_chains import is_static, signed_end
from calitop.model.rules import ChainKey


def _edited(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Chains in which the signatures break off; rules without any are another check's."""
    hashes = all_hashes(facts.index)
    is_felix = any(calico_rest(key.chain) is not None and key.backend != "native" for key in hashes)
    if facts.has_calico_rules and not is_felix:
        yield Unjudged("iptables rules of Felix: in nftables mode calitop does not recompute signatures")
        return
    if facts.has_calico_rules and not facts.is_signed:
        yield Unjudged("rules with their comments (iptables-save -c): none carries a signature of Felix")
        return
    broken = broken_chains(facts.index, hashes)
    if broken is None:
        yield Unjudged("rules of a Calico release whose signatures calitop can recompute")
        return
    severity: Severity = "warning" if facts.is_unabridged else "info"
    for key, at in broken.items():
        title = f"{key.chain} is not as Felix wrote it: its signatures break off at rule {at + 1}"
        yield Found(title, (of_rule(key, at, facts.index.chains[key].rules[at]),), severity)


def _differing(together: Together) -> Iterator[tuple[NodeFacts, Found]]:
    """Chains whole on each node whose last signatures differ."""
    ends: defaultdict[ChainKey, dict[str, tuple[NodeFacts, Evidence]]] = defaultdict(dict)
    for facts in together.nodes:
        for key, signature, evidence in _whole(facts):
            ends[key].setdefault(signature, (facts, evidence))
    for key, found in ends.items():
        if len(found) > 1:
            nodes_with, proofs = zip(*found.values(), strict=True)
            names = " and ".join(facts.name or "?" for facts in nodes_with)
            yield nodes_with[0], Found(f"{key.table} {key.chain} differs between {names}", proofs)


def _whole(facts: NodeFacts) -> Iterator[tuple[ChainKey, str, Evidence]]:
    """Chains that should be the same on every node, with the signature of their last rule."""
    for key, chain in facts.index.chains.items():
        end = signed_end(facts.index, key) if is_static(key) else None
        if end is not None:
            last = len(chain.rules) - 1
            shown = of_rule(key, last, chain.rules[last])
            yield key, end, Evidence("rule", shown.ref, shown.text, facts.name)


CHECKS = (
    Check(
        "edited-felix-chain",
        "warning",
        ("rules",),
        "Each signature of Felix covers the chain's name and all rules up to its own. Here they break off: "
        "a rule was changed, removed or added by somebody else. Felix compares signatures, not rules: what "
        "was changed under its signature stays. In a text that somebody may have shortened this is info.",
        "Restart Felix on this node: it writes its chains anew. Find who edits them (auditd, a firewall "
        "service).",
        "felix generictables/rules.go; projectcalico/calico#10087",
        _edited,
    ),
)
CROSS_CHECKS = (
    CrossCheck(
        "felix-chains-differ",
        "info",
        ("rules",),
        "These chains follow from Calico's configuration. They differ where nodes run other releases or "
        "have a FelixConfiguration of their own (node.NAME), or where one Felix has not caught up.",
        "Compare calicoctl version and calicoctl get felixconfig on both; during an upgrade this passes.",
        "felix rules/static.go",
        _differing,
    ),
)

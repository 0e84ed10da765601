"""Chains of Felix against the signatures that it gave its rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from calitop.check.evidence import of_rule
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, CrossCheck, Evidence, Found, Severity, Unjudged
from calitop.check.together import Together
from calitop.cni.names import calico_rest, comment_owner
from calitop.explain.hash_words import chain_hashes
from calitop.formats.spec import comments
from calitop.model.rules import ChainKey

_SAME_EVERYWHERE = (
    "FORWARD",
    "INPUT",
    "OUTPUT",
    "PREROUTING",
    "POSTROUTING",
    "wl-to-host",
    "nat-outgoing",
    "cidr-block",
    "failsafe-in",
    "failsafe-out",
)
"""Chains whose rules follow from the configuration alone, not from a node's endpoints (rules/static.go)."""


def _edited(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Chains in which the signatures break off; rules without any are another check's."""
    told = [
        (key, chain_hashes(facts.index, key))
        for key in facts.index.chains
        if calico_rest(key.chain) is not None
    ]
    if facts.has_calico_rules and not any(one is not None for _, one in told):
        yield Unjudged("iptables rules of Felix: in nftables mode calitop does not recompute signatures")
        return
    if facts.has_calico_rules and not facts.is_signed:
        yield Unjudged("rules with their comments (iptables-save -c): none carries a signature of Felix")
        return
    whole = sum(one is not None and one.verdict == "untouched" for _, one in told)
    broken = [
        (key, one.at)
        for key, one in told
        if one is not None
        and one.verdict == "edited"
        and one.at is not None
        and _is_signed(facts, key, one.at)
    ]
    if len(broken) > whole:
        yield Unjudged("rules of a Calico release whose signatures calitop can recompute")
        return
    severity: Severity = "warning" if facts.is_unabridged else "info"
    for key, at in broken:
        title = f"{key.chain} is not as Felix wrote it: its signatures break off at rule {at + 1}"
        yield Found(title, (of_rule(key, at, facts.index.chains[key].rules[at]),), severity)


def _is_signed(facts: NodeFacts, key: ChainKey, at: int) -> bool:
    return comment_owner(facts.index.chains[key].rules[at].text) == "calico"


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
        if calico_rest(key.chain) not in _SAME_EVERYWHERE or chain.complete is not True:
            continue
        told = chain_hashes(facts.index, key)
        if told is not None and told.verdict == "untouched":
            last = len(chain.rules) - 1
            shown = of_rule(key, last, chain.rules[last])
            signature = next(iter(comments(chain.rules[last])), "")
            yield key, signature, Evidence("rule", shown.ref, shown.text, facts.name)


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

"""Rules in both backends of iptables at once."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_chain
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found, Unjudged
from calitop.model.rules import TABLE_HOOKS, Backend, Chain, ChainKey

_KUBELETS = ("KUBE-FIREWALL", "KUBE-MARK-DROP", "KUBE-MARK-MASQ", "KUBE-POSTROUTING")
"""Chains that the kubelet writes too, by the iptables of the host, while kube-proxy brings its own."""


def _both(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """One owner's chains with rules in both; a CANARY alone is only a mark."""
    if missing := _unread(facts):
        yield missing
        return
    for owner in ("calico", "kube-proxy", "cilium"):
        nft, legacy = _first(facts, owner, "nft"), _first(facts, owner, "legacy")
        if nft is not None and legacy is not None:
            evidence = (
                of_chain(nft, "in the nft backend"),
                of_chain(legacy, "in the legacy backend"),
            )
            yield Found(f"{owner} has rules in both backends of iptables", evidence)


def _first(facts: NodeFacts, owner: str, backend: Backend) -> ChainKey | None:
    return next(
        (
            key
            for key, chain in facts.index.chains.items()
            if key.backend == backend and len(chain.rules) and facts.index.owner_of_chain(key) == owner
            if key.chain not in _KUBELETS
        ),
        None,
    )


def _unread(facts: NodeFacts) -> Unjudged | None:
    """What one backend alone cannot tell."""
    known = facts.state.knows_rules("nft") and facts.state.knows_rules("legacy")
    return None if known else Unjudged("the rules of both backends (iptables-nft-save, iptables-legacy-save)")


def _foreign(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Rules of others in the backend that Calico does not use."""
    if facts.has_calico_rules and (missing := _unread(facts)):
        yield missing
        return
    ours = {key.backend for key, chain in facts.index.chains.items() if _is_filled(facts, key, chain)}
    for other in ("nft", "legacy") if len(ours & {"nft", "legacy"}) == 1 else ():
        filled = [
            key for key, chain in facts.index.chains.items() if key.backend == other and len(chain.rules)
        ]
        if other not in ours and filled:
            mine = "legacy" if other == "nft" else "nft"
            yield Found(
                f"Calico is in the {mine} backend, others have rules in {other}",
                tuple(of_chain(key, f"in the {other} backend") for key in filled[:5]),
            )


def _is_filled(facts: NodeFacts, key: ChainKey, chain: Chain) -> bool:
    return bool(len(chain.rules)) and facts.index.owner_of_chain(key) == "calico"


def _incompatible(facts: NodeFacts) -> Iterator[Found]:
    """Native rules in tables of iptables' names: iptables-nft cannot print these tables any more.

    It matters where Felix writes by iptables-nft: not in legacy's tables, nor in a table of its own.
    """
    writes = {key.backend for key, chain in facts.index.chains.items() if _is_filled(facts, key, chain)}
    for key, chain in facts.index.chains.items() if "nft" in writes else ():
        is_taken = key.backend == "native" and key.family in ("ipv4", "ipv6") and key.table in TABLE_HOOKS
        if is_taken and len(chain.rules):
            yield Found(f"table {key.table} holds native nft rules", (of_chain(key, "in nft's own words"),))
            return


CHECKS = (
    Check(
        "both-backends",
        "error",
        ("rules",),
        "The kernel runs both: the stale rules of one drop what the other has accepted, as new pods are "
        "unknown to them.",
        "Let all programs use one backend, and drain and reboot the node to be rid of the other's rules.",
        "projectcalico/calico#2322, #8243; kubernetes/kubernetes#72370",
        _both,
    ),
    Check(
        "rules-in-other-backend",
        "info",
        ("rules",),
        "A packet must pass both backends: what the other one drops, no rule of Calico shows.",
        "Look at both (iptables-nft-save -c, iptables-legacy-save -c) when packets vanish.",
        "projectcalico/calico#2322; kubernetes/kubernetes#72370",
        _foreign,
    ),
    Check(
        "incompatible-table",
        "warning",
        ("rules",),
        "Someone writes nft's own rules into a table that iptables-nft uses. iptables-nft-save then refuses "
        "the table (is incompatible, use 'nft' tool), and Felix cannot read what it wrote: it writes again "
        "and again.",
        "Move these rules to a table of another name.",
        "projectcalico/calico#8025, #13579",
        _incompatible,
    ),
)

"""Rules that Felix did not mean so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from calitop.check.evidence import of_rule
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found
from calitop.cni.index import RuleRef
from calitop.cni.names import calico_rest, comment_owner
from calitop.formats.spec import comments, spec
from calitop.model.matches import RpFilter
from calitop.model.rules import Chain, ChainKey, Rule

_HASH = re.compile(r"(cali:[\w-]{16})(?:;.*)?", re.S)
"""Alone in iptables; in nft's one comment the words follow (felix/nftables/renderer.go)."""


def _duplicates(facts: NodeFacts) -> Iterator[Found]:
    """One signature several times in one chain: it holds the rule's place, so two never share one."""
    for key, chain in facts.index.chains.items():
        if not chain.may_hold("cali:"):
            continue
        by_hash: defaultdict[str, list[int]] = defaultdict(list)
        for at, rule in enumerate(chain.rules):
            for signed in filter(None, map(_HASH.fullmatch, comments(rule))):
                by_hash[signed[1]].append(at)
        for signature, places in by_hash.items():
            if len(places) > 1:
                evidence = tuple(of_rule(key, at, chain.rules[at]) for at in places[:3])
                yield Found(
                    f"{key.chain} holds one rule of Felix {len(places)} times ({signature})", evidence
                )


def _unsigned(facts: NodeFacts) -> Iterator[Found]:
    """Rules without signature among Felix's signed ones."""
    for key, chain in facts.index.chains.items():
        if calico_rest(key.chain) is None or not chain.may_hold("cali:"):
            continue
        owners = [comment_owner(rule.text) for rule in chain.rules]
        if "calico" not in owners:
            continue
        for at, (owner, rule) in enumerate(zip(owners, chain.rules, strict=True)):
            if owner != "calico" and (rule.language == "iptables" or key.backend == "native"):
                yield Found(
                    f"rule {rule.number or '?'} of {key.chain} is not Felix's", (of_rule(key, at, rule),)
                )


def _flannel_masquerade(facts: NodeFacts) -> Iterator[Found]:
    """Flannel's masquerade without Flannel."""
    owners = {facts.index.owner_of_link(link) for link in facts.state.links}
    if "flannel" in owners or not facts.has_calico:
        return
    for key, chain, at, rule in _leftovers(facts):
        if chain.present and rule.target == "MASQUERADE":
            yield Found(
                f"rule {rule.number or '?'} of {key.chain} still masquerades for Flannel",
                (of_rule(key, at, rule),),
            )


def _leftovers(facts: NodeFacts) -> Iterator[tuple[ChainKey, Chain, int, Rule]]:
    for key, chain in facts.index.chains.items():
        if key.table == "nat" and key.chain.startswith("FLANNEL-") and facts.index.callers(key):
            yield from ((key, chain, at, rule) for at, rule in enumerate(chain.rules))


def _foreign_rpfilter(facts: NodeFacts) -> Iterator[Found]:
    """A reverse path test in rules outside Calico's own, on a node with Cilium."""
    for key, chain in facts.index.chains.items() if facts.has_cilium else ():
        if facts.index.owner_of_chain(key) == "calico" or not chain.may_hold("rpfilter", "fib "):
            continue
        for at, rule in enumerate(chain.rules):
            if any(True for _ in spec(rule).find(RpFilter)):
                yield Found(f"{key.chain} tests the reverse path", (of_rule(key, at, rule),))


def _jump_order(facts: NodeFacts) -> Iterator[Found]:
    """Somebody's jump before Calico's in a chain that Felix wants to head (chain insert mode)."""
    for key, chain in facts.index.chains.items():
        if not chain.builtin or key.backend == "native" or not chain.may_hold("cali-"):
            continue
        jumps = [
            (owner, RuleRef(key, at))
            for at, rule in enumerate(chain.rules)
            if (owner := facts.index.owner_of_rule(key, rule)) and facts.index.rules.targets(key).get(at)
        ]
        first = next((at for at, (owner, _) in enumerate(jumps) if owner == "calico"), 0)
        if first:
            before = " and ".join(dict.fromkeys(owner for owner, _ in jumps[:first]))
            evidence = tuple(of_rule(key, ref.index, chain.rules[ref.index]) for _, ref in jumps[: first + 1])
            yield Found(f"in {key.table} {key.chain} {before} comes before Calico", evidence)


CHECKS = (
    Check(
        "duplicate-felix-rule",
        "warning",
        ("rules",),
        "A signature of Felix is made from the chain and all rules up to this one, so a chain never has one "
        "twice: two programs, or two Felix, write into this chain.",
        "See whether two Felix run, or something restores saved rules (iptables-restore -n, a firewall "
        "service).",
        "projectcalico/felix#2501",
        _duplicates,
    ),
    Check(
        "foreign-rule-in-calico-chain",
        "warning",
        ("rules",),
        "Felix signs every rule in its chains. This one has no signature: somebody else put it there, and "
        "Felix will remove it when it looks next (iptablesRefreshInterval).",
        "Put the rule into a chain of its own, or make it a policy.",
        "felix/iptables/table.go",
        _unsigned,
    ),
    Check(
        "flannel-masquerade-left",
        "warning",
        ("rules", "links"),
        "The rule gives packets between pods of two nodes the node's address; policies that know pods by "
        "address then deny them.",
        "Remove Flannel's chains, or drain and reboot the node.",
        "projectcalico/calico#12920",
        _flannel_masquerade,
    ),
    Check(
        "foreign-rpfilter",
        "warning",
        ("rules", "links"),
        "A firewall tests the reverse path by itself, whatever rp_filter says: packets of Cilium that come "
        "in by another way than the route back are dropped.",
        "Except lxc+ and cilium_+ from the test (NixOS: networking.firewall.checkReversePath).",
        "cilium/cilium#31565",
        _foreign_rpfilter,
    ),
    Check(
        "jump-order",
        "info",
        ("rules",),
        "What stands before Calico's jump decides first: what it accepts never reaches Calico's policies.",
        "Leave chainInsertMode at Insert if Calico shall come first.",
        "felix configuration, chainInsertMode",
        _jump_order,
    ),
)

"""Rules that Felix did not mean so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from calitop.check.evidence import of_rule
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found, Unjudged
from calitop.cni.index import RuleRef
from calitop.cni.names import calico_rest, comment_owner
from calitop.formats.spec import comments, spec
from calitop.model.matches import Interface, IpAddress, RpFilter
from calitop.model.rules import Chain, ChainKey, Rule
from calitop.model.spec import RuleSpec

_HASH = re.compile(r"(cali:[\w-]{16})(?:;.*)?", re.S)
"""Alone in iptables; in nft's one comment the words follow (felix/nftables/renderer.go)."""


_SIGNATURES = "rules with their comments (iptables-save -c): none of Calico's carries a signature of Felix"


def _duplicates(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """One signature several times in one chain: it holds the rule's place, so two never share one."""
    if facts.has_calico_rules and not facts.is_signed:
        yield Unjudged(_SIGNATURES)
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


def _unsigned(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Rules without signature among Felix's signed ones."""
    if facts.has_calico_rules and not facts.is_signed:
        yield Unjudged(_SIGNATURES)
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


def _flannel_masquerade(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Flannel's masquerade without Flannel, where Calico itself leads to other nodes.

    Beside Calico's policies alone Flannel may do that, and without any interface (host-gw).
    """
    owners = {facts.index.owner_of_link(link) for link in facts.state.links}
    if "flannel" in owners or not facts.has_calico:
        return
    if not any(route.gateway for route, _ in facts.routes_of("calico")):
        if any(True for _ in _leftovers(facts)):
            yield Unjudged("a route of Calico to another node: Flannel may still be in use (host-gw)")
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
            if any(True for _ in spec(rule).find(RpFilter)) and _meets_cilium(facts, key, spec(rule)):
                yield Found(f"{key.chain} tests the reverse path", (of_rule(key, at, rule),))


def _meets_cilium(facts: NodeFacts, key: ChainKey, told: RuleSpec) -> bool:
    """Whether packets of Cilium may reach the rule: by the version of IP, and by where they come in."""
    versions = {version for version in _cilium_versions(facts) if key.family not in _OTHER[version]}
    for match in told.find(IpAddress):
        versions &= {network.version for network in match.networks}
    devices = [link.name for link in facts.state.links if facts.index.owner_of_link(link) == "cilium"]
    sides = (match for match in told.find(Interface) if match.way == "in" and not match.negated)
    return bool(versions) and all(
        any(name.fits(device) for name in side.names for device in devices) for side in sides
    )


_OTHER = {4: ("ipv6",), 6: ("ipv4",)}
"""Families of tables that never see a version of IP."""


def _cilium_versions(facts: NodeFacts) -> set[int]:
    """The versions of IP that Cilium's pods have: every interface has a link-local address of IPv6."""
    prefixes = (prefix for _, prefix in facts.routes_of("cilium"))
    return {prefix.version for prefix in prefixes if not (prefix.is_link_local or prefix.is_multicast)}


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
        ("rules", "links", "routes"),
        "The rule gives packets between pods of two nodes the node's address; policies that know pods by "
        "address then deny them.",
        "Remove Flannel's chains, or drain and reboot the node.",
        "projectcalico/calico#12920",
        _flannel_masquerade,
    ),
    Check(
        "foreign-rpfilter",
        "warning",
        ("rules", "links", "routes"),
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

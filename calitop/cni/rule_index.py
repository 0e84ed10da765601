"""What can be looked up in a node's rules, each table built on first request.

Every table comes from one pass over the rules' texts or targets; no rule is parsed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from calitop.cni.names import ChainRole, calico_rest, chain_role, unquoted
from calitop.model.rules import Chain, ChainKey, Rule, Ruleset

_CHAIN_ORDER = ("fw-", "tw-", "sm-", "fh-", "th-", "fhfw-", "thfw-")


@dataclass(frozen=True, slots=True, order=True)
class RuleRef:
    """A rule by its chain and its index from 0."""

    key: ChainKey
    index: int


class InterfaceMatch(NamedTuple):
    """One interface test of a rule."""

    patterns: tuple[str, ...]
    """As the rule has them: `cali+` (iptables), `cali*` (nft); of several, one must fit."""
    wildcard: str
    """The character that stands for any rest, at the end only."""
    negated: bool

    def matches(self, name: str) -> bool:
        """Whether a packet of that interface passes the test."""
        return any(self._fits(pattern, name) for pattern in self.patterns) != self.negated

    def _fits(self, pattern: str, name: str) -> bool:
        if pattern.endswith(self.wildcard):
            return name.startswith(pattern[:-1])
        return name == pattern


_IPTABLES = re.compile(r"(?:^|[ \t])(![ \t]+)?(?:-i|-o|--in-interface|--out-interface)[ \t]+(![ \t]+)?(\S+)")
_NFT = re.compile(
    r'(?:^|\s)(?:iifname|oifname|iif|oif)\s+(!=\s+|==\s+)?(?:vmap\s+)?(\{[^}]*\}|"[^"]*"|[^\s{"@.]+)(?=\s|$)'
)
_INTERFACE_WORDS = ("-i ", "-o ", "-i\t", "-o\t", "-interface", "iif", "oif")
"""One of these stands in every rule in which an interface test is found."""
_NFT_KEY = re.compile(r'(?:^\{?|,)\s*(?:"([^"]*)"|([^\s,:{}"]+))')


def interface_matches(rule: Rule) -> list[InterfaceMatch]:
    """The interface tests of a rule, in order; what stands inside a comment is none."""
    text = rule.text
    if rule.language == "nft":
        return list(_nft_matches(text)) if "if" in text else []
    if ("-i" not in text and "-o" not in text) or not _IPTABLES.search(text):
        return []
    return [
        InterfaceMatch((match[3].strip('"'),), "+", bool(match[1] or match[2]))
        for match in _IPTABLES.finditer(unquoted(text) if "comment" in text else text)
    ]


def _nft_matches(text: str) -> Iterator[InterfaceMatch]:
    head = text.partition(' comment "')[0]
    for match in _NFT.finditer(head):
        names = tuple(quoted or bare for quoted, bare in _NFT_KEY.findall(match[2]))
        if names and names != ("vmap",):
            yield InterfaceMatch(names, "*", (match[1] or "").startswith("!"))


Tests = list[tuple["RuleRef", list[InterfaceMatch]]]


class RuleIndex:
    """Lookups over the rules of one structure.

    Args:
        rulesets: The rules.
        earlier: The index of other rules; what it has found for chains that are the very same
            objects is taken over, so that one changed chain of 15,000 costs little.

    Attributes:
        rulesets: The rules it speaks of; a state with the very same ones may share the index.
        chains: Every chain by its key.
    """

    def __init__(self, rulesets: tuple[Ruleset, ...], earlier: RuleIndex | None = None) -> None:
        self.rulesets = rulesets
        self.chains: dict[ChainKey, Chain] = {
            ruleset.key(table).chain(chain.name): chain
            for ruleset in rulesets
            for table in ruleset.tables
            for chain in table.chains.values()
        }
        self._keys: defaultdict[tuple[object, ...], dict[str, ChainKey]] = defaultdict(dict)
        """The chains of each table by name; one key for all who ask: memory."""
        for key in self.chains:
            self._keys[key[:3]][key.chain] = key
        self._targets: dict[ChainKey, dict[int, tuple[ChainKey, ...]]] = {}
        self._reached: dict[ChainKey, frozenset[ChainKey]] = {}
        self._for_interface: dict[str, list[RuleRef]] = {}
        if earlier is not None:
            self._take_over(earlier)

    def _take_over(self, earlier: RuleIndex) -> None:
        """Find anew only what changed chains can have changed."""
        different = self.chains.keys() ^ earlier.chains.keys()
        changed = {key for key, chain in self.chains.items() if earlier.chains.get(key) is not chain}
        if different:
            names = {key.chain for key in different}
            changed |= {key for key, chain in self.chains.items() if _leads_to_any(chain, names)}
        gone = earlier.chains.keys() - self.chains.keys()
        self._targets = {
            key: found for key, found in earlier._targets.items() if key not in changed and key not in gone
        }
        self.callers_by_chain = self._callers_after(earlier, changed | gone)
        self._called = self.callers_by_chain.keys()
        self._tests_by_chain = {
            key: tests
            for key in self.chains
            if (tests := self._find_tests(key) if key in changed else earlier._tests_by_chain.get(key))
        }

    def _callers_after(
        self, earlier: RuleIndex, changed: AbstractSet[ChainKey]
    ) -> dict[ChainKey, list[RuleRef]]:
        """The callers after those chains changed, in the order of the text."""
        callers = dict(earlier.callers_by_chain)
        fresh: defaultdict[ChainKey, list[RuleRef]] = defaultdict(list)
        for key in changed & self.chains.keys():
            for index, targets in self.targets(key).items():
                for target in targets:
                    fresh[target].append(RuleRef(key, index))
        stale = {to for key in changed for keys in earlier._targets.get(key, {}).values() for to in keys}
        order = {key: place for place, key in enumerate(self.chains)}
        for target in stale | fresh.keys():
            kept = [ref for ref in callers.pop(target, ()) if ref.key not in changed]
            refs = sorted([*kept, *fresh[target]], key=lambda ref: (order[ref.key], ref.index))
            if refs:
                callers[target] = refs
        return callers

    def targets(self, key: ChainKey) -> dict[int, tuple[ChainKey, ...]]:
        """Of the chain's rules that lead to chains: rule index -> those chains, in order."""
        if key not in self._targets:
            self._targets[key] = self._find_targets(key)
        return self._targets[key]

    def callers(self, key: ChainKey) -> list[RuleRef]:
        """The rules that jump or go to the chain, in the order of the text."""
        return self.callers_by_chain.get(key, [])

    def is_called(self, key: ChainKey) -> bool:
        """Whether a rule or a verdict map leads to the chain."""
        return key in self._called or key in self._mapped

    def reached_from(self, base: ChainKey) -> frozenset[ChainKey]:
        """The chain itself and every chain that rules lead to from there."""
        if base not in self._reached:
            self._reached[base] = self._find_reached(base)
        return self._reached[base]

    def is_nat(self, key: ChainKey) -> bool:
        """Whether only first packets of a connection come by: table nat, or chains below nat hooks alone."""
        return key in self._first_packets

    def rules_for_interface(self, name: str) -> list[RuleRef]:
        """The rules with an interface test that a packet of that interface passes."""
        if name not in self._for_interface:
            self._for_interface[name] = [
                ref
                for found in self._tests_by_chain.values()
                for ref, tests in found
                if any(test.matches(name) for test in tests)
            ]
        return self._for_interface[name]

    def _find_reached(self, base: ChainKey) -> frozenset[ChainKey]:
        reached, pending = {base}, [base]
        while pending:
            for targets in self.targets(pending.pop()).values():
                pending += (target for target in targets if target not in reached)
                reached.update(targets)
        return frozenset(reached)

    @cached_property
    def base_chains(self) -> tuple[ChainKey, ...]:
        """The chains that the kernel itself calls, in the order of the sources."""
        return tuple(key for key, chain in self.chains.items() if chain.builtin)

    @cached_property
    def bases_above(self) -> dict[ChainKey, list[ChainKey]]:
        """For each chain that a packet can get to the base chains from which rules lead there."""
        above: defaultdict[ChainKey, list[ChainKey]] = defaultdict(list)
        for base in self.base_chains:
            for key in self.reached_from(base):
                above[key].append(base)
        return dict(above)

    @cached_property
    def _first_packets(self) -> frozenset[ChainKey]:
        nat, others = set[ChainKey](), set[ChainKey]()
        for key, chain in self.chains.items():
            if key.backend != "native" and key.table == "nat":
                nat.add(key)
            elif chain.builtin:
                (nat if chain.type == "nat" else others).update(self.reached_from(key))
        return frozenset(nat - others)

    @cached_property
    def chains_by_interface(self) -> dict[str, list[ChainKey]]:
        """Each interface's own chains: from workload, to workload, endpoint mark, host endpoint."""
        chains: defaultdict[str, list[ChainKey]] = defaultdict(list)
        for key, role in self._interface_roles.items():
            if role.interface and self.chains[key].present:
                chains[role.interface].append(key)
        for keys in chains.values():
            keys.sort(key=_place_of_chain)
        return dict(chains)

    @cached_property
    def workload_interfaces(self) -> frozenset[str]:
        """Interfaces that have from-workload or to-workload chains."""
        return frozenset(
            role.interface
            for role in self._interface_roles.values()
            if role.interface and role.group in ("from workload", "to workload")
        )

    @cached_property
    def _interface_roles(self) -> dict[ChainKey, ChainRole]:
        """The roles of the chains that are an interface's own."""
        roles = ((key, chain_role(key.chain, key.table)) for key in self.chains)
        return {key: role for key, role in roles if role.interface}

    def _find_targets(self, key: ChainKey) -> dict[int, tuple[ChainKey, ...]]:
        chain, known = self.chains.get(key), self._keys[key[:3]]
        found: dict[int, tuple[ChainKey, ...]] = {}
        for index, (names, _) in enumerate(chain.leads if chain else ()):
            if len(names) == 1:
                if (target := known.get(names[0])) is not None:
                    found[index] = (target,)
            elif keys := tuple(known[name] for name in dict.fromkeys(names) if name in known):
                found[index] = keys
        return found

    @cached_property
    def callers_by_chain(self) -> dict[ChainKey, list[RuleRef]]:
        """The rules that jump or go to each chain, in the order of the text."""
        callers: defaultdict[ChainKey, list[RuleRef]] = defaultdict(list)
        for key in self.chains:
            for index, targets in self.targets(key).items():
                for target in targets:
                    callers[target].append(RuleRef(key, index))
        return dict(callers)

    @cached_property
    def _called(self) -> AbstractSet[ChainKey]:
        """The chains that have callers; a third of the time that it takes to find these."""
        return {to for key in self.chains for targets in self.targets(key).values() for to in targets}

    @cached_property
    def _mapped(self) -> frozenset[ChainKey]:
        return frozenset(
            ruleset.key(table).chain(name)
            for ruleset in self.rulesets
            for table in ruleset.tables
            for verdicts in table.maps
            for name in verdicts.targets
        )

    @cached_property
    def _tests_by_chain(self) -> dict[ChainKey, Tests]:
        return {key: tests for key in self.chains if (tests := self._find_tests(key))}

    def _find_tests(self, key: ChainKey) -> Tests:
        chain = self.chains[key]
        if not chain.may_hold(*_INTERFACE_WORDS):
            return []
        return [
            (RuleRef(key, index), tests)
            for index, rule in enumerate(chain.rules)
            if (tests := interface_matches(rule))
        ]


def _leads_to_any(chain: Chain, names: AbstractSet[str]) -> bool:
    return any(not names.isdisjoint(targets) for targets, _ in chain.leads)


def _place_of_chain(key: ChainKey) -> int:
    rest = calico_rest(key.chain) or ""
    return next((i for i, start in enumerate(_CHAIN_ORDER) if rest.startswith(start)), len(_CHAIN_ORDER))

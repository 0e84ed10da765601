"""The named sets and maps of a node's nft tables: which rule looks into which, and where elements lead."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from calitop.cni.rule_index import InterfaceMatch, RuleIndex, RuleRef
from calitop.formats.nft_rule import Lead, lead_of_verdict, leads_of
from calitop.model.rules import ChainKey, Counter, MapKey, Rule, TableKey, Verb, VerdictMap

_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_NAMED = re.compile(r"(?<!\S)@([^\s,;{}]+)")
_VERDICT_MAP = re.compile(r"(?<!\S)vmap @([^\s,;{}]+)")
_BY_INTERFACE = re.compile(r"(?<!\S)[io]ifname (?:vmap |!= )?@([^\s,;{}]+)")

_INTERFACE_NAMES = ("ifname", "typeof iifname", "typeof oifname")
"""Types of keys that are names of interfaces."""


def native_names(key: MapKey) -> tuple[str, ...]:
    """The names that a named set goes by; the last tells family and table too, as nft writes them."""
    table = key.table
    family = {"ipv4": "ip", "ipv6": "ip6"}.get(table.family or "", table.family)
    return key.name, f"{table.table} {key.name}", f"{family} {table.table} {key.name}"


class MapIndex:
    """Lookups over the named sets and maps of one structure.

    Attributes:
        maps: Every set and map by its key, in the order of the sources.
    """

    def __init__(self, rules: RuleIndex) -> None:
        self._rules = rules
        self._deciding: dict[ChainKey, dict[int, MapKey]] = {}
        self._details: dict[MapKey, tuple[dict[str, str], dict[str, Counter]]] = {}
        self.maps: dict[MapKey, VerdictMap] = {
            MapKey(ruleset.key(table), one.name): one
            for ruleset in rules.rulesets
            for table in ruleset.tables
            for one in table.maps
        }

    def of_rule(self, key: ChainKey, rule: Rule) -> list[MapKey]:
        """The sets and maps that a rule names and that are known, in order."""
        if not self.maps or rule.language != "nft" or "@" not in rule.text:
            return []
        return self._known(key, _NAMED.findall(_QUOTED.sub('""', rule.text)))

    def deciding(self, key: ChainKey, rule: Rule) -> MapKey | None:
        """The named map whose verdicts a rule follows; None for every other rule."""
        if not self.maps or rule.language != "nft" or "vmap @" not in rule.text:
            return None
        return next(iter(self._known(key, _VERDICT_MAP.findall(_QUOTED.sub('""', rule.text)))), None)

    def deciding_in(self, key: ChainKey) -> dict[int, MapKey]:
        """Of the chain's rules that follow a named map's verdicts: rule index -> that map."""
        if not self.maps or key.backend != "native":
            return {}
        if key not in self._deciding:
            rules = enumerate(self._rules.chains[key].rules)
            self._deciding[key] = {
                at: found for at, rule in rules if (found := self.deciding(key, rule)) is not None
            }
        return self._deciding[key]

    def sets_called(self, name: str) -> list[MapKey]:
        """The named sets, no maps, that go by that name: alone, or behind table, or family and table."""
        return [key for key, one in self.maps.items() if not one.is_map and name in native_names(key)]

    def users(self, key: MapKey) -> list[RuleRef]:
        """The rules that name a set or map."""
        return self._users.get(key, [])

    def options(self, key: MapKey) -> dict[str, str]:
        """Options of elements by the element's key (`comment "x"`), without counters."""
        return self._told(key)[0]

    def counters(self, key: MapKey) -> dict[str, Counter]:
        """What elements have counted, by the element's key, when the rules were last read as a whole."""
        return self._told(key)[1]

    def _told(self, key: MapKey) -> tuple[dict[str, str], dict[str, Counter]]:
        if key not in self._details:
            self._details[key] = dict(self.maps[key].details), dict(self.maps[key].counters)
        return self._details[key]

    def verb_to(self, key: ChainKey, rule: Rule, target: str) -> Verb:
        """Whether a rule goes or jumps to that one of its targets."""
        if rule.language != "nft":
            return rule.verb or "jump"
        found = (lead.verb for lead in self._leads(key, rule) if lead is not None and lead.target == target)
        return next(found, rule.verb or "jump")

    def _leads(self, key: ChainKey, rule: Rule) -> Iterator[Lead | None]:
        decided_by = self.deciding(key, rule)
        if decided_by is not None:
            yield from (lead_of_verdict(value) for _, value in self.maps[decided_by].elements)
        elif "vmap" in rule.text:
            yield from leads_of(rule.text).leads

    def target(self, key: MapKey, at: int) -> ChainKey | None:
        """The chain that an element leads to; None for a verdict, a value, and a chain that is not known."""
        lead = self.lead(key, at)
        target = None if lead is None else key.table.chain(lead.target)
        return target if target in self._rules.chains else None

    def lead(self, key: MapKey, at: int) -> Lead | None:
        """Where an element of a verdict map leads, and how; None for every other element."""
        one = self.maps[key]
        return lead_of_verdict(one.elements[at][1]) if one.type.endswith("verdict") else None

    def interface_of(self, key: MapKey, at: int) -> str | None:
        """The interface that an element is for, where the map is keyed by interface names alone."""
        return self.maps[key].elements[at][0].strip('"') if key in self._by_interface else None

    def place_of_interface(self, key: MapKey, name: str) -> int | None:
        """The element by which a map decides for that interface; None too where it is not keyed by them."""
        places = (at for at in range(len(self.maps[key].elements)) if self._is_for(key, at, name))
        return next(places, None)

    def elements_for_interface(self, name: str) -> list[tuple[MapKey, int]]:
        """The elements that an interface fits, wildcards too."""
        return [
            (key, at)
            for key in self._by_interface
            for at in range(len(self.maps[key].elements))
            if self._is_for(key, at, name)
        ]

    def rules_for_interface(self, name: str) -> list[RuleRef]:
        """The rules that look an interface up in a named set or map in which it is found."""
        fitting = {key for key, _ in self.elements_for_interface(name)}
        return [
            ref
            for key in self.maps
            if key in fitting
            for ref in self.users(key)
            if key.name in _BY_INTERFACE.findall(self._text(ref))
        ]

    def _is_for(self, key: MapKey, at: int, name: str) -> bool:
        found = self.interface_of(key, at)
        return found is not None and InterfaceMatch((found,), "*", False).matches(name)

    def _text(self, ref: RuleRef) -> str:
        return self._rules.chains[ref.key].rules[ref.index].text

    def _known(self, key: ChainKey, names: list[str]) -> list[MapKey]:
        table = TableKey(*key[:3])
        keys = (MapKey(table, name) for name in dict.fromkeys(names))
        return [one for one in keys if one in self.maps]

    @cached_property
    def _by_interface(self) -> dict[MapKey, None]:
        """The sets and maps that are keyed by the names of interfaces alone, in order."""
        return dict.fromkeys(
            key for key, one in self.maps.items() if one.type.partition(" : ")[0] in _INTERFACE_NAMES
        )

    @cached_property
    def _users(self) -> dict[MapKey, list[RuleRef]]:
        users: defaultdict[MapKey, list[RuleRef]] = defaultdict(list)
        for key, used in self._uses():
            users[used].append(key)
        return dict(users)

    def _uses(self) -> Iterator[tuple[RuleRef, MapKey]]:
        for key, chain in self._rules.chains.items():
            for at, rule in enumerate(chain.rules):
                for used in self.of_rule(key, rule):
                    yield RuleRef(key, at), used

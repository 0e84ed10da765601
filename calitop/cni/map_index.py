"""The named sets and maps of a node's nft tables: which rule looks into which, and where elements lead."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from calitop.cni.rule_index import InterfaceMatch, RuleIndex, RuleRef
from calitop.model.rules import ChainKey, MapKey, Rule, TableKey, Verb, VerdictMap

_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_NAMED = re.compile(r"(?<!\S)@([^\s,;{}]+)")
_VERDICT_MAP = re.compile(r"(?<!\S)vmap @([^\s,;{}]+)")
_BY_INTERFACE = re.compile(r"(?<!\S)[io]ifname (?:vmap |!= )?@([^\s,;{}]+)")


class MapIndex:
    """Lookups over the named sets and maps of one structure.

    Attributes:
        maps: Every set and map by its key, in the order of the sources.
    """

    def __init__(self, rules: RuleIndex) -> None:
        self._rules = rules
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

    def users(self, key: MapKey) -> list[RuleRef]:
        """The rules that name a set or map."""
        return self._users.get(key, [])

    def target(self, key: MapKey, at: int) -> ChainKey | None:
        """The chain that an element leads to; None for a verdict, a value, and a chain that is not known."""
        value = self.maps[key].elements[at][1] or ""
        verb, _, name = value.partition(" ")
        target = key.table.chain(name)
        return target if verb in ("goto", "jump") and target in self._rules.chains else None

    def verb(self, key: MapKey, at: int) -> Verb:
        """Whether an element goes or jumps to its chain."""
        return "goto" if (self.maps[key].elements[at][1] or "").startswith("goto ") else "jump"

    def interface_of(self, key: MapKey, at: int) -> str | None:
        """The interface that an element is for, where the map is keyed by interface names alone."""
        one = self.maps[key]
        is_name = one.type.partition(" : ")[0] in ("ifname", "typeof iifname", "typeof oifname")
        return one.elements[at][0].strip('"') if is_name else None

    def place_of_interface(self, key: MapKey, name: str) -> int | None:
        """The element by which a map keyed by interface names decides for that interface."""
        places = (at for at in range(len(self.maps[key].elements)) if self._is_for(key, at, name))
        return next(places, None)

    def elements_for_interface(self, name: str) -> list[tuple[MapKey, int]]:
        """The elements that an interface fits, wildcards too."""
        return [
            (key, at)
            for key, one in self.maps.items()
            for at in range(len(one.elements))
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

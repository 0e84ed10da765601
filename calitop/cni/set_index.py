"""Which rules name an ipset, found in one pass over the rules' texts; no rule is parsed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from calitop.cni.names import unquoted
from calitop.cni.rule_index import RuleIndex, RuleRef

_NAMED = re.compile(r"--(?:match|add|del|map)-set\s+(\S+)")


class SetIndex:
    """Lookups over the ipsets that the rules of one structure name."""

    def __init__(self, rules: RuleIndex) -> None:
        self._rules = rules

    def users(self, name: str) -> Sequence[RuleRef]:
        """The rules that ask or change the set, in the order of the text."""
        return self.users_by_set.get(name, ())

    @cached_property
    def users_by_set(self) -> Mapping[str, Sequence[RuleRef]]:
        """Every ipset that rules name, with these rules."""
        found: defaultdict[str, list[RuleRef]] = defaultdict(list)
        for key, chain in self._rules.chains.items():
            for at, rule in enumerate(chain.rules if chain.may_hold("-set ") else ()):
                if "-set " in rule.text and rule.language == "iptables":
                    for name in dict.fromkeys(_NAMED.findall(unquoted(rule.text))):
                        found[name].append(RuleRef(key, at))
        return found

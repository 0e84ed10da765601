"""The common ground of nft's text and JSON: tables being read, priorities, native or iptables.

Sources: nft(8) "Standard priority names"; iptables' nft.c (xtables_ipv4, xtables_arp, xtables_bridge).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from calitop.formats.nft_rule import STATEMENTS, Lead, distinct, lead_of_verdict, through_map
from calitop.formats.nft_words import key_and_options, key_and_value
from calitop.model.rules import (
    TABLE_HOOKS,
    Chain,
    Counter,
    Family,
    Rule,
    Ruleset,
    Table,
    VerdictMap,
    builtin_priority,
)

FAMILIES: Mapping[str, Family] = {
    "ip": "ipv4",
    "ip6": "ipv6",
    "inet": "inet",
    "arp": "arp",
    "bridge": "bridge",
    "netdev": "netdev",
}
"""nft's names of the families and the names they have here."""

_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_BRIDGE_PRIORITIES = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}
_PRIORITY = re.compile(r"([a-z]+)(?:\s*([+-])\s*([0-9]{1,10}))?|(-?[0-9]{1,10})")

_EBTABLES: dict[str, dict[str, tuple[str, int]]] = {
    "filter": {"INPUT": ("INPUT", -200), "FORWARD": ("FORWARD", -200), "OUTPUT": ("OUTPUT", -200)},
    "nat": {
        "PREROUTING": ("PREROUTING", -300),
        "OUTPUT": ("OUTPUT", 100),
        "POSTROUTING": ("POSTROUTING", 300),
    },
    "broute": {"BROUTING": ("PREROUTING", -(2**31))},
}
_ARPTABLES: dict[str, dict[str, tuple[str, int]]] = {
    "filter": {"INPUT": ("INPUT", 0), "OUTPUT": ("OUTPUT", 0)},
}


def priority_of(words: str, family: Family | None) -> int | None:
    """The number that a priority stands for (`mangle - 1` is -151).

    Args:
        words: Number, name, or name with an offset.
        family: Decides what the names mean: `filter` is -200 in bridge, 0 elsewhere.

    Returns:
        The number; None where the name means nothing in that family.
    """
    match = _PRIORITY.fullmatch(words.strip())
    if match is None:
        return None
    if match[4] is not None:
        return int(match[4])
    base = (_BRIDGE_PRIORITIES if family == "bridge" else _PRIORITIES).get(match[1])
    offset = int(match[3] or 0)
    return None if base is None else base + (-offset if match[2] == "-" else offset)


@dataclass(eq=False)
class ChainDraft:
    """A chain being read."""

    chain: Chain
    """Everything but its rules."""
    rules: list[Rule] = field(default_factory=list)
    complete: bool | None = True

    def finished(self, verdicts: Mapping[str, tuple[Lead, ...]]) -> Chain:
        """The chain with its rules, targets through verdict maps filled in."""
        rules = tuple(through_map(rule, verdicts) for rule in self.rules)
        return replace(self.chain, rules=rules, complete=self.complete)


@dataclass(eq=False)
class TableDraft:
    """A table being read."""

    name: str
    chains: dict[str, ChainDraft] = field(default_factory=dict)
    maps: dict[str, VerdictMap] = field(default_factory=dict)
    dormant: bool | None = False
    """The kernel holds the table but calls none of its chains; None when the text cannot tell."""

    def finished(self, terse: bool) -> Table:
        """The table; `terse`: the listing may have left all elements out."""
        verdicts = {
            name: distinct(lead_of_verdict(value) for _, value in one.elements)
            for name, one in self.maps.items()
            if one.is_map
        }
        chains = {name: draft.finished(verdicts) for name, draft in self.chains.items()}
        chains |= _absent(chains)
        unknown = None if terse else True
        maps = (
            one if one.elements else replace(one, complete=unknown and one.complete)
            for one in self.maps.values()
        )
        return Table(self.name, chains, tuple(maps))


def _absent(chains: Mapping[str, Chain]) -> dict[str, Chain]:
    """Chains that rules lead to and that the text does not hold: it was cut."""
    named = dict.fromkeys(
        target
        for chain in chains.values()
        for rule in chain.rules
        if "xt target" not in rule.text
        for target in rule.targets
    )
    absent = [name for name in named if name not in chains and name not in STATEMENTS]
    return {name: Chain(name, present=False, complete=False) for name in absent}


class Draft:
    """All tables being read, by family and name."""

    def __init__(self) -> None:
        self._tables: dict[tuple[Family, str], TableDraft] = {}
        self.has_elements = False
        """Any set or map in the whole text shows elements, so the listing is not terse."""

    def table(self, family: Family, name: str) -> TableDraft:
        """The table of that name, made when it is new."""
        return self._tables.setdefault((family, name), TableDraft(name))

    def add_map(self, table: TableDraft, one: VerdictMap) -> None:
        """Puts a named set or map into its table."""
        self.has_elements = self.has_elements or bool(one.elements)
        table.maps[one.name] = one

    def warnings(self) -> tuple[str, ...]:
        """What the operator must know of the tables as a whole."""
        says = {True: "is dormant", None: "has a flag without a name, it may be dormant"}
        return tuple(
            f"table {table.name} of family {family} {says[table.dormant]}: its chains do not act then"
            for (family, _), table in self._tables.items()
            if table.dormant is not False
        )

    def rulesets(self, program: str | None = None) -> tuple[Ruleset, ...]:
        """One ruleset for each family, both in the order of the source."""
        tables: dict[Family, list[Table]] = {}
        for (family, _), draft in self._tables.items():
            tables.setdefault(family, []).append(draft.finished(not self.has_elements))
        return tuple(Ruleset(family, "native", tuple(found), program) for family, found in tables.items())


def chain_head(
    name: str, kind: str, hook: str, priority: int | None, policy: str | None, device: str | None
) -> Chain:
    """A base chain without its rules; nft's policy is accept where it prints none."""
    return Chain(
        name=name,
        builtin=True,
        hook=hook.upper(),
        priority=priority,
        type=kind,
        device=device,
        policy=(policy or "accept").upper(),
    )


def verdict_map(
    name: str, kind: str, is_map: bool, found: Iterable[str], complete: bool | None = True
) -> VerdictMap:
    """A named set or map from its elements in nft's words."""
    pairs: list[tuple[str, str | None]] = []
    details: list[tuple[str, str]] = []
    counters: list[tuple[str, Counter]] = []
    for element in found:
        words, value = key_and_value(element) if is_map else (element, None)
        key, options, counter = key_and_options(words)
        pairs.append((key, value))
        if options:
            details.append((key, options))
        if counter is not None:
            counters.append((key, counter))
    leads = distinct(lead_of_verdict(value) for _, value in pairs)
    return VerdictMap(
        name=name,
        type=kind,
        elements=tuple(pairs),
        targets=tuple(dict.fromkeys(lead.target for lead in leads)),
        is_map=is_map,
        complete=complete,
        details=tuple(details),
        counters=tuple(counters),
    )


def is_xtables_table(family: Family | None, table: Table) -> bool:
    """Whether this is a table as iptables-nft, ebtables-nft or arptables-nft makes it.

    It is told by its name and by base chains with exactly the names, hooks and priorities
    of those programs. Its rules need not be readable for them.
    """
    allowed = _xtables_chains(family, table.name)
    base = [chain for chain in table.chains.values() if chain.builtin]
    return bool(allowed) and all(allowed.get(chain.name) == (chain.hook, chain.priority) for chain in base)


def _xtables_chains(family: Family | None, table: str | None) -> Mapping[str, tuple[str | None, int | None]]:
    """Hook and priority of each base chain that the table may have; empty for a foreign table."""
    if table is None or family not in ("ipv4", "ipv6", "bridge", "arp"):
        return {}
    if family == "bridge":
        return dict(_EBTABLES.get(table, {}))
    if family == "arp":
        return dict(_ARPTABLES.get(table, {}))
    return {chain: (chain, builtin_priority(table, chain)) for chain in TABLE_HOOKS.get(table, ())}


def native_only(
    rulesets: Iterable[Ruleset],
    have_iptables_nft: Collection[str],
    saved: Iterable[Ruleset] = (),
) -> tuple[Ruleset, ...]:
    """The rulesets without the tables that an iptables-save text already tells.

    A table is left out where its family was saved by iptables-nft, it looks like that program's,
    and, when `saved` is given, a table of its name was indeed saved: a table with native rules
    in it is `incompatible` for iptables-nft-save and stands in the nft listing only.

    Args:
        rulesets: What an nft listing told.
        have_iptables_nft: Families (`ipv4`, `ipv6`) of which there is an iptables-nft save.
        saved: What those saves told; empty to trust the families alone.
    """
    names = {(ruleset.family, table.name) for ruleset in saved for table in ruleset.tables}

    def is_told(family: Family | None, table: Table) -> bool:
        known = not names or (family, table.name) in names
        return family in have_iptables_nft and known and is_xtables_table(family, table)

    kept = (
        replace(one, tables=tuple(table for table in one.tables if not is_told(one.family, table)))
        for one in rulesets
    )
    return tuple(ruleset for ruleset in kept if ruleset.tables)

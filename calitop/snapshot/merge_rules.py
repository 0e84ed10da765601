"""Rulesets of many texts -> each table once.

A table that several texts tell is taken from the richest: a whole text before a cut one,
counters before none. What iptables manages through nftables stands in `nft list ruleset`
again and is taken from iptables-save.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from calitop.formats.fragment import Fragment
from calitop.formats.nft_tables import native_only
from calitop.model.rules import Chain, Rule, Ruleset, Table
from calitop.snapshot.adjust import cut_chain


def merge_rulesets(whole: Sequence[Fragment], cut: Sequence[Fragment]) -> tuple[Ruleset, ...]:
    """All rulesets that the fragments tell, every table once.

    Args:
        whole: Complete texts, richest first.
        cut: Texts with lines missing. A text among the others that only has chains with
            missing rules (the file of a grep) counts as cut too.
    """
    cut = [*(each for each in whole if _is_cut(each)), *cut]
    whole = [each for each in whole if not _is_cut(each)]
    found: list[Ruleset] = []
    native: list[Ruleset] = []
    for fragment in sorted(whole, key=_poverty):
        found = _added(found, (each for each in fragment.rulesets or () if each.backend != "native"))
        native = _added(native, (each for each in fragment.rulesets or () if each.backend == "native"))
    for fragment in cut:
        found = _added_cut(found, fragment.rulesets or ())
    return (*sorted(found, key=_place), *_not_saved(native, found))


def _is_cut(fragment: Fragment) -> bool:
    chains = [
        chain
        for ruleset in fragment.rulesets or ()
        for table in ruleset.tables
        for chain in table.chains.values()
        if chain.present
    ]
    return bool(chains) and all(chain.complete is False for chain in chains)


def _place(ruleset: Ruleset) -> tuple[int, int]:
    """IPv4 before IPv6, nft before legacy, whatever file was read first."""
    families, backends = ("ipv4", "ipv6"), ("nft", "legacy")
    return (
        families.index(ruleset.family) if ruleset.family in families else len(families),
        backends.index(ruleset.backend) if ruleset.backend in backends else len(backends),
    )


def _not_saved(native: Sequence[Ruleset], saved: Sequence[Ruleset]) -> tuple[Ruleset, ...]:
    """What an nft listing tells beyond the iptables-save texts."""
    by_nft = [each for each in saved if each.backend == "nft" or _is_listed(each, native)]
    families = {each.family for each in by_nft if each.family is not None}
    return native_only(native, families, by_nft)


def _is_listed(saved: Ruleset, native: Sequence[Ruleset]) -> bool:
    """Whether a save that does not name its backend holds the very chains of the nft listing."""
    if saved.backend is not None:
        return False
    listed = {(each.family, table.name): set(table.chains) for each in native for table in each.tables}
    own = [(listed.get((saved.family, table.name)), table) for table in saved.tables]
    return bool(own) and all(names is not None and names >= _present(table) for names, table in own)


def _present(table: Table) -> set[str]:
    return {name for name, chain in table.chains.items() if chain.present}


def _poverty(fragment: Fragment) -> tuple[int, int]:
    return -fragment.richness, 0 if any(_counts(each) for each in fragment.rulesets or ()) else 1


def _counts(ruleset: Ruleset) -> bool:
    """Whether the text printed counters for its rules."""
    rules = (rule for table in ruleset.tables for chain in table.chains.values() for rule in chain.rules)
    return any(rule.packets is not None for rule in rules)


def _added(found: list[Ruleset], more: Iterable[Ruleset]) -> list[Ruleset]:
    for ruleset in more:
        at = next((n for n, each in enumerate(found) if _same_side(each, ruleset)), None)
        new = [table for table in ruleset.tables if not _is_told(table, ruleset, found)]
        if at is None:
            if new or not ruleset.tables:
                found = [*found, replace(ruleset, tables=tuple(new))]
        else:
            found[at] = replace(found[at], tables=(*found[at].tables, *new))
    return found


def _same_side(one: Ruleset, other: Ruleset) -> bool:
    return (one.family, one.backend) == (other.family, other.backend)


def _may_be_same(one: Ruleset, other: Ruleset) -> bool:
    """Whether two rulesets can be of one side, where a text does not tell family or backend."""
    families = one.family is None or other.family is None or one.family == other.family
    backends = one.backend is None or other.backend is None or one.backend == other.backend
    return families and backends and "native" not in (one.backend, other.backend)


def _is_told(table: Table, ruleset: Ruleset, found: Iterable[Ruleset]) -> bool:
    for each in found:
        known = each.table(table.name)
        if known is None:
            continue
        if _same_side(each, ruleset) or (_may_be_same(each, ruleset) and _same_rules(known, table)):
            return True
    return False


def _same_rules(one: Table, other: Table) -> bool:
    def words(table: Table) -> dict[str, list[str]]:
        return {
            name: [rule.text for rule in chain.rules] for name, chain in table.chains.items() if chain.present
        }

    return words(one) == words(other)


# -- cut texts --------------------------------------------------------------------------


def _added_cut(found: list[Ruleset], more: Iterable[Ruleset]) -> list[Ruleset]:
    for ruleset in more:
        whole = next((each for each in found if _covers(each, ruleset)), None)
        if whole is not None:
            continue
        at = next((n for n, each in enumerate(found) if _same_side(each, ruleset)), None)
        if at is None:
            found = [*found, _joined(replace(ruleset, tables=()), ruleset)]
        else:
            found[at] = _joined(found[at], ruleset)
    return found


def _covers(known: Ruleset, cut: Ruleset) -> bool:
    """Whether a whole text tells all tables of a cut one; a table without name can be any of them."""
    if not _may_be_same(known, cut) or not known.tables:
        return False
    whole = [table.name for table in known.tables if _is_whole(table)]
    return bool(whole) and all(table.name is None or table.name in whole for table in cut.tables)


def _is_whole(table: Table) -> bool:
    return table.name is not None and any(chain.present and chain.complete for chain in table.chains.values())


def _joined(known: Ruleset, more: Ruleset) -> Ruleset:
    tables = {table.name: table for table in known.tables}
    for table in more.tables:
        before = tables.get(table.name)
        if before is not None and _is_whole(before):
            continue
        tables[table.name] = _joined_table(before or Table(table.name), table)
    return replace(known, tables=tuple(tables.values()))


def _joined_table(known: Table, more: Table) -> Table:
    chains = dict(known.chains)
    for name, chain in more.chains.items():
        chains[name] = _joined_chain(chains[name], chain) if name in chains else _cut_if_present(chain)
    return replace(known, chains=chains)


def _cut_if_present(chain: Chain) -> Chain:
    return replace(cut_chain(chain), rules=_distinct(chain.rules)) if chain.present else chain


def _joined_chain(known: Chain, more: Chain) -> Chain:
    """Two cut views of one chain: their rules, each text once."""
    if not more.present:
        return known
    base = known if known.present else more
    return cut_chain(replace(base, rules=_distinct((*known.rules, *more.rules))))


def _distinct(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    once: dict[str, Rule] = {}
    for rule in rules:
        once.setdefault(rule.text, replace(rule, number=None))
    return tuple(once.values())


def two_backends_warning(rulesets: Sequence[Ruleset]) -> list[str]:
    """A sentence where nft and legacy tables of one family both hold rules."""
    out = []
    for family in ("ipv4", "ipv6"):
        sides = {each.backend for each in rulesets if each.family == family and _holds_rules(each)}
        if {"nft", "legacy"} <= sides:
            out.append(
                f"both iptables backends hold {family} rules; the kernel asks both, "
                "and programs of one do not see the other's"
            )
    return out


def _holds_rules(ruleset: Ruleset) -> bool:
    return any(chain.rules for table in ruleset.tables for chain in table.chains.values())

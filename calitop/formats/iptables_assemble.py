"""Blocks of iptables text -> rulesets: which family, which table, what is missing.

Two dumps in one text stay apart where family or backend differ. Where they do not, the
same paste counts once, and tables that contradict each other are reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from calitop.formats.iptables_names import family_of_rule, is_chain_name, table_of_chain, table_of_rule
from calitop.formats.iptables_scan import Block, ChainDraft
from calitop.formats.iptables_unread import UnreadRules
from calitop.model.node import Problem
from calitop.model.rules import (
    BUILTIN_CHAINS,
    TABLE_HOOKS,
    Backend,
    Chain,
    Family,
    Rule,
    Ruleset,
    Table,
    builtin_priority,
)


@dataclass(slots=True)
class _Tables:
    """The tables of one family and backend, as far as they were gathered."""

    program: str | None
    tables: dict[str | None, dict[str, Chain]] = field(default_factory=dict)
    whole: set[str | None] = field(default_factory=set)


def assemble(blocks: list[Block], problems: list[Problem]) -> tuple[Ruleset, ...]:
    """The rulesets of a text, in the order in which they begin.

    Args:
        blocks: As scanned.
        problems: Contradictions are added here.
    """
    gathered: dict[tuple[Family | None, Backend | None], _Tables] = {}
    families = _families(blocks)
    for block, family in zip(blocks, families, strict=True):
        header = block.header
        key = (family, header.backend if header else None)
        into = gathered.setdefault(key, _Tables(header.program if header else None))
        for table, chains in _tables_of(_without_known(block, blocks)).items():
            _merge(into.tables.setdefault(table, {}), chains, block, problems)
            if block.table is not None and block.committed:
                into.whole.add(table)
    return tuple(_ruleset(*key, found) for key, found in gathered.items() if found.tables)


# -- family


def _families(blocks: list[Block]) -> list[Family | None]:
    """The family of each block; blocks without header that follow each other are one dump."""
    told: list[Family | None] = [None] * len(blocks)
    for run in _runs(blocks):
        family = _one_of(_evidence(blocks[place]) for place in run)
        for place in run:
            told[place] = family
    for place, block in enumerate(blocks):
        if block.header is not None and block.header.family is not None:
            told[place] = block.header.family
    return told


def _runs(blocks: list[Block]) -> list[list[int]]:
    """Places of blocks that one program may have printed; a table that comes again begins a new run."""
    runs: list[list[int]] = []
    seen: set[str | None] = set()
    for place, block in enumerate(blocks):
        alone = block.cut or block.header is not None
        if (
            alone
            or not runs
            or block.table in seen
            or blocks[runs[-1][-1]].header
            or blocks[runs[-1][-1]].cut
        ):
            runs.append([])
            seen = set()
        runs[-1].append(place)
        seen.add(block.table)
    return runs


def _evidence(block: Block) -> Family | None:
    """Family by the rules' words. A grep may mix families, so there all rules must agree."""
    if block.header is not None and block.header.family is not None:
        return None
    found = (family_of_rule(rule.text) for chain in block.chains.values() for rule in chain.rules)
    known = (family for family in found if family is not None)
    return _one_of(known) if block.cut else next(known, None)


def _one_of(found: Iterable[Family | None]) -> Family | None:
    """The only family among those found; None for none or for several."""
    different = {family for family in found if family is not None}
    return different.pop() if len(different) == 1 else None


# -- table


def _without_known(block: Block, blocks: list[Block]) -> Block:
    """Of a grep, only the rules that no full table of the same text holds."""
    whole = [other for other in blocks if not other.cut]
    if not block.cut or not whole:
        return block
    chains = {}
    for name, draft in block.chains.items():
        twins = [other.chains[name] for other in whole if name in other.chains]
        known = {rule.text for twin in twins for rule in twin.rules}
        left = [rule for rule in draft.rules if rule.text not in known]
        if left or not twins:
            chains[name] = replace(draft, rules=left)
    return replace(block, chains=chains)


def _tables_of(block: Block) -> dict[str | None, dict[str, Chain]]:
    """The block's chains by table; several tables only where no table line stands above them."""
    if block.table is not None:
        return {
            block.table: {draft.name: _chain(draft, block, block.table) for draft in block.chains.values()}
        }
    if block.listed or block.committed:
        table = _only_table(block)
        return {table: {draft.name: _chain(draft, block, table) for draft in block.chains.values()}}
    return _spread(block)


def _only_table(block: Block) -> str | None:
    """The one table that all chains of the block share, where a name in it tells."""
    told = {
        table_of_rule(draft.name, rule.target, rule.text)
        for draft in block.chains.values()
        for rule in draft.rules
    } | {table_of_chain(name) for name in block.chains}
    told.discard(None)
    return told.pop() if len(told) == 1 else None


def _spread(block: Block) -> dict[str | None, dict[str, Chain]]:
    """Chains of a grep, each rule in the table that its names tell, and once however often pasted."""
    parts: dict[str | None, dict[str, ChainDraft]] = {}
    for draft in block.chains.values():
        for table, part in _parts(draft).items():
            parts.setdefault(table, {})[draft.name] = part
    return {
        table: {name: _chain(draft, block, table) for name, draft in drafts.items()}
        for table, drafts in parts.items()
    }


def _parts(draft: ChainDraft) -> dict[str | None, ChainDraft]:
    """One chain of a grep by table. Which table its policy was declared in, only its own name can tell."""
    own = table_of_chain(draft.name)
    by_table: dict[str | None, list[Rule]] = {}
    for rule in _distinct(draft.rules):
        by_table.setdefault(table_of_rule(draft.name, rule.target, rule.text), []).append(rule)
    if not by_table or draft.policy not in (None, "-"):
        by_table.setdefault(own, [])
    bare = replace(draft, policy="-" if draft.policy == "-" else None, packets=None, bytes=None)
    return {table: replace(draft if table == own else bare, rules=rules) for table, rules in by_table.items()}


def _distinct(rules: Sequence[Rule]) -> list[Rule]:
    """Each text once, at its first place, with the counters of its last paste."""
    by_text: dict[str, Rule] = {}
    for rule in rules:
        by_text[rule.text] = rule
    return list(by_text.values())


# -- chain


def _chain(draft: ChainDraft, block: Block, table: str | None) -> Chain:
    hooks = TABLE_HOOKS.get(table or "", BUILTIN_CHAINS)
    builtin = draft.name in hooks and draft.policy != "-"
    policy = draft.policy.upper() if builtin and draft.policy else None
    return Chain(
        name=draft.name,
        rules=draft.rules if isinstance(draft.rules, UnreadRules) else tuple(draft.rules),
        builtin=builtin,
        hook=draft.name if builtin else None,
        priority=builtin_priority(table, draft.name) if builtin else None,
        policy=policy,
        packets=draft.packets if builtin else None,
        bytes=draft.bytes if builtin else None,
        complete=_complete(draft, block),
    )


def _complete(draft: ChainDraft, block: Block) -> bool | None:
    if block.cut:
        return False
    return True if block.committed and draft.declared and not block.listed else None


# -- the same table again


def _merge(into: dict[str, Chain], chains: dict[str, Chain], block: Block, problems: list[Problem]) -> None:
    differing = []
    for name, chain in chains.items():
        known = into.get(name)
        if known is None:
            into[name] = chain
        else:
            into[name], same = _merged(known, chain)
            if not same and not block.cut:
                differing.append(name)
    if differing:
        names = ", ".join(differing[:3]) + (" …" if len(differing) > 3 else "")
        why = f"this table stands twice in the text and differs in {len(differing)} chains: {names}"
        problems.append(Problem(block.line, f"*{block.table or ''}", why))


def _merged(first: Chain, second: Chain) -> tuple[Chain, bool]:
    """One chain out of two pastes, and whether they say the same."""
    texts = [rule.text for rule in first.rules]
    others = [rule.text for rule in second.rules]
    if texts == others:
        same = first.counter == second.counter and all(
            a.counter == b.counter for a, b in zip(first.rules, second.rules, strict=True)
        )
        return first, same
    left = Counter(texts)
    more: list[Rule] = []
    for rule in second.rules:
        if left[rule.text]:
            left[rule.text] -= 1
        else:
            more.append(rule)
    return _joined(first, second, more), False


def _joined(first: Chain, second: Chain, more: list[Rule]) -> Chain:
    """Both pastes' rules; their common order is unknown unless one of them held none."""
    cut = first.complete is False or second.complete is False
    if not first.rules and not cut:
        return second
    if not more and not cut:
        return replace(first, complete=None)
    rules = (*first.rules, *more)
    numbered = rules if cut else tuple(replace(rule, number=place) for place, rule in enumerate(rules, 1))
    return replace(first, rules=numbered, complete=False if cut else None)


# -- chains that are jumped to and stand nowhere


def _ruleset(family: Family | None, backend: Backend | None, found: _Tables) -> Ruleset:
    tables = []
    for name, chains in found.tables.items():
        if name is None:
            chains = _not_elsewhere(chains, found.tables)
        missing = _missing(chains, whole=name in found.whole)
        if chains or missing or name is not None:
            tables.append(Table(name, {**chains, **missing}))
    return Ruleset(family, backend, tuple(tables), found.program)


def _not_elsewhere(chains: dict[str, Chain], tables: dict[str | None, dict[str, Chain]]) -> dict[str, Chain]:
    """Without empty chains of no table that a rule has placed in one."""
    placed = {name for table, others in tables.items() if table is not None for name in others}
    return {
        name: chain
        for name, chain in chains.items()
        if chain.rules or chain.policy or chain.complete is not False or name not in placed
    }


def _missing(chains: dict[str, Chain], *, whole: bool) -> dict[str, Chain]:
    """A chain for each name that a rule jumps to and that stands nowhere in its table."""
    told = dict.fromkeys(lead for chain in chains.values() for lead in chain.leads)
    wanted = [(target, verb) for targets, verb in told for target in targets if target not in chains]
    named = {target for target, verb in wanted if verb == "goto" or is_chain_name(target, whole_table=whole)}
    return {
        name: Chain(name, present=False, complete=False)
        for name in dict.fromkeys(target for target, _ in wanted)
        if name in named
    }

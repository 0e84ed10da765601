"""What is told of a chain, of a rule, and of a named nft set or map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from calitop.cni.index import NodeIndex, RuleRef
from calitop.explain.chain_words import explain_chain
from calitop.explain.hash_words import chain_hashes
from calitop.explain.plain_facts import (
    caller_words,
    chain_title,
    leads,
    map_purpose_words,
    map_size_words,
    map_title,
    map_words,
    rule_owner_words,
    rule_title,
    sets_named,
    size_words,
)
from calitop.explain.policy_words import explain_policy
from calitop.explain.rule_words import explain_rule
from calitop.explain.told import Told, ToldRule
from calitop.model.rules import ChainKey, MapKey
from calitop.report.check import ref_words
from calitop.report.text import plural

LISTED = 200
"""Rules or routes that are listed one by one; more are counted only."""


def find_chains(index: NodeIndex, what: str) -> Iterator[Told]:
    """The chains of that name, table and name, or full place (`ipv4/nft/filter/FORWARD`)."""
    yield from (about_chain(index, key) for key in _named(index, what))


def find_rules(index: NodeIndex, what: str) -> Iterator[Told]:
    """The rules of that number in the chains that `find_chains` finds by what stands before it."""
    chain, slash, number = what.rpartition("/")
    if not slash or not (number.isascii() and number.isdecimal()):
        return
    for key in _named(index, chain):
        at = int(number) - 1
        if 0 <= at < len(index.chains[key].rules):
            yield about_rule(index, key, at)


def find_maps(index: NodeIndex, what: str) -> Iterator[Told]:
    """The named nft sets and maps of that name, or table and name."""
    for key in index.maps.maps:
        if what in (key.name, f"{key.table.table or '-'}/{key.name}"):
            yield about_map(index, key)


def _named(index: NodeIndex, what: str) -> Iterator[ChainKey]:
    name = what.rpartition("/")[2]
    for key in index.chains:
        names = (f"{key.table or '-'}/{key.chain}", ref_words(key)) if key.chain.endswith(name) else ()
        if key.chain == what or what in names:
            yield key


def about_chain(index: NodeIndex, key: ChainKey) -> Told:
    """Who stands behind it, who calls it and from which hooks, its hashes, and each of its rules."""
    chain = index.chains[key]
    lines: list[str] = []
    if chain.present and not chain.builtin:
        words = explain_chain(index, key)
        lines += [words.behind, words.called, words.way]
    lines.append(size_words(index, key, chain))
    if chain.builtin:
        lines += [explain_policy(index, key), "" if index.bpf is None else str(index.bpf)]
    hashes = chain_hashes(index, key)
    lines.append("" if hashes is None else hashes.line())
    rules = tuple(
        ToldRule(rule.number, ref_words((key, at)), explain_rule(index, key, at), rule.text)
        for at, rule in enumerate(chain.rules)
    )
    return Told("chain", ref_words(key), chain_title(index, key), tuple(filter(None, lines)), rules)


def about_rule(index: NodeIndex, key: ChainKey, at: int) -> Told:
    """What it does and where control goes next, its own words, where it leads, and whose it is."""
    rule = index.chains[key].rules[at]
    lines = [explain_rule(index, key, at), rule.text]
    lines += [f"looks into {map_words(index, named)}" for named in index.maps.of_rule(key, rule)]
    lines += [said for _, said in leads(index, key, rule)]
    lines += [f"set {name}" for name in sets_named(rule)]
    lines.append(rule_owner_words(index, key, rule) or "")
    lines += called_lines(index, index.callers(key), f"{key.chain} is called by", key)
    return Told("rule", ref_words((key, at)), rule_title(index, key, at), tuple(filter(None, lines)))


def about_map(index: NodeIndex, key: MapKey) -> Told:
    """What it holds, the rules that look into it, and where its elements lead."""
    one = index.maps.maps[key]
    users = index.maps.users(key)
    lines = [*filter(None, [map_purpose_words(index, key)]), map_size_words(index, key)]
    lines += list(called_lines(index, users, "looked into by")) or ["no rule names it"]
    elements = (name if value is None else f"{name} : {value}" for name, value in one.elements)
    lines += limited(elements, len(one.elements), "element")
    ref = f"{key.table.table or '-'}/{key.name}"
    return Told("map", ref, map_title(index, key), tuple(lines))


def called_lines(
    index: NodeIndex, refs: Iterable[RuleRef], word: str, called: ChainKey | None = None
) -> Iterator[str]:
    """A line for each rule, behind the word; `called` says how that chain is entered."""
    listed = list(refs)
    yield from limited((caller_words(index, ref, word, called) for ref in listed), len(listed), "rule")


def limited(lines: Iterable[str], count: int, one: str) -> Iterator[str]:
    """The first of the lines, and how many more there are."""
    yield from islice(lines, LISTED)
    if count > LISTED:
        yield f"and {plural(count - LISTED, f'more {one}')}"

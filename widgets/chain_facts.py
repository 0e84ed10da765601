"""What the detail pane says of a chain."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.explain.plain_facts import size_words
from calitop.model.rules import Chain, ChainKey
from widgets.facts import Fact, bpf_facts, caller_facts, counter_words
from widgets.rule_facts import told_facts
from widgets.signs import Signs
from widgets.view import LinkId, RuleId, View

HASH_LOOKS = {"untouched": "accept", "edited": "warm"}
"""Look of what Felix's hashes say; a text that was cut proves nothing."""


def chain_facts(view: View, key: ChainKey, signs: Signs) -> Iterator[Fact]:
    """Who stands behind it, the way to it, size and policy, whether it is as Felix wrote it, its callers."""
    chain = view.chains.get(key)
    if chain is None:
        return
    yield from _meaning(view, key, chain)
    moved = None if view.counts is None else view.moved_in(key)
    yield Fact(size_words(view.index, key, chain, moved))
    if chain.builtin:
        yield from bpf_facts(view)
    if chain.policy is not None:
        figures = view.figures(RuleId(key, None))
        yield Fact(f"policy {chain.policy}: {counter_words(figures, view, signs)}")
    yield from hash_facts(view, key)
    yield from caller_facts(view, key)
    yield from told_facts(view, key)


def _meaning(view: View, key: ChainKey, chain: Chain) -> Iterator[Fact]:
    """What the title does not say; callers have lines of their own, which lead there."""
    if chain.builtin or not chain.present or not view.index.is_prepared:
        return
    from calitop.explain.chain_words import explain_chain

    told = explain_chain(view.index, key)
    interface = view.index.interface_of_chain(key)
    if told.behind:
        leads_to = None if interface is None else LinkId(interface)
        yield Fact(told.behind, "strong" if leads_to is None else "link", leads_to)
    if told.way:
        yield Fact(told.way)


def hash_facts(view: View, key: ChainKey) -> Iterator[Fact]:
    """Whether the chain is as Felix wrote it; computed for this one chain, of which rules are few."""
    if not view.index.is_prepared:
        return
    from calitop.explain.hash_words import chain_hashes

    found = chain_hashes(view.index, key)
    if found is not None:
        yield Fact(found.line(), HASH_LOOKS.get(found.verdict, ""))

"""The order in which a packet meets the chains."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.cni.index import NodeIndex
from calitop.cni.rule_index import RuleRef
from calitop.model.node import NodeState
from calitop.model.rules import HOOKS, Chain, ChainKey

_HOOK_PLACE = {hook: place for place, hook in enumerate(HOOKS)}
_LAST_PRIORITY = 1 << 31
"""Behind every real priority: a chain whose priority the text does not tell."""


def base_chains(state: NodeState) -> list[ChainKey]:
    """The chains that the kernel calls, by hook, then by priority, then as the sources have them."""
    bases = [(key, chain) for key, chain in state.chains().items() if chain.builtin and chain.present]
    return [key for key, _ in sorted(bases, key=lambda item: _meeting(item[1]))]


def _meeting(chain: Chain) -> tuple[int, int]:
    hook = _HOOK_PLACE.get(chain.hook or chain.name, len(HOOKS))
    return hook, _LAST_PRIORITY if chain.priority is None else chain.priority


def first_callers(index: NodeIndex, bases: list[ChainKey]) -> dict[ChainKey, RuleRef | None]:
    """Every chain that is reached, in the order of the first time, depth first.

    Returns:
        Chain -> the rule by which it is first reached; None for a base chain.
    """
    found: dict[ChainKey, RuleRef | None] = {}
    for base in bases:
        if base not in found:
            found[base] = None
            _descend(index, base, found)
    return found


def first_bases(index: NodeIndex) -> dict[ChainKey, ChainKey]:
    """Every chain that is reached, with the base chain below which a packet meets it first."""
    found: dict[ChainKey, ChainKey] = {}
    for key, caller in first_callers(index, base_chains(index.state)).items():
        found[key] = key if caller is None else found[caller.key]
    return found


def _descend(index: NodeIndex, base: ChainKey, found: dict[ChainKey, RuleRef | None]) -> None:
    """Depth first without recursion: chains may be nested deeper than Python's stack."""
    pending = [_calls(index, base)]
    while pending:
        key, calls = pending[-1]
        call = next(calls, None)
        if call is None:
            pending.pop()
        elif call[1] not in found:
            found[call[1]] = RuleRef(key, call[0])
            pending.append(_calls(index, call[1]))


def _calls(index: NodeIndex, key: ChainKey) -> tuple[ChainKey, Iterator[tuple[int, ChainKey]]]:
    """A chain and its calls: places of rules and where they lead."""
    targets_of = index.rules.targets(key).items()
    return key, ((place, target) for place, targets in targets_of for target in targets)


def reach_order(index: NodeIndex) -> dict[ChainKey, int]:
    """Rank of every chain in the order of reports: each at the first place it is reached from.

    Chains that nothing reaches come last, as the sources have them.
    """
    reached = first_callers(index, base_chains(index.state))
    return {key: rank for rank, key in enumerate(dict.fromkeys([*reached, *index.chains]))}

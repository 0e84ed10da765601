"""Where control goes behind a rule: the next rule, the rule behind the jump that led here, or a policy.

A chain reached by goto has no way back of its own: what ends it goes on where its caller's caller goes on.

Source: ip_tables.c, ipt_do_table (goto pushes nothing on the stack); nf_tables_core.c, nft_do_chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from weakref import WeakKeyDictionary

from calitop.cni.index import NodeIndex, RuleRef
from calitop.model.rules import ChainKey

_MOST = 3
"""Places to come back to that are told one by one."""


def return_points(index: NodeIndex, key: ChainKey) -> Iterator[RuleRef]:
    """Where a packet goes on that a chain gives back: each place once, in the order of the text.

    Returns:
        The rule behind each jump; its index is the number of rules where the jump is the last one,
        and for a built-in chain, which nobody gives back: there the policy decides.
    """
    given: set[RuleRef] = set()
    seen, pending = {key}, [key]
    while pending:
        here = pending.pop()
        if index.chains[here].builtin:
            yield RuleRef(here, len(index.chains[here].rules))
        for ref in index.callers(here):
            point = RuleRef(ref.key, ref.index + 1)
            if _goes_to(index, ref, here):
                if ref.key not in seen:
                    seen.add(ref.key)
                    pending.append(ref.key)
            elif point not in given:
                given.add(point)
                yield point


_backs: WeakKeyDictionary[NodeIndex, dict[ChainKey, str]] = WeakKeyDictionary()
"""For each node what `back` says of its chains: most rules of a chain say the same."""


def back(index: NodeIndex, key: ChainKey) -> str:
    """Behind "go": `back to cali-FORWARD, rule 5`, or the policy of a built-in chain."""
    known = _backs.setdefault(index, {})
    if key not in known:
        known[key] = _back(index, key)
    return known[key]


def _back(index: NodeIndex, key: ChainKey) -> str:
    chain = index.chains[key]
    if chain.builtin:
        return f"to the policy of {key.chain}, {chain.policy or 'which is not known'}"
    points = list(islice(return_points(index, key), _MOST + 1))
    if is_cut(index, key):
        also = f", as {points[0].key.chain} does" if points else ""
        return f"back to whichever chain called{also} (not all rules are in the text)"
    if not points:
        return "back to whichever chain called, but no rule here leads to this chain"
    if len(points) > _MOST:
        return "back to whichever chain called"
    told = [_place(index, point) for point in points]
    return f"back to {told[0]}" if len(told) == 1 else f"back to whichever called: {'; '.join(told)}"


def onward(index: NodeIndex, key: ChainKey, at: int) -> str:
    """Behind "go": `on with rule 5`, or what follows where the rule is the chain's last one."""
    if is_cut(index, key):
        return "on behind this rule (not all rules are in the text)"
    if at + 1 < len(index.chains[key].rules):
        return f"on with rule {at + 2}"
    return f"{back(index, key)}, as the rules end here"


def is_last(index: NodeIndex, key: ChainKey, at: int) -> bool:
    """Whether no rule of the chain follows, as far as the text tells."""
    return at + 1 == len(index.chains[key].rules)


def is_cut(index: NodeIndex, key: ChainKey) -> bool:
    """Whether rules of the chain's table are or may be missing, so that places and callers are not known."""
    return key[:3] in index.cut_tables


def _goes_to(index: NodeIndex, ref: RuleRef, to: ChainKey) -> bool:
    return index.maps.verb_to(ref.key, index.chains[ref.key].rules[ref.index], to.chain) == "goto"


def _place(index: NodeIndex, point: RuleRef) -> str:
    """A rule by its chain and number; of the end of a chain what follows, where that is one place."""
    chain = index.chains[point.key]
    if point.index < len(chain.rules):
        return f"{point.key.chain}, rule {point.index + 1}"
    if chain.builtin:
        return f"the end of {point.key.chain}, where its policy {chain.policy or '(not known)'} decides"
    behind = list(islice(return_points(index, point.key), 2))
    one = behind[0] if len(behind) == 1 else None
    if one is None or one.index == len(index.chains[one.key].rules):
        return f"the end of {point.key.chain}"
    return f"the end of {point.key.chain}, and so to {one.key.chain}, rule {one.index + 1}"

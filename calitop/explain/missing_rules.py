"""Rules that a text lacks, found by the hash of the rule behind them.

A hash covers every rule before it. Where a `grep` left out what stands before a rule, the few rules that
can have stood there are tried: when the hash comes out, they did.

Source: Felix, rules/dispatch.go (children: one rule an interface, sorted) and rules/static.go (cali-OUTPUT).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, product

from calitop.cni.felix_hash import HashCheck, check_chain
from calitop.cni.index import NodeIndex
from calitop.cni.names import calico_rest
from calitop.model.rules import Chain, ChainKey

IPVS_RULE = "--goto cali-forward-endpoint-mark"
"""What Felix writes into cali-OUTPUT only where kube-proxy is in IPVS mode."""

_CHILDREN = (
    ("from-wl-dispatch-", "-i", "--in-interface", "cali-fw-"),
    ("to-wl-dispatch-", "-o", "--out-interface", "cali-tw-"),
    ("set-endpoint-mark-", "-i", "--in-interface", "cali-sm-"),
)
_MOST_NAMES = 8
"""Interfaces that may stand before one; with more the orders to try would take too long."""
_ACCEPT, _ENDPOINTS = 0x10000, (0xFFF00000, 0xFFE00000)
"""The bits of a Calico whose mask nobody set (markbits/mark_bits.go), where no rule tells."""


def missing_before(index: NodeIndex, key: ChainKey) -> tuple[tuple[str, ...], list[HashCheck]] | None:
    """The rules that stood before the first one of the text, and what the hashes say with them.

    Returns:
        The rules as Felix writes them; None where none of those that were tried fit.
    """
    chain = index.chains[key]
    saved = [rule.text for rule in chain.rules]
    for before in _candidates(index, key, chain):
        if check_chain(key.chain, saved[:1], before)[0].state == "match":
            return before, check_chain(key.chain, saved, before)
    return None


def _candidates(index: NodeIndex, key: ChainKey, chain: Chain) -> Iterator[tuple[str, ...]]:
    rest = calico_rest(key.chain) or ""
    if (rest, key.table) == ("OUTPUT", "filter"):
        yield from _of_output(index)
    for start, option, written, target in _CHILDREN:
        if rest.startswith(start):
            found = re.search(rf" {option} (\S+)", chain.rules[0].text)
            names = _names_before(index, found[1], rest.removeprefix(start)) if found else ()
            for some in _subsets(names):
                yield tuple(f"{written} {name} --goto {target}{name}" for name in some)


def _of_output(index: NodeIndex) -> Iterator[tuple[str, ...]]:
    marks = index.marks
    accept = marks.accept or _ACCEPT
    masks = (marks.endpoint,) if marks.endpoint else _ENDPOINTS
    accepted = f"-m mark --mark {accept:#x}/{accept:#x} --jump ACCEPT"
    to_workload = "--out-interface cali+ --jump RETURN"
    gotos = [(), *((f"-m mark ! --mark 0/{mask:#x} {IPVS_RULE}",) for mask in masks)]
    for goto, last in product(gotos, ((to_workload,), ())):
        yield (accepted, *goto, *last)


def _names_before(index: NodeIndex, name: str, branch: str) -> Sequence[str]:
    """The known workload interfaces of the same branch of the tree that sort before this one."""
    at = name.find(branch)
    stem = name[: at + len(branch)] if at >= 0 else name
    state = index.state
    known = {link.name for link in state.links} | {route.dev for route in state.routes if route.dev}
    known |= set(index.rules.chains_by_interface)
    found = sorted(one for one in known if one.startswith(stem) and one < name)
    return found if len(found) <= _MOST_NAMES else ()


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for count in range(1, len(names) + 1):
        yield from combinations(names, count)

"""What is told of a value of the packet mark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from calitop.cni.index import NodeIndex, RuleRef
from calitop.explain.mark_facts import MarkFact, endpoint_facts, mark_facts
from calitop.explain.mark_words import MarkWords, bits_words
from calitop.explain.plain_facts import rule_place
from calitop.explain.told import Told
from calitop.formats.spec import spec
from calitop.model.matches import Mark
from calitop.model.rules import Rule
from calitop.model.targets import SetMark
from calitop.report.text import plural

_ALL = 0xFFFFFFFF
_MARK = re.compile(r"(?:mark )?(0x[0-9a-f]{1,8})(?:/(0x[0-9a-f]{1,8}))?", re.I)
_MOST = 5
"""Rules that are named; more are counted."""


@dataclass(frozen=True, slots=True)
class _Asked:
    value: int
    mask: int | None


def find_marks(index: NodeIndex, what: str) -> Iterator[Told]:
    """A mark (`0x10000`, `0x200/0xf00`): there is always something to tell, be it that nothing is known."""
    found = _MARK.fullmatch(what)
    if found is not None:
        yield about_mark(index, int(found[1], 16), None if found[2] is None else int(found[2], 16))


def about_mark(index: NodeIndex, value: int, mask: int | None) -> Told:
    """What a packet with it is taken for, whose bits these are, and which rules set and test them."""
    asked = _Asked(value, mask)
    lines = [f"A packet with it: {_test(index, asked)}."] if _means_something(index, asked) else []
    lines += _meanings(index, mask or value)
    lines += [
        f"endpoint mark of {one.interface}, {one.how}"
        for one in endpoint_facts(index)
        if one.interface and one.mark == value & (index.marks.endpoint or 0)
    ]
    identity = index.marks.identity_in(value)
    lines += [] if identity is None else [f"carries the Cilium identity {identity}"]
    lines += _rules(index, asked)
    spelled = f"{value:#x}" if mask is None else f"{value:#x}/{mask:#x}"
    return Told("mark", spelled, f"mark {spelled}", tuple(lines))


def _test(index: NodeIndex, asked: _Asked) -> str:
    return MarkWords(index).test(Mark(of="packet", value=asked.value, mask=_mask(index, asked)))


def _means_something(index: NodeIndex, asked: _Asked) -> bool:
    return any(bits & (asked.mask or asked.value) for _, bits in index.marks.parts())


def _mask(index: NodeIndex, asked: _Asked) -> int:
    """The bits that are meant: those given, the whole field that the value lies in, else the value's own."""
    if asked.mask is not None:
        return asked.mask
    marks, value = index.marks, asked.value
    if value == marks.non_cali or (marks.interface_of(value) and not value & ~(marks.endpoint or 0)):
        return marks.endpoint or _ALL
    if marks.cilium and value and not value & ~marks.cilium:
        return marks.cilium
    return value or _ALL


def _meanings(index: NodeIndex, bits: int) -> Iterator[str]:
    """Each known meaning that has some of the bits, then the bits of which nothing is known."""
    known = 0
    for fact in mark_facts(index):
        if shared := fact.bits & bits:
            known |= shared
            yield f"{fact.name} {bits_words(fact.bits)}: {known_by(index, fact)}"
    if rest := bits & ~known:
        yield f"{bits_words(rest, brackets=False)}: no rule that was read gives a meaning"


def known_by(index: NodeIndex, fact: MarkFact) -> str:
    """How a meaning is known: `read off filter cali-fw-… rule 7`."""
    proof = "" if fact.proof is None else f"read off {rule_place(index, fact.proof)}"
    return ", ".join(filter(None, (fact.how, proof))) or "not told"


def _rules(index: NodeIndex, asked: _Asked) -> Iterator[str]:
    """The rules that set, clear or test these very bits."""
    found: dict[str, list[RuleRef]] = {"set": [], "cleared": [], "tested": []}
    digits = f"{asked.mask or asked.value:x}"
    for key, chain in index.chains.items():
        for at, rule in enumerate(chain.rules) if chain.may_hold(digits) else ():
            if "mark" in rule.text.lower() and digits in rule.text.lower():
                for use in _uses(rule, asked):
                    found[use].append(RuleRef(key, at))
    for use, refs in found.items():
        if refs:
            rest = len(refs) - _MOST
            told = ", ".join(rule_place(index, ref) for ref in refs[:_MOST])
            yield f"{use} by {told}" + (f" and {plural(rest, 'more rule')}" if rest > 0 else "")


def _uses(rule: Rule, asked: _Asked) -> set[str]:
    uses = set()
    for match in spec(rule).find(Mark):
        if match.of == "packet" and _is_it(match.value, match.mask, asked):
            uses.add("tested")
    for target in spec(rule).targets:
        action = target.action
        if isinstance(action, SetMark) and action.of == "packet" and _is_it(action.value, action.mask, asked):
            uses.add("set" if action.value else "cleared")
    return uses


def _is_it(value: int, mask: int, asked: _Asked) -> bool:
    if asked.mask is not None:
        return (value, mask) == (asked.value, asked.mask)
    return value == asked.value or (not value and mask == asked.value)

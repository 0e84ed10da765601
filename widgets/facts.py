"""One line that the detail pane says of a thing, and what is said of things of several kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from calitop.cni.rule_index import RuleRef
from calitop.cni.set_names import set_purpose
from calitop.explain.plain_facts import PodLine, caller_words, pod_lines
from calitop.model.rules import ChainKey
from widgets import numbers
from widgets.signs import Signs
from widgets.view import Figures, RuleId, SetId, Subject, View

WIDE = 30
"""Cells for a number that has all the room it needs."""

LISTED = 200
"""Callers or routes that are listed; more are counted only."""


_POD_LOOKS: dict[PodLine, str] = {
    "pod": "strong",
    "conflict": "deny",
    "source": "dim",
    "remark": "dim",
    "sign": "",
}


class Fact(NamedTuple):
    """One line, before it is wrapped."""

    text: str
    look: str = ""
    target: Subject | None = None
    """Where enter leads from here."""
    sign: str = ""
    """Field of `Signs` that the text begins with."""


def pod_facts(view: View, interface: str) -> Iterator[Fact]:
    """The pod behind an interface, where it is known, and which sources tell so or deny it."""
    yield from (Fact(said, _POD_LOOKS[kind]) for kind, said in pod_lines(view.index, interface))


def places(view: View, refs: Iterable[RuleRef], word: str, called: ChainKey | None = None) -> Iterator[Fact]:
    """A line for each rule, which leads there; `called` says how that chain is entered."""
    for count, ref in enumerate(refs):
        if count == LISTED:
            yield Fact(f"{word} more rules than are listed here", "note")
            return
        said = caller_words(view.index, ref, word, called)
        yield Fact(said, "link", RuleId(ref.key, ref.index))


def caller_facts(view: View, key: ChainKey) -> Iterator[Fact]:
    """Who calls the chain."""
    chain = view.chains.get(key)
    callers = view.index.callers(key)
    if not callers and chain is not None and not chain.builtin:
        yield Fact("no rule jumps here", "note")
    yield from places(view, callers, f"{key.chain} is called by", key)


def bpf_facts(view: View) -> Iterator[Fact]:
    """That BPF decides on this node, where it does."""
    if view.index.bpf is not None:
        yield Fact(str(view.index.bpf), "warm")


def set_fact(view: View, name: str, signs: Signs) -> Fact:
    """An ipset, and that enter shows its members."""
    found = view.index.sets_by_name.get(name)
    purpose = set_purpose(name)
    told = f"  {purpose}" if purpose else ""
    if found is None:
        return Fact(f"set {name} was not read{told}", "link", SetId(name))
    count = found.size if found.members is None else len(found.members)
    members = f"{numbers.count(count, WIDE, signs)} members"
    return Fact(f"set {name}  {found.type}  {members}{told}", "link", SetId(name))


def counter_words(figures: Figures, view: View, signs: Signs) -> str:
    """A counter in words, with its difference, rate and age."""
    if figures.packets is None and figures.since_packets is None:
        return "it has no counter" if view.counts is not None else "its counter is not told"
    said = [
        f"{numbers.count(figures.packets, WIDE, signs)} packets",
        f"{numbers.count(figures.bytes, WIDE, signs)} bytes",
    ]
    if view.counts is None:
        said.append("no baseline to count from")
    elif figures.since_packets is None:
        said.append("not known what it counted since the baseline")
    else:
        least = "" if figures.exact else "at least "
        said.append(f"{least}{figures.since_packets:,} since the baseline")
    if view.live and figures.per_s is not None:
        said.append(f"{numbers.per_second(figures.per_s, WIDE, signs)} per second")
    if 2 <= figures.age_s < float("inf"):
        said.append(f"read {numbers.age(figures.age_s)} ago")
    return ", ".join(said)

"""One line that the detail pane says of a thing, and what is said of things of several kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from calitop.cni.pods import pod_name
from calitop.cni.rule_index import RuleRef
from calitop.formats.spec import spec
from calitop.model.rules import ChainKey, Rule
from widgets import numbers
from widgets.signs import Signs
from widgets.view import Figures, RuleId, SetId, Subject, View

WIDE = 30
"""Cells for a number that has all the room it needs."""

LISTED = 200
"""Callers or routes that are listed; more are counted only."""


class Fact(NamedTuple):
    """One line, before it is wrapped."""

    text: str
    look: str = ""
    target: Subject | None = None
    """Where enter leads from here."""
    sign: str = ""
    """Field of `Signs` that the text begins with."""


def chain_words(key: ChainKey) -> str:
    """Table and chain, with family and backend where they are not the usual."""
    family = {"ipv4": "", None: ""}.get(key.family, f"{key.family} ")
    return f"{family}{key.table or 'table not told'} {key.chain}"


def number(view: View, place: RuleId) -> str:
    """The rule's number, or that it has none."""
    rule = view.rule(place)
    return "without a number" if rule is None or rule.number is None else str(rule.number)


def pod_facts(view: View, interface: str) -> Iterator[Fact]:
    """The pod behind an interface, where it is known, and which sources tell so or deny it."""
    pod = view.index.pod_of_interface(interface)
    if pod is None:
        yield from _unnamed_facts(view, interface)
        return
    node = f"  node {pod.node}" if pod.node else ""
    yield Fact(f"pod {pod_name(pod)}" + (f"  {pod.ip}" if pod.ip else "") + node, "strong")
    yield from (Fact(f"sources disagree: {words}", "deny") for words in pod.conflicts)
    if pod.known_from:
        told = "; ".join(f"{known.what} from {known.source}" for known in pod.known_from)
        yield Fact(f"known: {told}", "dim")
    yield from (Fact(f"not taken: {words}", "dim") for words in pod.remarks)


def _unnamed_facts(view: View, interface: str) -> Iterator[Fact]:
    """What is at the other end of an interface where nothing tells a pod's name."""
    for sign in view.index.signs_of_interface(interface):
        yield Fact(f"behind it  {sign.source}  {'  '.join(sign.addresses)}".rstrip())


def places(view: View, refs: Iterable[RuleRef], word: str, called: ChainKey | None = None) -> Iterator[Fact]:
    """A line for each rule, which leads there; `called` says how that chain is entered."""
    for count, ref in enumerate(refs):
        if count == LISTED:
            yield Fact(f"{word} more rules than are listed here", "note")
            return
        place = RuleId(ref.key, ref.index)
        rule = view.rule(place)
        verb = _verb_words(view, ref.key, rule, called)
        yield Fact(f"{word} {chain_words(ref.key)} rule {number(view, place)}{verb}", "link", place)


def _verb_words(view: View, key: ChainKey, rule: Rule | None, called: ChainKey | None) -> str:
    if rule is None:
        return ""
    verb = rule.verb if called is None else view.index.maps.verb_to(key, rule, called.chain)
    return " (goto)" if verb == "goto" else ""


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


def sets_named(rule: Rule) -> list[str]:
    """The ipsets that a rule asks or changes, in its order, each once."""
    if "-set " not in rule.text:
        return []
    known = spec(rule)
    # Imported late: nothing on the first screen needs the records of matches.
    from calitop.model.matches import InSet
    from calitop.model.targets import ChangeSet

    asked = [match.name for match in known.find(InSet)]
    changed = [target.action.name for target in known.targets if isinstance(target.action, ChangeSet)]
    return list(dict.fromkeys([*asked, *changed]))


def set_fact(view: View, name: str, signs: Signs) -> Fact:
    """An ipset, and that enter shows its members."""
    found = next((one for one in view.state.sets if one.name == name), None)
    if found is None:
        return Fact(f"set {name} was not read", "link", SetId(name))
    count = found.size if found.members is None else len(found.members)
    return Fact(f"set {name}  {found.type}  {numbers.count(count, WIDE, signs)} members", "link", SetId(name))


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

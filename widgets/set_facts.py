"""What the detail pane says of an ipset: what it is for, what is in it, and the rules that name it."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.explain.plain_facts import rule_place
from widgets.facts import LISTED, Fact, set_fact
from widgets.signs import Signs
from widgets.view import RuleId, View


def set_facts(view: View, name: str, signs: Signs) -> Iterator[Fact]:
    """The set, and a line for each rule that names it, which leads there."""
    # Imported late: nothing on the first screen needs the records of matches.
    from calitop.explain.set_words import explain_set

    words = explain_set(view.index, name)
    lines = words.lines()
    if words.holds:
        yield Fact(words.holds, "strong")
    yield set_fact(view, name, signs)
    yield from (Fact(line) for line in lines if line != words.holds)
    for use in words.uses[:LISTED]:
        place = RuleId(use.ref.key, use.ref.index)
        told = f"{rule_place(view.index, use.ref)}: {use.words}"
        yield Fact(told, "link", place)
    if words.users > LISTED:
        yield Fact(f"{words.users - LISTED:,} more rules name it", "note")
    if not words.users:
        yield Fact("no rule names it", "note")

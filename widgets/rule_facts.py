"""What the detail pane says of a rule and of a policy."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.explain.plain_facts import leads, rule_owner_words, sets_named
from calitop.model.rules import ChainKey, Rule
from widgets.facts import Fact, caller_facts, counter_words, set_fact
from widgets.map_facts import map_link
from widgets.signs import Signs
from widgets.view import ChainId, RuleId, View
from widgets.wording import is_loud, owner_look

TOLD = 40
"""Rules of a chain that are told one by one; more would take longer than a key may wait."""


def rule_facts(view: View, place: RuleId, signs: Signs) -> Iterator[Fact]:
    """What it does in plain words, its own words, its counter, and where it leads."""
    chain, rule = view.chains.get(place.key), view.rule(place)
    if chain is None or (rule is None and place.at is not None):
        return
    look = "deny" if (chain.policy == "DROP" if rule is None else is_loud(rule)) else "strong"
    if said := sentence(view, place):
        yield Fact(said, look)
    yield Fact(rule.text, "" if said else look) if rule else Fact(f"policy {chain.policy or 'not told'}")
    yield Fact(counter_words(view.figures(place), view, signs))
    yield from _reset_facts(view, place, rule)
    if rule is not None:
        yield from _target_facts(view, place.key, rule)
        for name in sets_named(rule):
            yield set_fact(view, name, signs)
        yield from _owner_facts(view, place.key, rule)
    yield from caller_facts(view, place.key)
    if rule is not None and len(rule.targets) <= 1 and rule.target is not None:
        yield from told_facts(view, place.key._replace(chain=rule.target))


def told_facts(view: View, key: ChainKey) -> Iterator[Fact]:
    """The chain's rules, each in one plain sentence; enter leads to the rule."""
    chain = view.chains.get(key)
    if chain is None or not chain.rules or not view.index.is_prepared:
        return
    yield Fact(f"{key.chain}, rule by rule:", "note")
    for at, rule in enumerate(chain.rules[:TOLD]):
        place = RuleId(key, at)
        number = "?" if rule.number is None else str(rule.number)
        yield Fact(f"{number:>3}  {sentence(view, place)}", "deny" if is_loud(rule) else "", place)
    if len(chain.rules) > TOLD:
        yield Fact(f"{len(chain.rules) - TOLD} more rules say it where they stand", "note")


def sentence(view: View, place: RuleId) -> str:
    """The rule or policy in one plain sentence; empty where there is none, or it is not ready yet."""
    chain = view.chains.get(place.key)
    if chain is None or not view.index.is_prepared:
        return ""
    # Imported late: nothing on the first screen needs the records of matches.
    if place.at is None:
        from calitop.explain.policy_words import explain_policy

        return explain_policy(view.index, place.key) if chain.builtin else ""
    from calitop.explain.rule_words import explain_rule

    return explain_rule(view.index, place.key, place.at) if view.rule(place) is not None else ""


def _owner_facts(view: View, key: ChainKey, rule: Rule) -> Iterator[Fact]:
    owner, said = view.index.owner_of_rule(key, rule), rule_owner_words(view.index, key, rule)
    if said is not None:
        unowned = "warm" if view.index.is_signed(key) else "note"
        yield Fact(said, unowned if owner is None else owner_look(owner))


def _reset_facts(view: View, place: RuleId, rule: Rule | None) -> Iterator[Fact]:
    for reset in view.counts.resets if view.counts is not None else ():
        if reset.key == place.key and reset.text == (rule.text if rule is not None else ""):
            yield Fact(f"its counter was {reset.why} since the baseline: it counts from zero", "warm")
            return


def _target_facts(view: View, key: ChainKey, rule: Rule) -> Iterator[Fact]:
    for named in view.index.maps.of_rule(key, rule):
        yield map_link(view, named, "looks into")
    for target, said in leads(view.index, key, rule):
        yield Fact(said, "link", ChainId(target))

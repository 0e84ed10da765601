"""One rule line of iptables -> RuleSpec, and the few facts that reading a file needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from calitop.formats.iptables_matches import GENERAL_READERS, OPTION_READERS, OptionReader
from calitop.formats.iptables_modules import ALWAYS, MODULE_READERS
from calitop.formats.iptables_targets import READERS as TARGET_READERS
from calitop.formats.iptables_words import Grouped, Part, Use, group, words_at
from calitop.model.matches import Always, Match, Unknown
from calitop.model.rules import Verb
from calitop.model.spec import RuleSpec
from calitop.model.targets import Target
from calitop.model.values import Option


@dataclass(frozen=True, slots=True)
class ReadRule:
    """A rule line whose words had to be looked at one by one."""

    chain: str
    text: str
    """Without the words of `-c packets bytes`, everything else byte for byte."""
    target: str | None
    verb: Verb | None
    counters: tuple[str, str] | None
    problems: tuple[str, ...]


def read_rule(text: str) -> ReadRule | None:
    """Chain, target and counters of a line that begins with `-A`; None when it is no rule.

    A line is no rule when something other than an option follows the chain: prose.
    """
    grouped = group(text)
    words = grouped.words
    if not words or words[0].text != "-A" or words[0].quoted or not grouped.chain:
        return None
    if len(words) > 2 and (words[2].quoted or words[2].text[:1] not in ("-", "!")):
        return None
    target = next((part for part in reversed(grouped.parts) if part.kind == "target"), None)
    plain, counters = _without_counters(text, grouped)
    return ReadRule(
        grouped.chain,
        plain,
        target.name or None if target else None,
        target.verb if target and target.name else None,
        counters,
        tuple(dict.fromkeys(grouped.problems)),
    )


def _without_counters(text: str, grouped: Grouped) -> tuple[str, tuple[str, str] | None]:
    """Cut out ` -c packets bytes`; where it is given several times the last counts, as in getopt."""
    counters: tuple[str, str] | None = None
    for use in reversed(grouped.counters):
        if len(use.option.values) != 2:
            continue
        if counters is None:
            counters = (use.option.values[0], use.option.values[1])
        start, end = grouped.words[use.at[0]].start, grouped.words[use.at[-1]].end
        text = text[:start].rstrip(" \t") + text[end:]
    return text, counters


def iptables_spec(text: str) -> RuleSpec:
    """What a rule line says; never raises."""
    grouped = group(text)
    words = tuple(word.text for word in grouped.words)
    matches: list[Match] = []
    targets: list[Target] = []
    for part in grouped.parts:
        if part.kind == "target":
            targets.append(target_of(part, grouped))
        else:
            matches.extend(matches_of(part, grouped))
    matches.sort(key=lambda match: match.at[0])
    return RuleSpec(
        words=words,
        head=words_at(grouped.words, sorted(grouped.head)),
        matches=tuple(matches),
        targets=tuple(targets),
        problems=tuple(dict.fromkeys(grouped.problems)),
    )


def target_of(part: Part, grouped: Grouped) -> Target:
    """What the part that is a target says."""
    options = tuple(use.option for use in part.uses)
    reader = TARGET_READERS.get(part.name) if part.verb == "jump" else None
    at = _places(part.at, part.uses)
    return Target(
        name=part.name,
        verb=part.verb,
        options=options,
        action=reader(options) if reader else None,
        words=words_at(grouped.words, at),
        at=at,
    )


def target_alone(name: str, verb: Verb, words: tuple[str, ...]) -> Target:
    """What `-j NAME` or `-g NAME` says where no option follows; its words alone are counted."""
    reader = TARGET_READERS.get(name) if verb == "jump" else None
    return Target(name, verb, (), reader(()) if reader else None, words, tuple(range(len(words))))


def general_alone(option: Option, words: tuple[str, ...]) -> Match:
    """What a general option says; its words alone are counted."""
    return replace(_general(option.name, option), at=tuple(range(len(words))), words=words)


def _places(introduction: Sequence[int], uses: Sequence[Use]) -> tuple[int, ...]:
    return tuple(sorted([*introduction, *(place for use in uses for place in use.at)]))


def matches_of(part: Part, grouped: Grouped) -> list[Match]:
    """The conditions of one part, each with its words; those that introduce a module go with its first."""
    found: list[tuple[Match, list[Use]]]
    if part.kind == "general":
        found = [(_general(part.name, part.uses[0].option), part.uses)]
    elif part.kind == "match" and part.name in OPTION_READERS and part.uses:
        readers = OPTION_READERS[part.name]
        found = [
            (_of_option(readers.get(use.option.name), part.name, use.option), [use]) for use in part.uses
        ]
    else:
        found = [(_of_module(part), part.uses)]
    out: list[Match] = []
    for index, (match, uses) in enumerate(found):
        at = _places(part.at if index == 0 else (), uses)
        out.append(replace(match, at=at, words=words_at(grouped.words, at)))
    return out


def _general(name: str, option: Option) -> Match:
    return _of_option(GENERAL_READERS.get(name), None, option)


def _of_option(reader: OptionReader | None, module: str | None, option: Option) -> Match:
    read = reader(option) if reader else None
    return read or Unknown(module=module, options=(option,), negated=option.negated)


def _of_module(part: Part) -> Match:
    options: tuple[Option, ...] = tuple(use.option for use in part.uses)
    if not options and part.name in ALWAYS:
        return Always(module=part.name)
    reader = MODULE_READERS.get(part.name) if part.kind == "match" else None
    return (reader(options) if reader else None) or Unknown(module=part.name or None, options=options)

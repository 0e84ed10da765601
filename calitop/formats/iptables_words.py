"""The words of one rule shared out: which option, which value, whose module.

The same grouping serves the quick look (target, counters) and the typed spec.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from calitop.formats.iptables_options import FREE_TEXT, GENERAL, MATCHES, SHORT, TARGETS, Options
from calitop.formats.words import Word, cut
from calitop.model.values import Option

_MODULE_OF_PROTOCOL = {
    "ipv6-icmp": "icmp6",
    "icmpv6": "icmp6",
    "1": "icmp",
    "6": "tcp",
    "17": "udp",
    "58": "icmp6",
}


@dataclass(slots=True)
class Use:
    """One option as it stands in the rule."""

    option: Option
    at: list[int]


@dataclass(slots=True)
class Part:
    """The general options, one `-m`, or the target, with the options that belong to it."""

    kind: Literal["general", "match", "target", "stray"]
    name: str = ""
    uses: list[Use] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    """Places of the words that introduce it (`-m`, `tcp`; `-j`, `MARK`)."""
    options: Options | None = None
    """None where the module is not known: it may own every option."""
    verb: Literal["jump", "goto"] = "jump"


@dataclass(slots=True)
class Grouped:
    """All words of a rule, each owned by exactly one part."""

    words: list[Word]
    parts: list[Part] = field(default_factory=list)
    head: list[int] = field(default_factory=list)
    """Places of command and chain, and of counters inside the rule."""
    chain: str | None = None
    counters: tuple[Use, ...] = ()
    problems: list[str] = field(default_factory=list)


def group(text: str) -> Grouped:
    """Share out the words of a rule; never raises."""
    return _Grouper(text).run()


class _Grouper:
    def __init__(self, text: str) -> None:
        self._words = cut(text)
        self._found = Grouped(self._words)
        self._place = 0
        self._loaded: list[Part] = []
        self._protocol: str | None = None

    def run(self) -> Grouped:
        while self._place < len(self._words):
            self._next()
        if self._words and not self._words[-1].closed:
            self._found.problems.append("a quote is not closed")
        return self._found

    def _next(self) -> None:
        at: list[int] = []
        if self._is_bang(self._place) and self._is_option(self._place + 1):
            at.append(self._place)
            self._place += 1
        word = self._words[self._place]
        at.append(self._place)
        self._place += 1
        if word.quoted or not _looks_like_option(word.text):
            self._stray(Option(word.text, (), False), at, f"stray word '{word.text}'")
        elif word.text.startswith("--"):
            name, equals, value = word.text[2:].partition("=")
            self._option(name, [value] if equals else [], at)
        else:
            attached = [word.text[2:]] if len(word.text) > 2 else []
            self._option(SHORT.get(word.text[1], word.text[1:]), attached, at)

    def _is_bang(self, place: int) -> bool:
        return place < len(self._words) and self._words[place].text == "!" and not self._words[place].quoted

    def _is_option(self, place: int) -> bool:
        return (
            place < len(self._words)
            and not self._words[place].quoted
            and _looks_like_option(self._words[place].text)
        )

    # -- one option

    def _option(self, name: str, values: list[str], at: list[int]) -> None:
        owner = self._owner(name)
        negated = self._is_bang(at[0])
        wanted = self._wanted(name, owner)
        if wanted and not values and name not in FREE_TEXT and self._negates_its_value():
            negated = not negated
            at.append(self._place)
            self._place += 1
        self._take_values(values, at, wanted)
        if wanted is not None and len(values) < wanted:
            self._found.problems.append(f"'{self._words[at[-1]].text}' lacks its value")
        use = Use(Option(name, tuple(values), negated), at)
        if owner is None:
            self._general(use)
        else:
            owner.uses.append(use)

    def _negates_its_value(self) -> bool:
        """The old place of the negation: `-d ! 10.0.0.0/8`."""
        return self._is_bang(self._place) and self._place + 1 < len(self._words)

    def _take_values(self, values: list[str], at: list[int], wanted: int | None) -> None:
        """The first value is taken whatever it looks like, a second one not when it begins an option."""
        while self._place < len(self._words):
            if wanted is not None and len(values) >= wanted:
                return
            if (wanted is None or values) and self._begins_option():
                return
            values.append(self._words[self._place].text)
            at.append(self._place)
            self._place += 1

    def _begins_option(self) -> bool:
        return self._is_option(self._place) or (
            self._is_bang(self._place) and self._is_option(self._place + 1)
        )

    def _owner(self, name: str) -> Part | None:
        """The part that an option belongs to; the one loaded last wins, as in getopt_long(3)."""
        for part in reversed(self._loaded):
            if part.options is not None and name in part.options:
                return part
        if name in GENERAL:
            return None
        implied = self._implied(name)
        if implied is not None:
            return implied
        if self._loaded and self._loaded[-1].options is None:
            return self._loaded[-1]
        stray = Part("stray")
        self._found.parts.append(stray)
        return stray

    def _implied(self, name: str) -> Part | None:
        """`-p tcp --dport 80` loads the match of the protocol; a comment is one in any case."""
        module = _MODULE_OF_PROTOCOL.get(self._protocol or "", self._protocol)
        if name == "comment":
            module = name
        if module is None or name not in MATCHES.get(module, ()):
            return None
        return self._load(Part("match", module, options=MATCHES[module]))

    def _wanted(self, name: str, owner: Part | None) -> int | None:
        """Number of values; None: all words up to the next option."""
        options = GENERAL if owner is None else owner.options
        return None if options is None else options.get(name)

    def _load(self, part: Part) -> Part:
        self._found.parts.append(part)
        self._loaded.append(part)
        return part

    # -- general options

    def _general(self, use: Use) -> None:
        name, value = use.option.name, use.option.values[0] if use.option.values else ""
        if name == "append":
            self._append(use, value)
        elif name == "set-counters":
            self._found.head.extend(use.at)
            self._found.counters = (*self._found.counters, use)
        elif name == "match":
            self._load(Part("match", value, at=use.at, options=MATCHES.get(value)))
        elif name in ("jump", "goto"):
            verb: Literal["jump", "goto"] = "goto" if name == "goto" else "jump"
            self._load(Part("target", value, at=use.at, options=TARGETS.get(value), verb=verb))
        else:
            if name in ("protocol", "proto") and not use.option.negated:
                self._protocol = value.lower()
            self._found.parts.append(Part("general", name, [use]))

    def _append(self, use: Use, value: str) -> None:
        if self._found.chain is not None:
            self._stray(use.option, use.at, "a second chain")
            return
        self._found.chain = value
        self._found.head.extend(use.at)

    def _stray(self, option: Option, at: list[int], why: str) -> None:
        self._found.problems.append(why)
        self._found.parts.append(Part("stray", uses=[Use(option, at)]))


def _looks_like_option(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and (word[1] != "-" or len(word) > 2)


def words_at(words: Sequence[Word], at: Sequence[int]) -> tuple[str, ...]:
    """The words at these places."""
    return tuple(words[place].text for place in at)

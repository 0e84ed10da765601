"""`ip rule` as text: `9: from all fwmark 0x200/0xf00 lookup 2004`.

Source: print_rule in iproute2's ip/iprule.c; tried with iproute2 6.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from calitop.formats.fragment import Fragment
from calitop.formats.ip_rule_words import ACTIONS, FULL_MASK, L3MDEV, selector, settle_family
from calitop.formats.reading import (
    Problems,
    any_number,
    head_lines,
    numbered,
    told,
    whole_number,
    word_set,
)
from calitop.model.network import IpFamily, IpRule

KIND = "ip rule"

_HEAD = re.compile(r"\s?(\d{1,10}):\s+((?:not\s+)?from\s+\S+.*)", re.ASCII)
_SELECTORS = word_set("tos dsfield ipproto sport dport uidrange tun_id")
_NO_SELECTORS = word_set("proto protocol realms realm")
_STATES = word_set("[detached] [unresolved]")


def looks_like(text: str) -> bool:
    """Whether every one of the first lines is a rule with its priority."""
    lines = head_lines(text)
    rules = sum(1 for line in lines if _HEAD.match(line))
    return rules > 0 and rules >= len(lines) - len(lines) // 4


def parse(text: str, family: IpFamily | None = None) -> Fragment:
    """The rules of a text.

    Args:
        text: What `ip rule` printed.
        family: Family that was asked for; the listing does not name it.
    """
    problems = Problems()
    rules = []
    for number, line in numbered(text):
        match = _HEAD.fullmatch(line.rstrip())
        if match is None:
            problems.add(number, line.strip(), "is not a policy rule")
            continue
        reader = _RuleReader(match[2].split())
        rule = reader.read(int(match[1]), number)
        if reader.why:
            problems.add(number, line.strip(), reader.why)
        if rule is not None:
            rules.append(rule)
    return Fragment(problems.all(), ip_rules=told(settle_family(rules, family), problems), richness=6)


class _Stop(Exception):
    """The rest of the line cannot be read."""


class _RuleReader:
    """Reads the words of one rule."""

    def __init__(self, words: list[str]) -> None:
        self._words = iter(words)
        self.why: str | None = None
        """Why the line, or a part of it, is not understood."""
        self._src: str | None = None
        self._dst: str | None = None
        self._names: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._inverted = False
        self._action = "lookup"
        self._other: list[str] = []

    def read(self, priority: int, line: int) -> IpRule | None:
        """The rule; None where a part that decides about packets is missing or not understood."""
        try:
            for word in self._words:
                self._read_word(word)
        except _Stop as stop:
            self.why = str(stop)
            return None
        if self._action == "lookup" and "table" not in self._names and L3MDEV not in self._other:
            self.why = "the line is cut: it names no table and no action"
            return None
        names, numbers = self._names, self._numbers
        return IpRule(
            "ipv4",
            priority,
            self._src,
            self._dst,
            names.get("iif"),
            names.get("oif"),
            numbers.get("fwmark"),
            numbers.get("fwmask"),
            self._inverted,
            names.get("table"),
            self._action,
            numbers.get("suppress_prefixlength"),
            names.get("suppress_ifgroup"),
            numbers.get("goto"),
            tuple(self._other),
            line,
        )

    def _value(self, after: str) -> str:
        word = next(self._words, None)
        if word is None:
            raise _Stop(f"the line is cut after '{after}'")
        return word

    def _number(self, after: str) -> int:
        word = self._value(after)
        number = whole_number(word)
        if number is None:
            raise _Stop(f"'{word}' is not a number")
        return number

    def _prefix(self, after: str) -> str | None:
        word = self._value(after)
        prefix = selector(word)
        if prefix is None and word not in ("all", "any", "default"):
            raise _Stop(f"'{word}' is not an address")
        return prefix

    def _read_word(self, word: str) -> None:
        if reader := _READERS.get(word):
            reader(self, word)
        elif word in ACTIONS:
            self._action = word
        elif word in _SELECTORS:
            self._other.append(f"{'tos' if word == 'dsfield' else word} {self._value(word)}")
        elif word in _NO_SELECTORS:
            self._value(word)
        elif word not in _STATES:
            raise _Stop(f"'{word}' is not known here")

    def _read_not(self, word: str) -> None:
        self._inverted = True

    def _read_src(self, word: str) -> None:
        self._src = self._prefix(word)

    def _read_dst(self, word: str) -> None:
        self._dst = self._prefix(word)

    def _read_mark(self, word: str) -> None:
        value, slash, mask = self._value(word).partition("/")
        mark, bits = any_number(value), any_number(mask) if slash else FULL_MASK
        if mark is None or bits is None:
            raise _Stop(f"'{value}{slash}{mask}' is not a mark")
        self._numbers.update(fwmark=mark, fwmask=bits)

    def _read_name(self, word: str) -> None:
        self._names[word] = self._value(word)

    def _read_table(self, word: str) -> None:
        table = self._value(word)
        if table == "[l3mdev-table]":
            self._other.append(L3MDEV)
        else:
            self._names["table"] = table

    def _read_number(self, word: str) -> None:
        self._numbers[word] = self._number(word)

    def _read_goto(self, word: str) -> None:
        self._action = word
        self._read_number(word)


_READERS: dict[str, Callable[[_RuleReader, str], None]] = {
    "not": _RuleReader._read_not,
    "from": _RuleReader._read_src,
    "to": _RuleReader._read_dst,
    "fwmark": _RuleReader._read_mark,
    "iif": _RuleReader._read_name,
    "oif": _RuleReader._read_name,
    "lookup": _RuleReader._read_table,
    "table": _RuleReader._read_table,
    "suppress_prefixlength": _RuleReader._read_number,
    "suppress_ifgroup": _RuleReader._read_name,
    "goto": _RuleReader._read_goto,
}

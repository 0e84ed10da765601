"""`nft list ruleset` as text, with or without `-a`, `-n`, `-s`, `-t`.

Tables, chains, sets and maps are kept; flowtables, named counters, quotas, limits and the
like are read over: calitop does not model them. Tables that iptables-nft made are in the
listing too and are given like all others (`calitop.formats.nft_tables.native_only`).
"""

from __future__ import annotations

import re
from dataclasses import replace

from calitop.formats.fragment import Fragment
from calitop.formats.nft_rule import read_rule, split_handle
from calitop.formats.nft_tables import (
    FAMILIES,
    ChainDraft,
    Draft,
    TableDraft,
    chain_head,
    priority_of,
    verdict_map,
)
from calitop.formats.nft_words import BEGINNINGS, elements, open_braces, unquoted
from calitop.formats.reading import split_lines
from calitop.model.node import Problem
from calitop.model.rules import Chain, Family

KIND = "nft list ruleset"

_TABLE = re.compile(r"table (?:(ip|ip6|inet|arp|bridge|netdev) )?(\S+) \{(?:\s*#.*)?$")
_CHAIN = re.compile(r"chain (\S+) \{$")
_SET = re.compile(r"(set|map|meter) (\S+) \{$")
_OBJECT = re.compile(
    r"(?:flowtable|counter|quota|limit|secmark|synproxy|tunnel|ct helper|ct timeout|ct expectation) \S+ \{$"
)
_SET_LINE = re.compile(
    r"(?:flags|size|timeout|gc-interval|policy|auto-merge|comment|counter|quota|limit|last|ct count)\b"
)
_TABLE_LINE = re.compile(r'(?:flags [\w,]+|comment ".*"|handle [0-9]+);?$')
_DORMANT = re.compile(r"flags .*\bdormant\b")
_HOOK = re.compile(
    r"type (?P<type>\w+) hook (?P<hook>\w+)"
    r"(?: devices? (?:= )?(?P<device>\{[^}]*\}|\"[^\"]*\"|\S+))?"
    r" priority (?P<priority>[^;]+);(?P<rest>.*)$"
)
_POLICY = re.compile(r"\bpolicy (\w+)")
_CHAIN_LINE = re.compile(r'(?:comment "[^"]*"|policy \w+;|flags offload);?$')
_LISTING = re.compile(r"^[ \t]*table (?:(?:ip|ip6|inet|arp|bridge|netdev) )?\S+ \{\s*(?:#.*)?$", re.M)
_OLD_RULE = re.compile(r"#.*\bcounter\b")

_ANONYMOUS = ("jump {", "goto {")
"""How the first line of a rule with a chain inside it ends."""


def looks_like(text: str) -> bool:
    """Whether a line opens a table: `table inet fw {`."""
    return _LISTING.search(text[:20000]) is not None


def parse(text: str) -> Fragment:
    """The listing's tables as native rulesets; what is not understood becomes problems."""
    return _Reader(text).fragment()


class _Reader:
    """Walks over the lines once; each kind of block has its own method."""

    def __init__(self, text: str) -> None:
        self._lines = split_lines(text)
        self._whole = text.endswith("\n") or not text
        self._at = 0
        self._draft = Draft()
        self._problems: list[Problem] = []

    def fragment(self) -> Fragment:
        while (line := self._next()) is not None:
            opened = _TABLE.match(split_handle(line)[0])
            if opened is not None:
                family = FAMILIES[opened[1] or "ip"]
                self._table(family, self._draft.table(family, unquoted(opened[2])))
            elif not line.startswith("#"):
                self._problem(line, "does not stand in a table")
        rulesets = self._draft.rulesets()
        told = None if self._problems and not rulesets else rulesets
        return Fragment(
            problems=tuple(self._problems), rulesets=told, warnings=self._draft.warnings(), richness=8
        )

    # --- lines

    def _next(self) -> str | None:
        """The next line that is not empty, without blanks around it; None at the end."""
        while self._at < len(self._lines):
            line = self._lines[self._at].strip()
            self._at += 1
            if line:
                return line
        return None

    def _back(self) -> None:
        self._at -= 1

    def _problem(self, line: str, why: str, at: int | None = None) -> None:
        self._problems.append(Problem(at or self._at, line, why))

    def _is_cut_off(self) -> bool:
        """Whether the line just read is the last one and the text ends inside it."""
        return self._at >= len(self._lines) and not self._whole

    # --- blocks

    def _table(self, family: Family, table: TableDraft) -> None:
        opened = self._at
        while (line := self._next()) is not None:
            words = split_handle(line)[0]
            if words == "}":
                return
            if _TABLE.match(words):
                self._back()
                break
            self._in_table(family, table, words, line)
        self._problem(self._lines[opened - 1].strip(), "this table is not closed: the text is cut", opened)

    def _in_table(self, family: Family, table: TableDraft, words: str, line: str) -> None:
        chain = _CHAIN.match(words)
        if chain is not None:
            self._chain(family, table, unquoted(chain[1]))
        elif (named := _SET.match(words)) is not None:
            self._set(table, named[1], unquoted(named[2]))
        elif _OBJECT.match(words):
            self._skip_block()
        elif _TABLE_LINE.match(words):
            table.dormant = table.dormant or _DORMANT.match(words) is not None
        elif not line.startswith("#"):
            self._problem(line, "not understood inside a table")

    def _opens_block(self, words: str) -> bool:
        return "{" in words and any(one.match(words) for one in (_TABLE, _CHAIN, _SET))

    def _skip_block(self) -> None:
        """Reads over an object that calitop does not model."""
        depth, opened = 1, self._at
        while depth > 0 and (line := self._next()) is not None:
            if self._opens_block(split_handle(line)[0]):
                self._back()
                break
            depth += open_braces(line)
        if depth > 0:
            self._problem(
                self._lines[opened - 1].strip(), "this block is not closed: the text is cut", opened
            )

    def _chain(self, family: Family, table: TableDraft, name: str) -> None:
        opened = self._at
        draft = ChainDraft(Chain(name))
        while (line := self._next()) is not None:
            words, handle = split_handle(line)
            if words == "}":
                break
            if "{" in words and self._opens_block(words):
                self._back()
                line = None
                break
            self._in_chain(family, draft, words, handle, line)
        if line is None:
            draft.complete = None
            self._problem(
                self._lines[opened - 1].strip(), "this chain is not closed: the text is cut", opened
            )
        _add_chain(table, draft)

    def _in_chain(self, family: Family, draft: ChainDraft, words: str, handle: int | None, line: str) -> None:
        number = self._at
        if words.startswith("type ") and (head := _HOOK.match(words)) is not None:
            self._base_chain(family, draft, head, line)
        elif _CHAIN_LINE.match(words):
            self._chain_line(draft, words)
        elif self._is_cut_off():
            self._problem(line, "the text ends inside this line")
        elif self._is_rule(words, handle):
            self._rule(draft, words, handle, number)
        elif not line.startswith("#"):
            draft.complete = None
            self._problem(line, "does not begin like a rule")

    def _is_rule(self, words: str, handle: int | None) -> bool:
        if handle is not None or words[0] == "@":
            return True
        if words[0] == "#":  # nft before 1.0 prints what it cannot translate as `# match-set X src counter …`
            return _OLD_RULE.match(words) is not None
        return words.partition(" ")[0] in BEGINNINGS

    def _rule(self, draft: ChainDraft, words: str, handle: int | None, number: int) -> None:
        if open_braces(words) > 0:
            whole = self._joined(words)
            if whole is None:
                draft.complete = None
                self._problem(words, "the text ends inside this rule", number)
                return
            words, handle = whole
        draft.rules.append(read_rule(words, len(draft.rules) + 1, handle, number))

    def _joined(self, words: str) -> tuple[str, int | None] | None:
        """A rule over several lines as one: an anonymous chain, or a long anonymous set.

        Returns:
            The rule and its handle; None when the text ends before it is closed.
        """
        start, depth, handle = self._at, open_braces(words), None
        pieces, is_chain = [words], words.endswith(_ANONYMOUS)
        while depth > 0 and (is_chain or pieces[-1].endswith((",", "{"))):
            line = self._next()
            if line is None:
                return None
            piece, handle = split_handle(line)
            if self._opens_block(piece):
                break
            depth += open_braces(piece)
            pieces.append(piece)
        if depth <= 0:
            return _one_line(pieces), handle
        self._at = start
        self._problem(words, "a brace of this rule is not closed")
        return words, None

    def _base_chain(self, family: Family, draft: ChainDraft, head: re.Match[str], line: str) -> None:
        priority = priority_of(head["priority"], family)
        if priority is None:
            self._problem(line, f"priority {head['priority']!r} means nothing in family {family}")
        policy = _POLICY.search(head["rest"])
        device = None if head["device"] is None else _devices(head["device"])
        draft.chain = chain_head(
            draft.chain.name, head["type"], head["hook"], priority, policy[1] if policy else None, device
        )

    def _chain_line(self, draft: ChainDraft, words: str) -> None:
        policy = _POLICY.match(words)
        if policy is not None and draft.chain.builtin:
            head = draft.chain
            draft.chain = chain_head(
                head.name, head.type or "", head.hook or "", head.priority, policy[1], head.device
            )

    def _set(self, table: TableDraft, kind: str, name: str) -> None:
        opened = self._at
        type_words, body, closed = "", "", False
        while (line := self._next()) is not None:
            words = split_handle(line)[0]
            if words == "}":
                closed = True
                break
            if self._opens_block(words):
                self._back()
                break
            if words.startswith("elements = {"):
                body = self._elements(words)
            elif words.startswith(("type ", "typeof ")):
                type_words = words.removeprefix("type ").partition(";")[0]
            elif not _SET_LINE.match(words) and not line.startswith("#"):
                self._problem(line, f"not understood inside a {kind}")
        if not closed:
            self._problem(
                self._lines[opened - 1].strip(), f"this {kind} is not closed: the text is cut", opened
            )
        found = elements(body)
        self._draft.add_map(table, verdict_map(name, type_words, kind == "map", found, closed))

    def _elements(self, words: str) -> str:
        """What stands between the braces of `elements = { … }`, over as many lines as it takes."""
        pieces, depth = [words], open_braces(words)
        while depth > 0 and (line := self._next()) is not None:
            if self._opens_block(line):
                self._back()
                break
            depth += open_braces(line)
            pieces.append(line)
        body = " ".join(pieces).partition("{")[2]
        return body.rstrip("; ").removesuffix("}") if depth <= 0 else body


def _add_chain(table: TableDraft, draft: ChainDraft) -> None:
    """Adds a chain; one that was there already grows, unless it is the same text once more."""
    known = table.chains.get(draft.chain.name)
    if known is None or [rule.text for rule in known.rules] == [rule.text for rule in draft.rules]:
        table.chains[draft.chain.name] = draft
        return
    if draft.chain.builtin:
        known.chain = draft.chain
    for rule in draft.rules:
        known.rules.append(replace(rule, number=len(known.rules) + 1))


def _one_line(pieces: list[str]) -> str:
    """The lines of one rule put together; in an anonymous chain a line is a rule of its own."""
    if not pieces[0].endswith(_ANONYMOUS):
        return " ".join(pieces)
    return " ".join((pieces[0], "; ".join(pieces[1:-1]), pieces[-1]))


def _devices(words: str) -> str:
    """`"lo"` as `lo`, `{ d1, lo }` as `d1, lo`."""
    return ", ".join(unquoted(one) for one in elements(words.strip("{} ")))

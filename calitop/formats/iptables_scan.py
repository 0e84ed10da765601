"""Lines of iptables-save or `iptables -S` to blocks: one for each table of the text.

Nothing is decided here that needs more than the line itself and the ones above it.
This is the hot loop of opening a snapshot: 50,000 lines a second are far too slow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from calitop.formats.iptables_header import Header, read_header
from calitop.formats.iptables_quick import TRAPS, quick_look
from calitop.formats.iptables_unread import STRETCH, Looker, UnreadRules
from calitop.model.node import Problem
from calitop.model.rules import Rule, Verb

_TRAILING = " \t\r"
_LONGEST_COUNTER = 20
_LARGEST_COUNTER = 2**64 - 1
_SHORT_COUNTERS = 20
"""Two counters this short together need no test against the largest."""

_DECLARATION = re.compile(r":(\S+)[ \t]+(\S+)(?:[ \t]+\[(-?\d+):(-?\d+)\])?", re.ASCII)
_POLICY = re.compile(r"-P (\S+) (\S+)(?: -c (\d+) (\d+))?", re.ASCII)
_NEW_CHAIN = re.compile(r"-N (\S+)")
_TABLE = re.compile(r"\*([\w.-]+)")


@dataclass(slots=True)
class ChainDraft:
    """One chain as far as it was read."""

    name: str
    policy: str | None = None
    """As written; `-` for a user chain, None where nothing declares it."""
    packets: int | None = None
    bytes: int | None = None
    rules: list[Rule] | UnreadRules = field(default_factory=list)
    declared: bool = False

    def readable(self) -> list[Rule]:
        """The rules as a list to add to."""
        if isinstance(self.rules, UnreadRules):
            self.rules = list(self.rules)
        return self.rules


@dataclass(slots=True)
class Block:
    """The lines of one table, or lines that stand below no table line."""

    header: Header | None = None
    table: str | None = None
    line: int = 1
    committed: bool = False
    listed: bool = False
    """Printed by `iptables -S`: whole chains, but no table line."""
    chains: dict[str, ChainDraft] = field(default_factory=dict)

    @property
    def cut(self) -> bool:
        """Whether lines are known to be missing."""
        return self.table is None and not self.listed

    def chain(self, name: str) -> ChainDraft:
        """The chain of that name, made when it is new."""
        found = self.chains.get(name)
        if found is None:
            found = self.chains[name] = ChainDraft(name)
        return found


@dataclass(slots=True)
class Scan:
    """What the lines of one text say."""

    blocks: list[Block] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def scan(text: str) -> Scan:
    """All tables of a text in order; what is not understood becomes a problem."""
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._looker = Looker(text)
        self._targets: dict[str | None, tuple[str, ...]] = {}
        """One tuple for each target, not one for each rule: memory."""
        self._found = Scan()
        self._header: Header | None = None
        self._block: Block | None = None

    def run(self) -> Scan:
        text, at, number = self._text, 0, 1
        while at < len(text):
            stretch = STRETCH.match(text, at) if self._block is not None and text[at] in "[-" else None
            if stretch is not None and (lines := self._leave_unread(stretch, number)):
                at, number = stretch.end(), number + lines
                continue
            end = stretch.end() if stretch is not None else text.find("\n", at) + 1 or len(text) + 1
            for line in text[at : end - 1].split("\n"):
                self._line(line, number)
                number += 1
            at = end
        self._close()
        return self._found

    def _leave_unread(self, stretch: re.Match[str], number: int) -> int:
        """Leave the rules of a chain unread; how many lines that were, 0 where one needs a closer look."""
        block = self._block
        if block is None or block.table is None:
            return 0
        known = block.chains.get(stretch[1])
        if known is not None and known.rules:
            return 0
        unread = self._looker.unread(stretch.start(), stretch.end(), number)
        if unread is None:
            return 0
        block.chain(stretch[1]).rules = unread
        return len(unread)

    def _line(self, line: str, number: int) -> None:
        first = line[:1]
        if first == "-":
            self._dashed(line, number)
        elif first == "[":
            self._counted(line, number)
        elif first:
            self._other(line, number)

    def _problem(self, line: int, text: str, why: str) -> None:
        self._found.problems.append(Problem(line, text.rstrip("\r"), why))

    def _here(self, line: int) -> Block:
        if self._block is None:
            self._block = Block(self._header, line=line)
        return self._block

    def _close(self) -> None:
        if self._block is not None and (self._block.chains or self._block.table is not None):
            self._found.blocks.append(self._block)
        self._block = None

    # -- rules

    def _dashed(self, line: str, number: int) -> None:
        if line.startswith("-A "):
            self._rule(line, number, None, None)
        else:
            self._listing(line.strip(_TRAILING), number)

    def _counted(self, line: str, number: int) -> None:
        """`[packets:bytes] -A …`."""
        counters, bracket, rest = line.partition("] ")
        packets, colon, octets = counters[1:].partition(":")
        rest = rest.lstrip(" \t")
        if not (bracket and colon) or not rest.startswith("-A "):
            self._problem(number, line, "not understood")
        elif (
            len(counters) < _SHORT_COUNTERS and packets.isdigit() and octets.isdigit() and counters.isascii()
        ):
            self._rule(rest, number, int(packets), int(octets))
        else:
            self._rule(rest, number, self._count(packets, line, number), self._count(octets, line, number))

    def _count(self, digits: str, line: str, number: int) -> int | None:
        if digits.isdigit() and digits.isascii() and len(digits) <= _LONGEST_COUNTER:
            count = int(digits)
            if count <= _LARGEST_COUNTER:
                return count
        self._problem(number, line, f"no 64-bit counter: {digits[: _LONGEST_COUNTER + 5]}")
        return None

    def _rule(self, line: str, number: int, packets: int | None, octets: int | None) -> None:
        text = line.rstrip(_TRAILING)
        look = None if self._looker.traps and any(trap in text for trap in TRAPS) else quick_look(text)
        if look is None:
            self._careful_rule(text, number, packets, octets)
        else:
            self._keep(text, number, packets, octets, *look)

    def _careful_rule(self, text: str, number: int, packets: int | None, octets: int | None) -> None:
        # Imported late: few texts need it, and it loads the records of all matches.
        from calitop.formats.iptables_spec import read_rule

        read = read_rule(text)
        if read is None:
            self._problem(number, text, "not a rule")
            return
        if read.counters is not None:
            packets = self._count(read.counters[0], text, number)
            octets = self._count(read.counters[1], text, number)
        for why in read.problems:
            self._problem(number, text, why)
        self._keep(read.text, number, packets, octets, read.chain, read.target, read.verb)

    def _keep(
        self,
        text: str,
        line: int,
        packets: int | None,
        octets: int | None,
        chain: str,
        target: str | None,
        verb: Verb | None,
    ) -> None:
        block = self._block or self._here(line)
        rules = block.chain(chain).readable()
        number = len(rules) + 1 if block.table or not block.cut else None
        targets = self._targets.get(target)
        if targets is None:
            targets = self._targets[target] = (target,) if target else ()
        shared = targets[0] if targets else None
        rules.append(Rule(text, number, packets, octets, shared, verb, targets, None, "iptables", line))

    # -- everything else

    def _other(self, line: str, number: int) -> None:
        words = line.strip(_TRAILING)
        if not words:
            return
        if line[0] in " \t" and words[0] in "-[":
            self._dashed(words, number) if words[0] == "-" else self._counted(words, number)
        elif words[0] == ":":
            self._declaration(words, number)
        elif words[0] == "*":
            self._table(words, number)
        elif words[0] == "#":
            self._remark(words, number)
        elif words == "COMMIT":
            self._commit(words, number)
        else:
            self._problem(number, line, "not understood")

    def _table(self, words: str, number: int) -> None:
        found = _TABLE.fullmatch(words)
        if found is None:
            self._problem(number, words, "not understood")
            return
        if self._block is not None and self._block.table is not None:
            self._problem(number, words, f"table '{self._block.table}' above has no COMMIT")
        self._close()
        self._block = Block(self._header, found[1], number)

    def _commit(self, words: str, number: int) -> None:
        if self._block is None:
            self._problem(number, words, "COMMIT without a table")
            return
        self._block.committed = True
        self._close()

    def _remark(self, words: str, number: int) -> None:
        header = read_header(words)
        if header is not None:
            self._close()
            self._header = header
        elif words.startswith("# Completed on"):
            self._close()
            self._header = None
        elif "tables present" in words or "is incompatible" in words:
            self._found.warnings.append(words.lstrip("# "))
            self._problem(number, words, "a warning of the program that printed this")

    def _declaration(self, words: str, number: int) -> None:
        """`:NAME POLICY [packets:bytes]`."""
        found = _DECLARATION.fullmatch(words)
        if found is None:
            self._problem(number, words, "not a chain")
            return
        name, policy, packets, octets = found.groups()
        draft = self._here(number).chain(name)
        counted = packets is not None and policy != "-"
        count = self._count(packets, words, number) if counted else None
        octets_count = self._count(octets, words, number) if counted else None
        if draft.declared:
            self._declared_twice(draft, (policy, count, octets_count), words, number)
        else:
            draft.declared, draft.policy, draft.packets, draft.bytes = True, policy, count, octets_count

    def _declared_twice(
        self, draft: ChainDraft, said: tuple[str, int | None, int | None], words: str, number: int
    ) -> None:
        """A grep may have gathered one name from several tables: then no policy is the chain's for sure."""
        if not self._here(number).cut:
            self._problem(number, words, f"chain '{draft.name}' is declared twice")
        elif said != (draft.policy, draft.packets, draft.bytes):
            draft.policy = "-" if draft.policy == said[0] == "-" else None
            draft.packets = draft.bytes = None

    def _listing(self, words: str, number: int) -> None:
        """`-P CHAIN POLICY` and `-N CHAIN` of `iptables -S`."""
        policy, new = _POLICY.fullmatch(words), _NEW_CHAIN.fullmatch(words)
        if policy is None and new is None:
            self._problem(number, words, "not a rule")
            return
        block = self._here(number)
        block.listed = block.table is None
        name = policy[1] if policy else new[1] if new else ""
        draft = block.chain(name)
        draft.declared, draft.policy = True, policy[2] if policy else "-"
        if policy and policy[3]:
            draft.packets = self._count(policy[3], words, number)
            draft.bytes = self._count(policy[4], words, number)

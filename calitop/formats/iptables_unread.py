"""Rules of one chain that stay text until somebody looks at them.

Of 50,000 rules a screen shows fifty. A stretch of lines is left unread only where its words
cannot deceive (stricter than `iptables_quick`), so nothing is found out too late: every line
that could be a problem, or has no jump, is read at once by `iptables_scan`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from threading import Lock

from calitop.formats.iptables_quick import TRAPS
from calitop.model.rules import Leads, Rule, UnmadeRules, Verb

_COUNTERS = r"(?:\[[0-9]{1,9}:[0-9]{1,9}\] )?"
_CHAIN = r'-A ([^\s"-][^\s"]*)'
_LINE = r"(?: [-!][^\n]*)?\n"
STRETCH = re.compile(rf"{_COUNTERS}{_CHAIN}{_LINE}(?:{_COUNTERS}-A \1{_LINE})*")
"""Lines that follow each other and add to the same chain; the chain is its group."""
_QUOTED = re.compile(r'"(?:[^"\n]* )?(?!-)[^"\s]*"')
"""A quoted text whose last word looks like no option."""
_JUMP = re.compile(r"^[^\n]* [^ \n-][^ \n]* -([jg]) ([^ \n\"]+)[^\n]*\n", re.MULTILINE)
"""A line with its jump; no option stands before it that could take it for its value."""
_TRAPS = (*TRAPS, "\r", " \n")

_making = Lock()


class Looker:
    """Looks over the stretches of one text; equal jumps share one record."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.traps = tuple(trap for trap in _TRAPS if trap in text)
        """What in this text asks for a closer look at the lines that hold it."""
        self._leads: dict[tuple[str, str], Leads] = {}

    def unread(self, start: int, end: int, line: int) -> UnreadRules | None:
        """The rules of a stretch of the text, unread; None where a line needs a closer look.

        Args:
            start: Where the stretch begins.
            end: Behind its last line end.
            line: Number of its first line.
        """
        text = self._text[start:end]
        if self.traps and any(trap in text for trap in self.traps):
            return None
        # What is quoted is no option: with a sign in its place, each line must have one jump.
        bare, quoted = _QUOTED.subn('"', text)
        jumps = _JUMP.findall(bare)
        lines = bare.count("\n")
        if not len(jumps) == lines == text.count(" -j") + text.count(" -g") or bare.count('"') > quoted:
            return None
        known = self._leads
        leads = tuple([known.get(jump) or self._new(jump) for jump in jumps])
        return UnreadRules(self._text, start, end, line, leads)

    def _new(self, jump: tuple[str, str]) -> Leads:
        verb: Verb = "goto" if jump[0] == "g" else "jump"
        leads = self._leads[jump] = ((jump[1],), verb)
        return leads


class UnreadRules(UnmadeRules):
    """The rules of a stretch, made all together when one is asked for."""

    __slots__ = ("_end", "_line", "_made", "_start", "_text", "leads")

    def __init__(self, text: str, start: int, end: int, line: int, leads: tuple[Leads, ...]) -> None:
        self._text, self._start, self._end, self._line = text, start, end, line
        self.leads = leads
        self._made: tuple[Rule, ...] | None = None

    def made(self) -> tuple[Rule, ...]:
        """The rules; always the same records."""
        if self._made is None:
            with _making:
                if self._made is None:
                    self._made = tuple(self._make())
        return self._made

    def may_hold(self, word: str) -> bool:
        """Whether the stretch holds the word."""
        return self._text.find(word, self._start, self._end) >= 0

    def _make(self) -> Iterator[Rule]:
        lines = self._text[self._start : self._end - 1].split("\n")
        for place, (line, (targets, verb)) in enumerate(zip(lines, self.leads, strict=True)):
            packets = octets = None
            if line[0] == "[":
                counters, _, line = line.partition("] ")
                counted, _, size = counters[1:].partition(":")
                packets, octets = int(counted), int(size)
            at = self._line + place
            yield Rule(line, place + 1, packets, octets, targets[0], verb, targets, None, "iptables", at)

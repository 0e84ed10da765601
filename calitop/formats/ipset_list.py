"""`ipset list`: blocks of header lines, then the members; with `-t` the headers only.

Source: ipset(8); new headers come with every version, so unknown ones are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from calitop.formats.fragment import Fragment
from calitop.formats.ipset_words import options_of, words_of
from calitop.formats.reading import Problems, head_lines, split_lines, told, whole_number
from calitop.model.node import IpSet

KIND = "ipset list"

_HEADER = re.compile(r"([A-Z][A-Za-z ]+):(?: (.*))?$")
_CUT = ("...", "…")


def looks_like(text: str) -> bool:
    """Whether the first lines begin a set: its name and its type."""
    lines = head_lines(text)
    starts = [place for place, line in enumerate(lines) if line.startswith("Name: ")]
    return any(line.startswith("Type: ") for place in starts for line in lines[place + 1 : place + 2])


def parse(text: str) -> Fragment:
    """The sets with their members; None for the members where the text does not list them all."""
    problems = Problems()
    drafts: list[_Draft] = []
    for number, line in enumerate(split_lines(text), 1):
        if line.startswith("Name: "):
            drafts.append(_Draft(line[6:].strip(), number))
        elif not drafts:
            if line.strip():
                problems.add(number, line.strip(), "stands before the first set")
        elif why := drafts[-1].read(line):
            problems.add(number, line.strip(), why)
    # A set that was pasted twice is one set; the later listing counts.
    sets = list({one.name: one for draft in drafts if (one := draft.finish(problems))}.values())
    rich = any(one.members is not None for one in sets)
    return Fragment(problems.all(), sets=told(sets, problems), richness=6 if rich else 2)


@dataclass
class _Draft:
    """A set while its block is read."""

    name: str
    line: int
    header: dict[str, str] = field(default_factory=dict)
    members: list[str] | None = None
    cut: bool = False

    def read(self, line: str) -> str | None:
        """Read one line of the block; the reason where it cannot be read."""
        if self.members is not None:
            word = line.strip()
            if word in _CUT:
                self.cut = True
            elif word:
                self.members.append(word)
            return None
        if not line or line.isspace():
            return None
        match = _HEADER.match(line)
        if match is None:
            return "is not a header of a set"
        if match[1] == "Members":
            self.members = []
        else:
            self.header[match[1]] = (match[2] or "").strip()
        return None

    def finish(self, problems: Problems) -> IpSet | None:
        """The set; None, and a problem, for a block that is cut before its type."""
        kind = self.header.get("Type")
        if not kind:
            problems.add(self.line, f"Name: {self.name}", "the set is cut: its type is missing")
            return None
        size = whole_number(self.header.get("Number of entries", ""))
        options = tuple(options_of(words_of(self.header.get("Header", ""))))
        members = None if self.members is None else tuple(self.members)
        if members is not None and self._is_cut(len(members), size, dict(options)):
            whole = "more" if size is None else size
            why = f"the list is cut: {len(members)} of {whole} members stand here"
            problems.add(self.line, f"Name: {self.name}", why)
            members = None
        return IpSet(self.name, kind, members, options, size)

    def _is_cut(self, found: int, size: int | None, options: dict[str, str]) -> bool:
        """Whether members are missing; those of a set with timeouts may have run out meanwhile."""
        return self.cut or (size is not None and found < size and "timeout" not in options)

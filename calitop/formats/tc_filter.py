"""`tc filter show` as text, each device's part below a line `# dev NAME ingress|egress`.

The program itself names no device where one was asked for, so `calitop save` writes that line.
Source: print_filter in iproute2's tc/tc_filter.c; bpf_print_opt in tc/f_bpf.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, numbered, told, whole_number
from calitop.model.node import BpfAttachment

KIND = "tc filter"

_DEVICE = re.compile(r"# dev (\S+)(?: (ingress|egress))?\s*")
_HEAD = re.compile(r"filter (?:\S+ )*?pref \d+ (\S+)(.*)")
_OF_DEVICE = re.compile(r"\bdev (\S+)")
_DIRECTION = re.compile(r"filter (?:dev \S+ )?(?:block \S+ )?(ingress|egress)\b")
_PARENTS = {"ffff:fff2": "ingress", "ffff:fff3": "egress", "ffff:": "ingress"}
_PARENT = re.compile(r"\bparent (\S+)")
_NUMBERED = re.compile(r"\bid (\d+)", re.ASCII)
_HANDLE = re.compile(r"\bhandle \S+ (\S+)")
_BARE = re.compile(r"\s*(?:chain \d+)?\s*(?:fh [0-9a-f]+: ht divisor \d+)?\s*")


def looks_like(text: str) -> bool:
    """Whether the first lines are filters of traffic control."""
    lines = head_lines(text)
    return any(line.startswith("filter ") and _HEAD.match(line) for line in lines) or (
        bool(lines) and all(_DEVICE.fullmatch(line) for line in lines)
    )


def parse(text: str, dev: str | None = None, direction: str | None = None) -> Fragment:
    """The filters, without the empty heads of their lists and hash tables.

    Args:
        text: What `tc filter show` printed.
        dev: Device that was asked for, where the text does not name it.
        direction: `ingress` or `egress` that was asked for.
    """
    problems = Problems()
    found: list[_Draft] = []
    started = False
    for number, line in numbered(text):
        if device := _DEVICE.fullmatch(line):
            dev, direction, started = device[1], device[2], False
        elif line.startswith("filter ") and _HEAD.match(line):
            found.append(_Draft(line.strip(), dev, direction))
            started = True
        elif started and line[0] in " \t":
            found[-1].more.append(line.strip())
        else:
            problems.add(number, line.strip(), "is not a filter")
    filters = [draft.attachment() for draft in found if not draft.is_bare()]
    return Fragment(problems.all(), bpf=told(filters, problems), richness=5)


@dataclass
class _Draft:
    """A filter while its lines are read."""

    head: str
    dev: str | None
    direction: str | None
    more: list[str] = field(default_factory=list)

    def is_bare(self) -> bool:
        """Whether this is only the head of a list or an empty hash table."""
        match = _HEAD.match(self.head)
        return not self.more and match is not None and bool(_BARE.fullmatch(match[2]))

    def attachment(self) -> BpfAttachment:
        """The filter."""
        match, dev = _HEAD.match(self.head), _OF_DEVICE.search(self.head.partition(" pref ")[0])
        kind = match[1] if match else "tc"
        program = kind == "bpf"
        number = _NUMBERED.search(self.head) if program else None
        return BpfAttachment(
            dev[1] if dev else self.dev,
            self._direction(),
            kind,
            self._name() if program else None,
            whole_number(number[1]) if number else None,
            "\n".join((self.head, *self.more)),
        )

    def _direction(self) -> str | None:
        if match := _DIRECTION.match(self.head):
            return match[1]
        parent = _PARENT.search(self.head)
        return (_PARENTS.get(parent[1]) if parent else None) or self.direction

    def _name(self) -> str | None:
        """Name of the program; an object file may stand before it (`bpf_lxc.o:[from-container]`)."""
        handle, named = _HANDLE.search(self.head), re.search(r"\bname (\S+)", self.head)
        match = named or handle
        return match[1] if match else None

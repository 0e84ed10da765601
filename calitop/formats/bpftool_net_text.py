"""`bpftool net` as text: attached BPF programs under the lines `xdp:`, `tc:`, `netfilter:`.

A grep takes those lines away; programs of traffic control are known by their shape.

Source: src/net.c of bpftool.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, numbered, told, whole_number
from calitop.model.node import BpfAttachment

KIND = "bpftool net"

_SECTION = re.compile(r"(xdp|tc|flow_dissector|netfilter):\s*")
_ATTACHED = re.compile(r"\s*([^\s(]+)\(\d+\)\s+(\S+)(?:\s+(\S.*))?", re.ASCII)
_NUMBER = re.compile(r"\b(?:prog_id|id) (\d+)", re.ASCII)
_KIND = re.compile(r"(clsact|tcx|netkit)/(\w+)")
_TC = re.compile(r"\s*[^\s(]+\(\d+\) (?:clsact|tcx|netkit)/\w+ \S", re.ASCII)


def looks_like(text: str) -> bool:
    """Whether the text has the sections of `bpftool net`, or only its lines of traffic control."""
    lines = head_lines(text)
    sections = [line.strip() for line in lines if _SECTION.fullmatch(line)]
    if sections[:2] == ["xdp:", "tc:"]:
        return True
    rest = [line for line in lines if not _SECTION.fullmatch(line)]
    return bool(rest) and all(_TC.match(line) for line in rest)


def parse(text: str) -> Fragment:
    """The attached programs."""
    problems = Problems()
    found: list[BpfAttachment] = []
    section = None
    for number, line in numbered(text):
        if match := _SECTION.fullmatch(line):
            section = match[1]
            continue
        attachment = _attachment(section, line) if section or _TC.match(line) else None
        if attachment is None:
            problems.add(number, line.strip(), "is not an attached program")
        else:
            found.append(attachment)
    return Fragment(problems.all(), bpf=told(found, problems), richness=6)


def _attachment(section: str | None, line: str) -> BpfAttachment | None:
    number = _NUMBER.search(line)
    program = whole_number(number[1]) if number else None
    match = _ATTACHED.fullmatch(line.rstrip())
    if match is None:
        if section in ("netfilter", "flow_dissector") and program is not None:
            return BpfAttachment(None, None, section, None, program, line.strip())
        return None
    dev, mode, rest = match.groups()
    if section == "xdp":
        return BpfAttachment(dev, "xdp", "xdp", None, program, line.strip())
    kind = _KIND.fullmatch(mode)
    direction = kind[2] if kind and kind[2] in ("ingress", "egress") else None
    name = (rest or "").partition(" ")[0]
    known = name not in ("", "id", "prog_id")
    return BpfAttachment(
        dev,
        direction,
        kind[1] if kind and direction else mode,
        name if known else None,
        program,
        line.strip(),
    )

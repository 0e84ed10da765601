"""A listing of /etc/cni/net.d, by `ls`, `ls -l` or as paths: which CNI plugin is in charge.

The container runtime takes the first name in sort order that ends in `.conf`, `.conflist` or
`.json` (libcni); Cilium renames the others to `*.cilium_bak`.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.listing import LONG, base_name
from calitop.formats.reading import Problems, head_lines, numbered

KIND = "/etc/cni/net.d"

_CONFIG = re.compile(r"\S+\.(?:conf|conflist|json)(?:\.[\w.-]+)?")
_TITLE = re.compile(r"total \d\S*|\S*/cni/net\.d/?:|\d+ directories.*")
_PLAIN = re.compile(r"[\w./@+:-]+(?:\s{1,}[\w./@+:-]+)*")


def looks_like(text: str) -> bool:
    """Whether every one of the first lines lists files, a CNI configuration among them."""
    lines = head_lines(text)
    return any(_is_config(line) for line in lines) and all(_names(line) is not None for line in lines)


def parse(text: str) -> Fragment:
    """The names of the files; folders and the folder's own entries are passed over."""
    problems = Problems()
    found: dict[str, None] = {}
    for number, line in numbered(text):
        names = _names(line)
        if names is None:
            problems.add(number, line.strip(), "is not the name of a file")
        else:
            found.update(dict.fromkeys(names))
    told = tuple(found) if found or not len(problems) else None
    return Fragment(problems.all(), cni_configs=told, richness=6)


def _is_config(line: str) -> bool:
    return any(_CONFIG.fullmatch(name.rsplit("/", 1)[-1]) for name in _names(line) or ())


def _names(line: str) -> list[str] | None:
    """The names of files on a line; None for a line that is no listing."""
    line = line.strip()
    if _TITLE.fullmatch(line):
        return []
    if match := LONG.fullmatch(line):
        return [] if match[1] == "d" else [base_name(match[2].partition(" -> ")[0])]
    if not _PLAIN.fullmatch(line):
        return None
    words = [base_name(word) for word in line.split()]
    if len(words) > 1 and not any(_CONFIG.fullmatch(word) for word in words):
        return None
    return [word for word in words if word not in ("", ".", "..")]

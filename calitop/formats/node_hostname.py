"""`hostname`: the node's name, one word.

A bare word could be anything: the text is never recognised by content, only read where a
command or a file's name says what it is.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, numbered

KIND = "hostname"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9][A-Za-z0-9_-]{0,62}){0,9}")


def looks_like(text: str) -> bool:
    """Never: one word tells no format."""
    return False


def parse(text: str) -> Fragment:
    """The node's name."""
    problems = Problems()
    name = None
    for number, line in numbered(text):
        word = line.strip()
        if name is None and _NAME.fullmatch(word):
            name = word
        else:
            problems.add(number, word, "is not the name of a node")
    return Fragment(problems.all(), node_name=name, richness=8)

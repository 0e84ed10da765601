"""What readers of folder listings share: the lines of `ls` and `ls -l`. It knows no folder."""

from __future__ import annotations

import re

LONG = re.compile(
    r"([-dlbcps])[-rwxsStT]{9}[.+@]?\s+\d+\s+\S+\s+\S+\s+[\d.,]+[KMG]?\s+"
    r"(?:\S+\s+\S+\s+[\d:]+|\d{4}-\d\d-\d\d\s+[\d:.]+(?:\s+[-+]\d{4})?)\s+(\S.*)"
)
"""A line of `ls -l`: the kind of file, and its name."""


def base_name(path: str) -> str:
    """The last part of a path as `ls` prints it, without signs and quotes around it."""
    return path.rstrip("*@").rsplit("/", 1)[-1].strip("'\"")

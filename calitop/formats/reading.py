"""What the readers of line formats share: numbered lines, numbers, addresses, problems.

It knows no format.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import TypeVar

from calitop.model.network import IpFamily
from calitop.model.node import Problem

HEAD = 6000
"""Characters that a `looks_like` may look at."""

MAX_DIGITS = 20
"""Digits of the largest 64-bit number; a longer one is not from a kernel."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}(?:/(?:3[0-2]|[12]?\d))?", re.ASCII)
_SHORT_IPV4 = re.compile(rf"({_OCTET}(?:\.{_OCTET}){{0,2}})/(3[0-2]|[12]?\d)", re.ASCII)
_IPV6 = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%[^/\s]+)?(?:/(\d{1,3}))?", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{1,16}")

T = TypeVar("T")


def split_lines(text: str) -> list[str]:
    """The lines of a text without line ends and without the colours of a terminal."""
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n")


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """The lines that hold something, each with its number from 1."""
    for number, line in enumerate(split_lines(text), 1):
        if line and not line.isspace():
            yield number, line


def head_lines(text: str) -> list[str]:
    """The first lines that hold something, for recognising a text.

    A line that the limit cuts is left out, unless it is the only one.
    """
    head = text[:HEAD]
    lines = [line for line in split_lines(head) if line and not line.isspace()]
    return lines[:-1] if len(text) > HEAD and len(lines) > 1 else lines


def whole_number(word: str) -> int | None:
    """The number that a word of plain digits stands for, else None."""
    if word.isdigit() and word.isascii() and len(word) <= MAX_DIGITS:
        return int(word)
    return None


def signed_number(word: str) -> int | None:
    """The number that plain digits with an optional minus stand for, else None."""
    if word.startswith("-"):
        positive = whole_number(word[1:])
        return None if positive is None else -positive
    return whole_number(word)


def any_number(word: str) -> int | None:
    """The number that a decimal or `0x` word stands for, else None."""
    if word[:2] in ("0x", "0X"):
        digits = word[2:]
        return int(digits, 16) if _HEX.fullmatch(digits) else None
    return whole_number(word)


def family_of(address: str) -> IpFamily | None:
    """Family of an address or prefix; None for a word that is neither."""
    if ":" in address:
        return "ipv6" if _is_ipv6(address) else None
    return "ipv4" if _IPV4.fullmatch(address) or _SHORT_IPV4.fullmatch(address) else None


def with_length(address: str) -> str | None:
    """An address or prefix with its length, as `10.0.0.1/32` or `fe80::/64`.

    Returns:
        None for a word that is neither. Old programs shorten `10.0.0.0/8` to `10/8`: it is written out.
    """
    if _IPV4.fullmatch(address):
        return address if "/" in address else address + "/32"
    if ":" in address:
        if not _is_ipv6(address):
            return None
        return address if "/" in address else address + "/128"
    short = _SHORT_IPV4.fullmatch(address)
    if short is None:
        return None
    return ".".join((short[1].split(".") + ["0"] * 3)[:4]) + "/" + short[2]


def is_address(word: str) -> bool:
    """Whether the word is one address, without a length."""
    return "/" not in word and family_of(word) is not None


def _is_ipv6(address: str) -> bool:
    match = _IPV6.fullmatch(address)
    if match is None or (match[1] is not None and int(match[1]) > 128):
        return False
    bare = address.partition("/")[0].partition("%")[0]
    try:
        socket.inet_pton(socket.AF_INET6, bare)
    except (OSError, ValueError):
        return False
    return True


class Problems:
    """Collects what could not be understood."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, line: int | None, text: str, why: str) -> None:
        """Keep one line that was not understood."""
        self._found.append(Problem(line, text, why))

    def all(self) -> tuple[Problem, ...]:
        """The problems, in the order of the text."""
        if all(found.line is not None for found in self._found):
            self._found.sort(key=lambda problem: problem.line or 0)
        return tuple(self._found)

    def __len__(self) -> int:
        return len(self._found)


def word_set(words: str) -> frozenset[str]:
    """The words of a text, for asking whether one is among them."""
    return frozenset(words.split())


def told(found: list[T], problems: Problems) -> tuple[T, ...] | None:
    """What a text says: its facts, "there are none" when it is clean, nothing when it only has problems."""
    return tuple(found) if found or not len(problems) else None

"""Text from kernel and files as it may stand on a terminal: escaped, shortened, padded to cells."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from rich.cells import cell_len, chop_cells

Lose = Literal["start", "middle", "end"]
"""Which part of a text goes when it is too long."""

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters, and the invisible ones that turn or hide text."""


def plain(text: str) -> str:
    """The text with every control character written out, as `\\x1b`."""
    return _UNSAFE.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def width_of(text: str) -> int:
    """Cells that the text takes on a terminal."""
    return len(text) if text.isascii() else cell_len(text)


def shorten_end(text: str, width: int, cut: str = "…") -> str:
    """The text in at most `width` cells, with its end cut away."""
    if width_of(text) <= width:
        return text
    return _head(text, width - 1) + cut if width > 0 else ""


def shorten_start(text: str, width: int, cut: str = "…") -> str:
    """The text in at most `width` cells, with its start cut away.

    Gateways of one network differ in their last numbers.
    """
    if width_of(text) <= width:
        return text
    return cut + _head(text[::-1], width - 1)[::-1] if width > 0 else ""


def shorten_middle(text: str, width: int, cut: str = "…") -> str:
    """The text in at most `width` cells, with its middle cut away.

    Names of pods and chains differ at their ends, so both ends stay readable.
    """
    if width_of(text) <= width:
        return text
    if width < 3:
        return shorten_end(text, width, cut)
    head = width // 2
    return _head(text, head) + cut + _head(text[::-1], width - head - 1)[::-1]


def _head(text: str, width: int) -> str:
    if text.isascii():
        return text[:width]
    taken = ""
    for character in text:
        if cell_len(taken + character) > width:
            break
        taken += character
    return taken


def pad(text: str, width: int, right: bool = False) -> str:
    """The text filled with blanks to `width` cells; it must not be wider."""
    blanks = " " * (width - width_of(text))
    return blanks + text if right else text + blanks


_SHORTEN = {"start": shorten_start, "middle": shorten_middle, "end": shorten_end}


@lru_cache(maxsize=16384)
def cell(text: str, width: int, right: bool = False, lose: Lose = "middle", cut: str = "…") -> str:
    """One table cell: escaped, shortened and padded to exactly `width` cells."""
    return pad(_SHORTEN[lose](plain(text), width, cut), width, right)


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken at blanks where there are any."""
    lines: list[str] = []
    current = ""
    for word in plain(text).split(" "):
        joined = f"{current} {word}" if current else word
        if width_of(joined) <= width:
            current = joined
            continue
        if current:
            lines.append(current)
        *full, current = chop_cells(word, width) or [""]
        lines.extend(full)
    return [*lines, current] if current or not lines else lines

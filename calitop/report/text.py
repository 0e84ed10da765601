"""Words of the kernel and of files as text that is safe on a terminal, and plain columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def printable(text: str) -> str:
    """The text with everything that a terminal could obey written out as `\\x1b`.

    Tabs become blanks; bytes that were not UTF-8 are shown as `\\xe9`.
    """
    if text.isprintable():
        return text
    return "".join(_shown(sign) for sign in text)


def _shown(sign: str) -> str:
    if sign.isprintable():
        return sign
    code = ord(sign)
    if sign == "\t":
        return " "
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def columns(rows: Iterable[Sequence[str | None]], indent: str = "  ") -> list[str]:
    """Rows as lines with aligned columns; an open cell is shown as `-`."""
    cells = [[printable(cell) if cell else "-" for cell in row] for row in rows]
    if not cells:
        return []
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in cells
    ]


def number(value: int | None) -> str:
    """A number, or `?` where no source tells it."""
    return "?" if value is None else str(value)


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 rule`, `2 rules`."""
    return f"{count} {one if count == 1 else many or one + 's'}"

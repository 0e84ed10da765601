"""What a program has drawn on its terminal: the characters, without colours, paint by paint."""

from __future__ import annotations

import re
from collections.abc import Iterator

ASKS = b"\x1b[?2026$p"
"""A program's question whether the terminal shows whole paints only (synchronized output)."""
YES = b"\x1b[?2026;2$y"
_END = b"\x1b[?2026l"
_TOKENS = re.compile(
    rb"\x1b\[(?P<row>\d+);(?P<column>\d+)H|(?P<line>\r?\n)"
    rb"|\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|.)"
    rb"|(?P<text>[^\x00-\x1f]+)|.",
    re.S,
)


class Grid:
    """A screen on which each character takes one cell."""

    def __init__(self, columns: int, lines: int) -> None:
        self._rows = [[" "] * columns for _ in range(lines)]
        self._row = self._column = 0
        self._begun = b""

    def paints(self, data: bytes) -> Iterator[None]:
        """Take what the program wrote; stops after each paint that is complete by it."""
        *whole, self._begun = (self._begun + data).split(_END)
        for paint in whole:
            self._draw(paint)
            yield

    def _draw(self, paint: bytes) -> None:
        for token in _TOKENS.finditer(paint):
            if token.lastgroup == "column":
                self._row, self._column = int(token["row"]) - 1, int(token["column"]) - 1
            elif token.lastgroup == "line":
                self._row, self._column = self._row + 1, 0
            elif token.lastgroup == "text":
                self._write(token["text"].decode("utf-8", "replace"))

    def _write(self, text: str) -> None:
        if self._row < len(self._rows):
            self._rows[self._row][self._column : self._column + len(text)] = text
        self._column += len(text)

    def line(self, number: int) -> str:
        """One line, from 0, without the blanks around it."""
        return "".join(self._rows[number]).strip()

    def find(self, text: str) -> int:
        """The line that says this and nothing else.

        Raises:
            LookupError: There is none.
        """
        for number in range(len(self._rows)):
            if self.line(number) == text:
                return number
        raise LookupError(f"no line {text!r} on the screen")

"""How wide a text may be."""

from __future__ import annotations

from shutil import get_terminal_size

_PIPE = 160
"""Columns where no terminal reads it."""


def text_width() -> int:
    """Columns to wrap a text at."""
    return get_terminal_size((_PIPE, 24)).columns

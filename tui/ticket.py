"""Text for a ticket, written into a file that the operator names."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from textual.screen import Screen

from tui.screens.save import SaveScreen

TICKET_WIDTH = 120
"""Columns of text that is copied and saved."""


def save_ticket(screen: Screen[Any], proposed: str, title: str, text: str) -> None:
    """Ask where to, then write the text there in a thread."""
    dialog = SaveScreen(proposed, title, "a file for a ticket; it must not exist yet")
    screen.app.push_screen(dialog, partial(_save_to, screen, text))


def _save_to(screen: Screen[Any], text: str, dest: str | None) -> None:
    if dest:
        screen.run_worker(partial(_write, screen, Path(dest), text), thread=True, group="save")


def _write(screen: Screen[Any], dest: Path, text: str) -> None:
    """In a thread."""
    try:
        with dest.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        reason = error.strerror or str(error)
        screen.notify(f"cannot save to '{dest}': {reason}", severity="error", timeout=5, markup=False)
    else:
        screen.notify(f"saved to {dest}", timeout=5, markup=False)

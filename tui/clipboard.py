"""Copying to the terminal's clipboard, and what is said of it.

Textual writes OSC 52; no terminal answers whether it took that, and some never do.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import App

from calitop.report.text import plural

_TAKERS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm")
"""Values of TERM whose terminals take OSC 52 as they are delivered."""
_TAKING = ("KITTY_WINDOW_ID", "WEZTERM_PANE", "ALACRITTY_WINDOW_ID", "GHOSTTY_RESOURCES_DIR", "WT_SESSION")
"""Variables of such terminals, where TERM says less."""
MARK_IT = "else hold shift and mark it with the mouse"


def doubt_of(environment: Mapping[str, str]) -> str:
    """Why the clipboard may stay as it is, and what to do then; "" where the terminal is known to take it.

    Args:
        environment: The process environment.
    """
    term = environment.get("TERM", "")
    if term in ("linux", "dumb", "vt100", "vt102", "vt220"):
        return "this terminal has no clipboard: calitop show, hits, check and trace print the same"
    if "TMUX" in environment:
        return f"tmux passes it on with 'set -g set-clipboard on'; {MARK_IT}"
    if "STY" in environment:
        return f"screen does not pass it on; {MARK_IT}"
    if environment.get("TERM_PROGRAM") == "Apple_Terminal":
        return f"Terminal does not take it; {MARK_IT.replace('shift', 'fn')}"
    if term.startswith(_TAKERS) or any(name in environment for name in _TAKING):
        return ""
    return f"if your terminal takes OSC 52; {MARK_IT}"


def copy(app: App[object], text: str, what: str) -> None:
    """Copy a text, and say what it was."""
    if not text:
        app.notify("there is nothing to copy here", timeout=5, markup=False)
        return
    app.copy_to_clipboard(text)
    doubt = getattr(app, "clipboard_doubt", "")
    said = f"copied {what} ({plural(len(text.splitlines()), 'line')})"
    app.notify(f"{said}: {doubt}" if doubt else said, timeout=5, markup=False)

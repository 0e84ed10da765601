"""The signs that stand beside every colour, in two sets: for Unicode terminals and for plain ASCII.

The Linux console has few glyphs, and a terminal without UTF-8 has none of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Signs:
    """One set of signs; every field is one cell wide, except `at_least` where the set is ASCII."""

    cursor: str = "▌"
    """Row with the cursor, in the leftmost cell."""
    related: str = "◆"
    """Row that belongs to what the cursor is on in another pane."""
    leads: str = "◇"
    """Closed row that holds a related one somewhere below."""
    opened: str = "▾"
    closed: str = "▸"
    jump: str = "↳"
    """A rule that jumps (-j) to a chain."""
    goto: str = "⇒"
    """A rule that goes (-g) to a chain and does not come back to its own."""
    above: str = "↑"
    """The chain is already open above; enter leads there."""
    missing: str = "∅"
    """The chain is jumped to but stands nowhere in the text."""
    hot: str = "▲"
    """Counted in the newest poll, or between two moments."""
    alarm: str = "✖"
    """A DROP or REJECT that counted."""
    cut: str = "…"
    still: str = "·"
    """Zero per second."""
    unknown: str = "–"
    """Not told by the source."""
    at_least: str = "≥"
    """The counter was restarted in between: at least that many."""
    live: str = "●"
    paused: str = "‖"
    offline: str = "◌"
    warning: str = "⚠"
    bpf: str = "◈"
    """A BPF program may decide here before any rule."""
    agreed: str = "✓"
    """Predicted, and it counted."""
    stood: str = "≠"
    """Predicted, but it did not count."""
    unforeseen: str = "+"
    """Counted without being predicted."""
    passed: str = "✔"
    """The packets arrived."""
    part: str = "●"
    """A fifth of the packets that were sent."""


UNICODE = Signs()

ASCII = Signs(
    cursor=">",
    related="*",
    leads="+",
    opened="-",
    closed="+",
    jump="->",
    goto="=>",
    above="^",
    missing="?",
    hot="!",
    alarm="X",
    cut="~",
    still=".",
    unknown="-",
    at_least=">=",
    live="o",
    paused="=",
    offline=".",
    warning="!",
    bpf="b",
    agreed="v",
    stood="#",
    passed="+",
    part="o",
)


def signs_for(environment: Mapping[str, str], encoding: str) -> Signs:
    """The set that this terminal can show.

    Args:
        environment: The process environment; `TERM` is looked at.
        encoding: Encoding of the standard output.

    Returns:
        `ASCII` on the Linux console, on dumb terminals and where the encoding is not UTF-8.
    """
    plain_terminal = environment.get("TERM", "") in ("linux", "dumb", "vt100", "vt102", "vt220")
    is_utf8 = encoding.lower().replace("-", "").replace("_", "") == "utf8"
    return UNICODE if is_utf8 and not plain_terminal else ASCII

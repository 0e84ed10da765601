"""One line that answers: which node, how fresh, since when is counted, what is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from calitop.budget import duration
from widgets import numbers
from widgets.signs import UNICODE, Signs
from widgets.text import plain, shorten_end, width_of

STALE_POLLS = 3
"""Data older than this many intervals is called old."""
_QUICK_S = 0.01
"""Below this it does not matter what a poll took."""


@dataclass(frozen=True)
class Status:
    """What the status line says."""

    node: str
    live: bool
    backends: str = ""
    """Backends whose rules are shown, as `nft` or `nft+legacy`."""
    moment: str = ""
    """Offline: which moment of which node, and when it was taken."""
    interval_s: float | None = None
    stretched: str = ""
    """Why the interval is longer than usual."""
    took_s: float | None = None
    age_s: float | None = None
    """Seconds since the last poll that brought data."""
    baseline: str = ""
    problems: int = 0
    warnings: int = 0
    failure: str = ""
    """Why the last poll failed."""
    paused: bool = False
    resets: int = 0
    """Counters that started from zero again, or went away, since the baseline."""


@dataclass(frozen=True)
class Part:
    """A part of the line; those with a high rank are left out first."""

    text: str
    rank: int
    look: str = ""
    name: str = ""
    """What the legend explains it by."""


def status_parts(status: Status, signs: Signs) -> list[Part]:
    """The parts of the line in order."""
    parts = [Part("calitop", 7, "dim"), Part(plain(status.node), 0, "strong", "node")]
    parts += [Part(status.backends, 4, name="backend")] if status.backends else []
    parts.append(_mode(status, signs))
    is_stretched = status.stretched and not status.paused
    parts += [Part(status.stretched, 3, name="reading costs …")] if is_stretched else []
    parts += [Part(plain(status.moment), 3, name="node, moment")] if status.moment else []
    parts += _freshness(status)
    parts += [Part(f"baseline {plain(status.baseline)}", 2, name="baseline")] if status.baseline else []
    parts += _wrongs(status, signs)
    return parts


def _mode(status: Status, signs: Signs) -> Part:
    if status.paused:
        return Part(f"{signs.paused} paused", 1, "alert", "paused")
    if not status.live:
        return Part(f"{signs.offline} offline", 3, name="offline")
    if status.failure:
        return Part(f"{signs.live} not read", 1, "alert", "not read")
    return Part(f"{signs.live} live{_interval(status)}", 1, "live", "live")


def _interval(status: Status) -> str:
    if status.interval_s is None:
        return ""
    rounded = round(status.interval_s, 2 if status.interval_s < 1 else 1 if status.interval_s < 10 else None)
    return f"{' every' if status.stretched else ''} {rounded:g} s"


def _freshness(status: Status) -> list[Part]:
    if not status.live or status.age_s is None:
        return []
    took = "" if status.took_s is None else f" in {_about(status.took_s)}"
    is_old = status.age_s > STALE_POLLS * (status.interval_s or 1.0)
    said = f"read {numbers.age(status.age_s)} ago{took}"
    return [Part(said, 1, "alert", "read, old") if is_old else Part(said, 5, name="read … ago in …")]


def _about(seconds: float) -> str:
    """What a poll took to one digit: a figure that changes with each one would paint the line anew for it."""
    if seconds < _QUICK_S:
        return f"under {duration(_QUICK_S)}"
    digit = 10 ** math.floor(math.log10(seconds))
    return duration(round(seconds / digit) * digit)


def _wrongs(status: Status, signs: Signs) -> list[Part]:
    parts = []
    if status.failure:
        parts.append(Part(plain(status.failure), 2, "alert", "failure"))
    if status.resets:
        parts.append(Part(f"{status.resets} restarted", 4, name="restarted"))
    if status.warnings:
        word = "warning" if status.warnings == 1 else "warnings"
        parts.append(Part(f"{signs.warning} {status.warnings} {word}", 2, "alert", "warnings"))
    if status.problems:
        word = "problem" if status.problems == 1 else "problems"
        parts.append(Part(f"{status.problems} {word}", 2, "alert", "problems"))
    return parts


def fit_parts(parts: list[Part], width: int, cut: str) -> list[Part]:
    """The parts that fit with two blanks between them; of equals the last goes first."""
    kept = list(parts)
    while len(kept) > 1 and sum(width_of(part.text) + 2 for part in kept) > width:
        kept.remove(max(reversed(kept), key=lambda part: part.rank))
    return [replace(part, text=shorten_end(part.text, max(1, width - 2), cut)) for part in kept]


class StatusLine(Widget):
    """The line at the top."""

    COMPONENT_CLASSES = {"status--dim", "status--strong", "status--alert", "status--live"}

    DEFAULT_CSS = """
    StatusLine {
        height: 1;
        background: $rows-title;
        & > .status--dim { color: $rows-dim; }
        & > .status--strong { text-style: bold; }
        & > .status--alert { color: $heat-hot; text-style: bold; }
        & > .status--live { color: $verdict-accept; }
    }
    """

    class FilesRequested(Message):
        """The operator clicked the line to see files, problems and warnings."""

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(id=css_id)
        self.signs = signs
        self._parts: list[Part] = [Part("calitop", 0, "strong"), Part("reading" + signs.cut, 0)]

    def show_status(self, status: Status) -> None:
        """Say something new."""
        parts = status_parts(status, self.signs)
        if parts != self._parts:
            self._parts = parts
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Lead to what is behind the counts of problems and warnings."""
        event.stop()
        self.post_message(self.FilesRequested())

    def painted(self) -> list[Part]:
        """The parts for which there is room."""
        return fit_parts(self._parts, self.size.width - 1, self.signs.cut)

    def render_line(self, y: int) -> Strip:
        """The line."""
        base, width = self.rich_style, self.size.width
        segments = [Segment(" ", base)]
        for part in self.painted():
            style = self.get_component_rich_style(f"status--{part.look}", partial=True) if part.look else None
            segments += [Segment(part.text, base + style if style else base), Segment("  ", base)]
        return Strip(segments).adjust_cell_length(width, base)

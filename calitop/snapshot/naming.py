"""What the folders above a snapshot say: the node's name, the moment, the time.

Knows no file's content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone

from calitop.snapshot.archive import ARCHIVE_SUFFIX


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EARLY = _words("before pre start begin first initial")
_LATE = _words("after post end stop last final")
SECTIONS = _words(
    """
    cmd cmds command commands conf config diagnostics diags log logs sos_commands networking kernel network
    firewall_tables firewalld process host general proc sys net self thread-self etc cni net.d output outputs
    raw data files nftables iptables conntrack namespaces
    """
)
"""Folders that hold a part of one snapshot, as bundles name them."""
_OTHERS = _words(
    """
    node nodes snapshot snapshots capture captures moment moments state states calico cilium bugtool sysdump
    sosreport dump dumps now t at utc
    """
)
_CLOCK = re.compile(
    r"(?P<date>\d{4}[-_.]?\d{2}[-_.]?\d{2})"
    r"(?:[T_.\- ]?(?P<time>\d{2}[-_:.h]?\d{2}(?:[-_:.m]?\d{2})?(?:[.,]\d+)?)"
    r"(?P<zone>Z|[+-]\d{2}:?\d{2})?)?(?:[-_]?(?:UTC|GMT))?(?!\d)"
)
_HOUR = re.compile(r"^\d{1,2}[-_:.h]\d{2}(?:[-_:.m]\d{2}s?)?$")


def bare(part: str) -> str:
    """A part of a path without the suffix of an archive."""
    return ARCHIVE_SUFFIX.sub("", part)


def is_word(part: str) -> bool:
    """Whether a folder's name is a moment, a section of a bundle or a time, not a node's name."""
    text = bare(part).strip()
    if not text or text in (".", ".."):
        return True
    if text.lower() in SECTIONS or _HOUR.fullmatch(text):
        return True
    words = _letters(_CLOCK.sub(" ", text))
    timed = bool(_CLOCK.search(text)) or any(_is_moment(word) for word in words)
    numbers = [word for word in words if word.isdigit()]
    plain = [word for word in words if not word.isdigit()]
    if numbers and plain and not timed:
        return False
    return all(_is_moment(word) or word in SECTIONS or word in _OTHERS for word in plain)


def _letters(text: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]


def _is_moment(word: str) -> bool:
    """`before` and its like, numbered or not; `node1` and `host1` are names."""
    return word.rstrip("0123456789") in _EARLY | _LATE


def name_from_folders(parts: Sequence[str]) -> str | None:
    """The nearest folder above that can be a node's name.

    Args:
        parts: Folders from the outermost to the snapshot itself.

    Returns:
        None when none is more than a word or a time.
    """
    return next((bare(part) for part in reversed(parts) if not is_word(part)), None)


def without_sections(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The folder that a part of a bundle belongs to: `x/cmd` and `x/conf` are both `x`."""
    while parts and bare(parts[-1]).lower() in SECTIONS and bare(parts[-1]) == parts[-1]:
        parts = parts[:-1]
    return parts


def moment_rank(parts: Sequence[str]) -> int:
    """-1 for a folder that says it is the earlier one (`before`), 1 for the later, 0 for neither."""
    for part in reversed(parts):
        rank = _rank(part)
        if rank:
            return rank
    return 0


def _rank(part: str) -> int:
    if not is_word(part):
        return 0
    words = [word.rstrip("0123456789") for word in _letters(bare(part))]
    return -1 if any(word in _EARLY for word in words) else 1 if any(word in _LATE for word in words) else 0


_MOMENT = re.compile(rf"{_CLOCK.pattern}|\b(?:" + "|".join(sorted(_EARLY | _LATE)) + r")")


def siblings_key(parts: Sequence[str]) -> tuple[str, ...]:
    """The same for `x/before` and `x/after`: the folders without what tells the moment."""
    kept = [
        re.sub(r"\b(" + "|".join(sorted(_EARLY | _LATE)) + r")", "*", bare(part).lower()) for part in parts
    ]
    return tuple(
        _CLOCK.sub("#", part) if _rank(original) else part for part, original in zip(kept, parts, strict=True)
    )


def time_from_folders(parts: Sequence[str]) -> float | None:
    """Seconds since the epoch that the nearest folder with a time in its name says, read as UTC."""
    return next((seconds for part in reversed(parts) if (seconds := _clock(bare(part))) is not None), None)


def _clock(text: str) -> float | None:
    if re.fullmatch(r"1\d{9}", text):
        return float(text)
    found = _CLOCK.search(text)
    if not found:
        return None
    digits = re.sub(r"\D", "", found["date"]) + re.sub(r"\D", "", (found["time"] or "").split(".")[0])
    try:
        return (
            datetime.strptime(digits.ljust(14, "0")[:14], "%Y%m%d%H%M%S")
            .replace(tzinfo=timezone.utc)
            .timestamp()
        )
    except ValueError:
        return None

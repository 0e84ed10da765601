"""Answers of captures: the same words for the same failure, whichever way they came."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from calitop.sources.capture import Capture, Captured

_DENIED = re.compile(r"permission denied|not permitted|must be root", re.I)
_LONGEST = 500


def utc_now() -> str:
    """The time in RFC 3339, UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@dataclass(frozen=True, slots=True)
class Asked:
    """When a capture was started."""

    started_at: str = field(default_factory=utc_now)
    began: float = field(default_factory=time.monotonic)

    def answer(self, wanted: Capture, status: int | None, text: str, errors: str = "") -> Captured:
        """What the program printed, or why there is nothing.

        Args:
            wanted: What was asked.
            status: Exit status; None when the program did not come to an end.
            text: Its standard output.
            errors: Its standard error, or the reason; not kept of a program that ended well.
        """
        error = None if status == 0 else complaint(status, errors)
        return Captured(
            wanted.file,
            wanted.line,
            status,
            self.started_at,
            text,
            error,
            denied=error is not None and bool(_DENIED.search(error)),
            read_at=self.began,
            took_s=time.monotonic() - self.began,
        )


def complaint(status: int | None, errors: str) -> str:
    """One line of what a program said when it failed."""
    return " ".join(errors.split())[:_LONGEST] or f"ended with status {status}"


def not_installed(wanted: Capture) -> Captured:
    """The answer where the program is missing."""
    names = [wanted.command[0], *(" ".join(words) for words in wanted.alternatives)]
    missing = " or ".join(f"'{name}'" for name in names)
    hint = f"; install {wanted.package}" if wanted.package else ""
    why = f"{missing} is not installed here{hint}"
    return Captured(wanted.file, wanted.line, None, utc_now(), "", why, asked=wanted.required)


def not_asked(wanted: Capture, why: str, denied: bool = False, empty: bool = False) -> Captured:
    """The answer where the kernel has nothing to be asked, or this user may not ask.

    Args:
        wanted: What is not asked.
        why: In words.
        denied: This user may not.
        empty: There is surely nothing that it could have told.
    """
    return Captured(wanted.file, wanted.line, None, utc_now(), "", why, denied, denied, empty)

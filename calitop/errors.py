"""What can go wrong, sorted by what the caller can do about it.

Every message has one form: what failed, on what, why, what to do.
"""

from __future__ import annotations


class CalitopError(Exception):
    """A failure that is told to the operator in one sentence, without a traceback.

    Attributes:
        message: What failed, on what, and why.
        hint: What to do about it, or "".
        exit_code: Exit status of a command that ends with this error.
    """

    exit_code = 3

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(CalitopError):
    """The command line asks for something that does not fit together."""

    exit_code = 2


class BadSnapshot(CalitopError):
    """A file, folder or archive cannot be read as a snapshot."""


class SourceUnavailable(CalitopError):
    """A live node cannot be read: a program, a namespace or the way there is missing."""


class NeedPrivilege(CalitopError):
    """The kernel refuses the answer to this user."""

    exit_code = 4

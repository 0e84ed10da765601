"""SNAPSHOT arguments before anything is opened; light, so that the explorer can paint first."""

from __future__ import annotations

import re
from pathlib import Path

from calitop.errors import BadSnapshot

_NAMED = re.compile(r"(?P<name>[^/=\s]+)=(?P<path>.+)", re.S)


def split_name(text: str) -> tuple[str | None, Path]:
    """Name and path of a SNAPSHOT argument; a path that exists as it stands has no name."""
    whole = Path(text)
    found = _NAMED.fullmatch(text)
    if found is None or _exists(whole):
        return None, whole
    return found["name"], Path(found["path"])


def require_path(path: Path) -> None:
    """Check that there is something of that name; cheap, nothing is read.

    Raises:
        BadSnapshot: There is not.
    """
    if not _exists(path):
        raise BadSnapshot(f"cannot read '{path}': No such file or directory")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False

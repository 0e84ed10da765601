"""Network namespaces of this machine, and which of them is behind a link. Nothing is changed.

A link tells the number of its peer's namespace (`link-netnsid`); the kernel tells the number
of any namespace that is held open. So no namespace need be entered to find the right one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from calitop.sources.rtnetlink import namespace_id

_FOLDERS = (Path("/run/netns"), Path("/var/run/netns"), Path("/run/docker/netns"))
_NSFS = re.compile(r"\snet:\[\d+\]\s(\S+)\s")
"""Root and mount point of a namespace in /proc/self/mountinfo (proc(5))."""


@dataclass
class Spaces:
    """The namespaces of this machine by their numbers, as seen from one of them.

    Attributes:
        found: A file of each namespace by its number in the calling thread's namespace.
        denied: Files that this user may not open.
    """

    found: dict[int, str] = field(default_factory=dict)
    denied: list[str] = field(default_factory=list)


def spaces_by_id(processes: bool = True) -> Spaces:
    """Every namespace that has a number in the calling thread's namespace.

    Args:
        processes: Look at those of processes too, not only at those that have a name.
    """
    spaces = Spaces()
    seen: set[tuple[int, int]] = set()
    for path in _files(processes):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError:
            spaces.denied.append(path)
            continue
        except OSError:
            continue  # the process has ended meanwhile
        try:
            told = os.fstat(descriptor)
            if (told.st_dev, told.st_ino) in seen:
                continue
            seen.add((told.st_dev, told.st_ino))
            number = namespace_id(descriptor)
            if number is not None:
                spaces.found.setdefault(number, path)
        finally:
            os.close(descriptor)
    return spaces


def _files(processes: bool) -> Iterator[str]:
    """Files that may be namespaces: named ones first, they outlive processes."""
    for folder in _FOLDERS:
        with suppress(OSError):
            yield from sorted(str(path) for path in folder.iterdir())
    with suppress(OSError):
        yield from _mounted(Path("/proc/self/mountinfo").read_text("utf-8", "replace"))
    with suppress(OSError):
        yield from (f"/proc/{name}/ns/net" for name in (process_ids() if processes else ()))


def _mounted(text: str) -> Iterator[str]:
    for line in text.splitlines():
        found = _NSFS.search(line)
        if found:
            yield found[1].encode().decode("unicode_escape")


def process_ids() -> Iterator[str]:
    """The processes that run now.

    Raises:
        OSError: There is no /proc.
    """
    return (path.name for path in Path("/proc").iterdir() if path.name.isdecimal())

"""Every file below a path: a folder, an archive, or one text file.

Links in a folder are followed only to files inside it; pipes and devices are not read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from calitop.errors import BadSnapshot
from calitop.snapshot.archive import UNPACKED_LIMIT, Blob, Budget, is_archive, members

_HEAD = 512
_FILE_LIMIT = 256 * 1024 * 1024
"""Bytes; a larger file in a folder is no output of the usual programs."""


def blobs(path: Path) -> Iterator[Blob]:
    """Every file that a snapshot path leads to.

    Args:
        path: A folder, an archive or a text file.

    Raises:
        BadSnapshot: The path is missing or cannot be read, or an archive is refused.
    """
    budget = Budget()
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            yield from _folder(path, budget)
        elif stat.S_ISREG(mode):
            yield from _file(path, path.name, path, budget)
        else:
            yield _stream(path)
    except OSError as error:
        raise BadSnapshot(f"cannot read '{path}': {error.strerror or error}") from error


def _stream(path: Path) -> Blob:
    """What a pipe gives (`calitop show <(ssh node iptables-save)`)."""
    with path.open("rb") as stream:
        data = stream.read(UNPACKED_LIMIT + 1)
    if len(data) > UNPACKED_LIMIT:
        raise BadSnapshot(f"'{path}' gives more than {UNPACKED_LIMIT // 2**20} MiB")
    return Blob(path.name, data, None)


def _folder(root: Path, budget: Budget) -> Iterator[Blob]:
    inside = root.resolve()
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if not hidden(relative):
                yield from _entry(path, relative, inside, budget)


def hidden(relative: str) -> bool:
    """Whether a path is somebody's housekeeping (`.git`, a snapshot half written), not data."""
    return any(part.startswith(".") for part in relative.split("/"))


def _entry(path: Path, relative: str, inside: Path, budget: Budget) -> Iterator[Blob]:
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            yield Blob(relative, b"", None, "a link that leads out of the folder; not followed")
            return
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            yield Blob(relative, b"", None, "not a regular file")
        elif path.is_symlink():
            return
        else:
            yield from _file(path, relative, path, budget)
    except OSError as error:
        yield Blob(relative, b"", None, error.strerror or str(error))


def _file(path: Path, relative: str, shown: Path, budget: Budget) -> Iterator[Blob]:
    found = path.stat()
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        if is_archive(head, path.name):
            stream.seek(0)
            yield from members(stream, relative, budget)
        elif found.st_size > _FILE_LIMIT:
            yield Blob(relative, b"", found.st_mtime, f"larger than {_FILE_LIMIT // 2**20} MiB; not read")
        else:
            yield Blob(relative, head + stream.read(), found.st_mtime)

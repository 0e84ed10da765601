"""Write what was captured as a snapshot: a folder, or one `.tar.gz`.

Nothing stands under the final name before it is whole. A save that is killed leaves at
most a hidden folder beside it, which the next save there takes away; nothing else is touched.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from calitop.errors import CalitopError
from calitop.snapshot.manifest import FILE_NAME, Manifest, ManifestFile, write_manifest
from calitop.snapshot.moments import seconds

TEMPORARY_PREFIX = ".calitop-save-"
_FILE_MODE = 0o600
_NO_UNNAMED_FILES = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS)


class Saved(Protocol):
    """What one command gave; `calitop.sources.capture.Captured` is one."""

    @property
    def file(self) -> str:
        """Name in the snapshot."""

    @property
    def command(self) -> str:
        """As people write it."""

    @property
    def status(self) -> int | None:
        """Exit status; None when it was not run."""

    @property
    def started_at(self) -> str:
        """UTC, RFC 3339."""

    @property
    def text(self) -> str:
        """What it printed."""

    @property
    def error(self) -> str | None:
        """Why there is no good answer."""

    @property
    def asked(self) -> bool:
        """False where there was nothing to ask."""

    @property
    def empty(self) -> bool:
        """Not asked, because there is surely nothing."""


class CannotSave(CalitopError):
    """The destination exists, or cannot be written."""


def is_archive_name(dest: Path) -> bool:
    """Whether a snapshot of that name is one file."""
    return dest.name.endswith((".tar.gz", ".tgz"))


def check_destination(dest: Path) -> None:
    """Make sure that a snapshot can be written there, before anything is read.

    Raises:
        CannotSave: It exists, or its folder is not there or not writable.
    """
    if os.path.lexists(dest):
        raise CannotSave(f"cannot save to '{dest}': it exists", "give a name that is free")
    folder = dest.parent
    if not folder.is_dir():
        raise CannotSave(f"cannot save to '{dest}': there is no folder '{folder}'", "make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotSave(f"cannot save to '{dest}': the folder '{folder}' is not writable")


def save(captures: Sequence[Saved], dest: Path, programs: Mapping[str, str] | None = None) -> Manifest:
    """Write a snapshot.

    Args:
        captures: What was read.
        dest: A folder to be made, or a file whose name ends in `.tar.gz`.
        programs: Versions by name, for the manifest.

    Returns:
        The manifest that was written.

    Raises:
        CannotSave: The destination exists or cannot be written.
    """
    check_destination(dest)
    manifest = manifest_of(captures, programs or {})
    texts = {each.file: each.text for each in captures if is_kept(each)}
    files = {FILE_NAME: write_manifest(manifest), **texts}
    try:
        _remove_leftovers(dest.parent)
        if is_archive_name(dest):
            _write_archive(files, dest, seconds(manifest.captured_at) or 0.0)
        else:
            _write_folder(files, dest)
    except OSError as error:
        raise CannotSave(f"cannot save to '{dest}': {error.strerror or error}") from error
    return manifest


def is_kept(each: Saved) -> bool:
    """Whether an answer gets a file: an empty one only where it means that there are none."""
    return bool(each.text) or each.status == 0


def manifest_of(captures: Sequence[Saved], programs: Mapping[str, str]) -> Manifest:
    """What the snapshot says of itself."""
    files = tuple(
        ManifestFile(
            each.file, each.command, each.status, each.started_at, each.error, each.asked, each.empty
        )
        for each in captures
    )
    started = [each.started_at for each in captures if each.started_at]
    return Manifest(
        node=_answer(captures, "hostname").strip() or None,
        captured_at=min(started, default=None),
        kernel=_kernel(_answer(captures, "uname -a")),
        programs=programs,
        files=files,
    )


def _answer(captures: Sequence[Saved], command: str) -> str:
    return next((each.text for each in captures if each.command == command and each.status == 0), "")


def _kernel(uname: str) -> str | None:
    """The release in `uname -a`, its third word (uname(1))."""
    words = uname.split()
    return words[2] if len(words) > 2 else None


# -- writing ----------------------------------------------------------------------------


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _write_folder(files: Mapping[str, str], dest: Path) -> None:
    with _temporary_folder(dest.parent) as folder:
        for name, text in files.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
            with os.fdopen(descriptor, "wb") as out:
                out.write(_encoded(text))
        _rename_to_free_name(folder, dest)


def _rename_to_free_name(folder: Path, dest: Path) -> None:
    if os.path.lexists(dest):
        raise FileExistsError(errno.EEXIST, "it exists now")
    folder.rename(dest)


@contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    """A hidden folder of our own, locked while we live, gone afterwards unless it was renamed."""
    folder = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=parent))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    """Take away what killed saves left here: our own hidden folders that nobody holds any more."""
    for left in parent.glob(f"{TEMPORARY_PREFIX}*"):
        with suppress(OSError):
            found = left.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and _is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _write_archive(files: Mapping[str, str], dest: Path, mtime: float) -> None:
    """One file, made without a name where the file system can, so that a kill leaves nothing."""
    try:
        descriptor = os.open(dest.parent, os.O_TMPFILE | os.O_RDWR, _FILE_MODE)
    except OSError as error:
        if error.errno not in _NO_UNNAMED_FILES:
            raise
        with _temporary_folder(dest.parent) as folder:
            named = folder / dest.name
            _fill_archive(os.open(named, os.O_RDWR | os.O_CREAT | os.O_EXCL, _FILE_MODE), files, dest, mtime)
            os.link(named, dest)
        return
    _fill_archive(descriptor, files, dest, mtime, unnamed=True)


def _fill_archive(
    descriptor: int, files: Mapping[str, str], dest: Path, mtime: float, unnamed: bool = False
) -> None:
    with os.fdopen(descriptor, "wb") as out:
        _pack(files, dest.name.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz"), out, mtime)
        out.flush()
        os.fsync(out.fileno())
        if unnamed:
            _give_name(out.fileno(), dest)


def _give_name(descriptor: int, dest: Path) -> None:
    """linkat(2) with AT_SYMLINK_FOLLOW; Python passes the flag only together with a directory."""
    folder = os.open(dest.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(f"/proc/self/fd/{descriptor}", dest.name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _pack(files: Mapping[str, str], top: str, out: IO[bytes], mtime: float) -> None:
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, text in files.items():
            data = _encoded(text)
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size, member.mode, member.mtime = len(data), _FILE_MODE, mtime
            archive.addfile(member, io.BytesIO(data))

"""Members of an archive, read without unpacking to disk.

Absolute or `..` names, links, devices and more than 512 MiB unpacked are refused as a whole:
an archive of a node has no use for them, so one that has them is not to be trusted.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import posixpath
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol

from calitop.errors import BadSnapshot

UNPACKED_LIMIT = 512 * 1024 * 1024
"""Bytes that all archives of one opening may hold together, unpacked."""
MEMBER_LIMIT = 100_000
DEPTH_LIMIT = 8
"""Archives inside archives."""
ARCHIVE_SUFFIX = re.compile(r"\.(tar(\.(gz|xz|bz2))?|tgz|txz|tbz2?|zip|gz|xz|bz2)$", re.I)
_TAR_BLOCK = 512
_UNPACK_HINT = "unpack it yourself and open the folder"
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    struct.error,
    ValueError,
    OverflowError,
    NotImplementedError,
    IndexError,
)


class DamagedArchive(BadSnapshot):
    """The archive ends early or is not what its first bytes say; nothing evil was found."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One file with its content."""

    path: str
    """Relative, parts joined by `/`; an archive on the way is a part."""
    data: bytes
    mtime: float | None
    """Seconds since the epoch."""
    error: str | None = None
    """Why the content could not be read."""


class Budget:
    """What one opening may still unpack, over all its archives."""

    def __init__(self, limit: int = UNPACKED_LIMIT) -> None:
        self._limit = limit
        self.left = limit
        self._members = 0

    def take(self, size: int, name: str) -> None:
        """Count bytes about to be unpacked.

        Raises:
            BadSnapshot: They are more than is left.
        """
        self.left -= size
        if self.left < 0:
            raise BadSnapshot(
                f"archive '{name}' unpacks to more than {self._limit // 2**20} MiB",
                "unpack only what is needed",
            )

    def count(self, name: str) -> None:
        """Count one member.

        Raises:
            BadSnapshot: There are too many.
        """
        self._members += 1
        if self._members > MEMBER_LIMIT:
            raise BadSnapshot(f"archive '{name}' holds more than {MEMBER_LIMIT} files", _UNPACK_HINT)


class _Reads(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Metered(io.RawIOBase):
    """A stream that counts what is unpacked from it, so that nothing large is ever made."""

    def __init__(self, inner: _Reads, budget: Budget, name: str) -> None:
        self._inner = inner
        self._budget = budget
        self._name = name

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0 or size > self._budget.left + 2 * _TAR_BLOCK:
            size = self._budget.left + 1
        data = self._inner.read(size)
        self._budget.take(len(data), self._name)
        return data


def is_archive(head: bytes, name: str) -> bool:
    """Whether a file is a packed or an archive file.

    Args:
        head: At least its first 512 bytes, where it has as many.
        name: For old tar files, which do not say what they are.
    """
    return _packing(head) is not None or head[:4] in _ZIP or _is_tar(head, name)


_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def _packing(head: bytes) -> str | None:
    for name, magic in (("gz", b"\x1f\x8b"), ("xz", b"\xfd7zXZ\0"), ("bz2", b"BZh")):
        if head.startswith(magic):
            return name
    return None


def _is_tar(head: bytes, name: str) -> bool:
    return head[257:262] == b"ustar" or (name.lower().endswith(".tar") and (b"\0" in head or not head))


def members(stream: IO[bytes], name: str, budget: Budget, depth: int = 1) -> Iterator[Blob]:
    """Every file in an archive, and in the archives inside it.

    Args:
        stream: The archive, seekable.
        name: Its own path, for messages and as first part of the members' paths.
        budget: Shared by all archives of one opening.
        depth: 1 for the outermost.

    Raises:
        BadSnapshot: It holds something that is refused.
        DamagedArchive: It cannot be read to its end.
    """
    if depth > DEPTH_LIMIT:
        raise BadSnapshot(f"archive '{name}' lies more than {DEPTH_LIMIT} archives deep", _UNPACK_HINT)
    try:
        yield from _raw_members(stream, name, budget, depth)
    except BadSnapshot:
        raise
    except _BROKEN as error:
        raise DamagedArchive(
            f"cannot read archive '{name}': {_reason(error)}", "it may be cut off"
        ) from error
    except RuntimeError as error:
        raise BadSnapshot(f"cannot read archive '{name}': {error}") from error


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _raw_members(stream: IO[bytes], name: str, budget: Budget, depth: int) -> Iterator[Blob]:
    head = stream.read(_TAR_BLOCK)
    stream.seek(0)
    if head[:4] in _ZIP:
        source = _zip_members(stream, name, budget)
    else:
        packing = _packing(head)
        inner = _unpacked(stream, packing) if packing else stream
        source = _tar_or_text(_Metered(inner, budget, name), name, budget)
    for blob in source:
        if blob.data and is_archive(blob.data[:_TAR_BLOCK], blob.path):
            yield from _nested(blob, budget, depth)
        else:
            yield blob


def _nested(blob: Blob, budget: Budget, depth: int) -> Iterator[Blob]:
    try:
        yield from members(io.BytesIO(blob.data), blob.path, budget, depth + 1)
    except DamagedArchive as error:
        yield Blob(blob.path, b"", blob.mtime, error.message)


def _unpacked(stream: IO[bytes], packing: str) -> _Reads:
    if packing == "gz":
        return gzip.GzipFile(fileobj=stream)
    return lzma.LZMAFile(stream) if packing == "xz" else bz2.BZ2File(stream)


class _Rewound:
    """A stream whose first bytes were looked at already."""

    def __init__(self, head: bytes, rest: _Reads) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            size = UNPACKED_LIMIT + 1
        first, self._head = self._head[:size], self._head[size:]
        return first + self._rest.read(size - len(first)) if len(first) < size else first


def _tar_or_text(stream: _Metered, name: str, budget: Budget) -> Iterator[Blob]:
    """Members of a tar file; a packed single file is its own only member."""
    head = b""
    while len(head) < _TAR_BLOCK and (more := stream.read(_TAR_BLOCK - len(head))):
        head += more
    whole = _Rewound(head, stream)
    if _is_tar(head, _tar_name(name)) or not head.strip(b"\0"):
        yield from _tar_members(whole, name, budget)
    else:
        yield Blob(ARCHIVE_SUFFIX.sub("", name), whole.read(), None)


def _tar_name(name: str) -> str:
    return re.sub(r"\.t(gz|xz|bz2?)$", ".tar", re.sub(r"\.(gz|xz|bz2)$", "", name.lower()))


def _tar_members(stream: _Reads, name: str, budget: Budget) -> Iterator[Blob]:
    with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as archive:  # type: ignore[call-overload]
        for member in archive:
            budget.count(name)
            _refuse_tar_member(member, name)
            if member.isdir():
                continue
            budget.take(0 if not member.issparse() else member.size, name)
            content = archive.extractfile(member)
            data = content.read() if content else b""
            yield Blob(_joined(name, member.name), data, float(member.mtime))


def _refuse_tar_member(member: tarfile.TarInfo, name: str) -> None:
    _refuse_name(member.name, name)
    if member.issym() or member.islnk():
        raise BadSnapshot(f"archive '{name}' holds a link: '{member.name}'", _UNPACK_HINT)
    if not (member.isreg() or member.isdir()):
        raise BadSnapshot(f"archive '{name}' holds a device or pipe: '{member.name}'", _UNPACK_HINT)


def _refuse_name(member: str, name: str) -> None:
    parts = re.split(r"[/\\]", member)
    if member.startswith(("/", "\\")) or re.match(r"^[A-Za-z]:[/\\]", member):
        raise BadSnapshot(f"archive '{name}' holds an absolute name: '{member}'", _UNPACK_HINT)
    if ".." in parts:
        raise BadSnapshot(f"archive '{name}' holds a name with '..': '{member}'", _UNPACK_HINT)


def _joined(name: str, member: str) -> str:
    return f"{name}/{posixpath.normpath(member)}"


def _zip_members(stream: IO[bytes], name: str, budget: Budget) -> Iterator[Blob]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            budget.count(name)
            _refuse_zip_member(info, name)
            if info.is_dir():
                continue
            budget.take(info.file_size, name)
            with archive.open(info) as content:
                data = content.read()
            yield Blob(_joined(name, info.filename), data, _zip_time(info))


def _refuse_zip_member(info: zipfile.ZipInfo, name: str) -> None:
    _refuse_name(info.orig_filename, name)
    _refuse_name(info.filename, name)
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
    if kind == stat.S_IFLNK:
        raise BadSnapshot(f"archive '{name}' holds a link: '{info.filename}'", _UNPACK_HINT)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadSnapshot(f"archive '{name}' holds a device or pipe: '{info.filename}'", _UNPACK_HINT)
    if info.flag_bits & 1:
        raise BadSnapshot(f"archive '{name}' is encrypted: '{info.filename}'", _UNPACK_HINT)


def _zip_time(info: zipfile.ZipInfo) -> float | None:
    try:
        return datetime(*info.date_time).timestamp()
    except ValueError:
        return None

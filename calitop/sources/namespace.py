"""A thread of its own that lives in a network namespace.

A namespace belongs to a thread. The reader gets one that nobody else uses, so that the
program around it stays where it is; programs that this thread starts, its sockets and
its /proc/thread-self/net all are inside.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from calitop.errors import NeedPrivilege, SourceUnavailable

_CLONE_NEWNET = 0x40000000
_FOLDERS = (Path("/run/netns"), Path("/var/run/netns"))

Answer = TypeVar("Answer")


class ReaderThread:
    """One thread, inside a namespace from its first call on.

    Args:
        netns: Name below /run/netns, or a path to a namespace file; None to stay here.
    """

    def __init__(self, netns: str | None = None) -> None:
        self._netns = netns
        self._inside = netns is None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="calitop-reader")

    def call(self, work: Callable[[], Answer]) -> Answer:
        """What `work` answers when it runs in the thread.

        Raises:
            NeedPrivilege, SourceUnavailable: The namespace cannot be entered.
        """
        return self._pool.submit(self._in_namespace, work).result()

    def close(self) -> None:
        """End the thread; may be called twice."""
        self._pool.shutdown(wait=True)

    def _in_namespace(self, work: Callable[[], Answer]) -> Answer:
        if not self._inside and self._netns is not None:
            enter(self._netns)
            self._inside = True
        return work()


def enter(netns: str) -> None:
    """Move the calling thread, and only this thread, into a network namespace.

    Raises:
        NeedPrivilege: Without CAP_SYS_ADMIN.
        SourceUnavailable: There is no such namespace; the hint lists those that exist.
    """
    path = find(netns)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(netns, error) from error
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise _refused(netns, OSError(number, os.strerror(number)))
    finally:
        os.close(descriptor)


def find(netns: str) -> Path:
    """The file of a namespace, by name or path.

    Raises:
        SourceUnavailable: There is none.
    """
    places = [Path(netns)] if "/" in netns else [folder / netns for folder in _FOLDERS]
    for place in places:
        if place.exists():
            return place
    raise SourceUnavailable(f"no network namespace '{netns}'", _those_that_exist())


def _those_that_exist() -> str:
    names = sorted({path.name for folder in _FOLDERS if folder.is_dir() for path in folder.iterdir()})
    return f"these exist: {', '.join(names)}" if names else "none has a name here (ip netns list)"


def _refused(netns: str, error: OSError) -> NeedPrivilege | SourceUnavailable:
    what = f"cannot enter the network namespace '{netns}': {(error.strerror or str(error)).lower()}"
    if isinstance(error, PermissionError):
        return NeedPrivilege(what, "run as root, or open a snapshot: calitop PATH")
    return SourceUnavailable(what, "give a name that ip netns list shows")

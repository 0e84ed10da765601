"""A thread of its own that lives in a network namespace.

A namespace belongs to a thread. The reader gets one that nobody else uses, so that the
program around it stays where it is; programs that this thread starts, its sockets and
its /proc/thread-self/net all are inside.
"""

from __future__ import annotations

import ctypes
import os
import resource
import time
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
        self._thread_s = self._programs_s = 0.0
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="calitop-reader")

    def call(self, work: Callable[[], Answer]) -> Answer:
        """What `work` answers when it runs in the thread.

        Raises:
            NeedPrivilege, SourceUnavailable: The namespace cannot be entered.
        """
        return self._pool.submit(self._in_namespace, work).result()

    def processor_s(self) -> float:
        """Processor time of the thread and of the programs it ran, up to its last answer, seconds.

        Of a program that another thread ran meanwhile, that one's may be counted too.
        """
        return self._thread_s + self._programs_s

    def close(self) -> None:
        """End the thread; may be called twice."""
        self._pool.shutdown(wait=True)

    def _in_namespace(self, work: Callable[[], Answer]) -> Answer:
        if not self._inside and self._netns is not None:
            enter(self._netns)
            self._inside = True
        before = _programs_s()
        try:
            return work()
        finally:
            self._programs_s += _programs_s() - before
            self._thread_s = time.thread_time()


def _programs_s() -> float:
    """Processor time of all programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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

"""The network namespaces of running processes: whose they are, and which addresses are inside.

Nothing is entered: the kernel tells the number and the addresses of another namespace to a thread
that stays where it is, and /proc tells the rest. So nothing can be left behind, and nothing of
another namespace can be taken for one's own. Written down in the words of `formats/pod_namespaces.py`.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from calitop.formats.pod_namespaces import HEAD
from calitop.sources.namespaces import process_ids, spaces_by_id
from calitop.sources.rtnetlink import addresses, namespace_id

TIME_S = 1.0
"""Longest time for all processes together."""
_OF_ONE_SPACE = 3
"""Processes of one namespace that are asked for their pod: one of them has its host name."""
_LONGEST = 4096
_ENVIRONMENT = 1 << 17
_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")


def process_spaces(time_s: float = TIME_S) -> str:
    """All network namespaces with processes, but the calling thread's own.

    Args:
        time_s: After this time the rest is left out, and said so.

    Raises:
        OSError: There is no /proc.
    """
    return _Search(time.monotonic() + time_s).text()


@dataclass
class _Search:
    until: float
    asked: dict[str, int] = field(default_factory=dict)
    """How many processes of each namespace were asked."""
    denied: int = 0
    unlooked: int = 0
    why: dict[str, None] = field(default_factory=dict)

    def text(self) -> str:
        """The blocks of all namespaces, and what could not be looked at."""
        own = str(Path("/proc/thread-self/ns/net").readlink())
        out = []
        for process in process_ids():
            if time.monotonic() > self.until:
                self.unlooked += 1
                continue
            space = self._space_of(process)
            if space is not None and space != own and self.asked.get(space, 0) < _OF_ONE_SPACE:
                out += self._block(process, space)
        out += self._named(own)
        return "".join(f"{line}\n" for line in (HEAD, *out, *self._remarks()))

    def _space_of(self, process: str) -> str | None:
        try:
            return str(Path(f"/proc/{process}/ns/net").readlink())
        except PermissionError:
            self.denied += 1
        except OSError:
            pass  # It has ended meanwhile.
        return None

    def _block(self, process: str, space: str) -> list[str]:
        """What one process tells; nothing of one that ended meanwhile."""
        first = space not in self.asked
        with suppress(OSError), _opened(f"/proc/{process}", os.O_DIRECTORY) as folder:
            head, inside = self._inside("ns/net", folder, first)
            name = _line(folder, "comm") or "?"
            self.asked[space] = self.asked.get(space, 0) + 1
            return [*head, f" process {process} {name}", *_pod_lines(folder), *inside] if head else []
        return []

    def _inside(
        self, path: str, folder: int | None = None, addressed: bool = True
    ) -> tuple[list[str], list[str]]:
        """The head line of a namespace that a link here leads to, and its addresses."""
        with _opened(path, 0, folder) as space:
            number = namespace_id(space)
            if number is None:
                return [], []
            told = self._addresses(number) if addressed else []
            return [f"netns {os.fstat(space).st_ino} id {number}"], told

    def _addresses(self, number: int) -> list[str]:
        try:
            return [f" address {address} at {index}" for index, address in addresses(number)]
        except OSError as error:
            self.why[f"addresses in other namespaces are not told: {error.strerror}"] = None
            return []

    def _named(self, own: str) -> list[str]:
        """Namespaces that have a name, and no process."""
        out: list[str] = []
        for path in spaces_by_id(processes=False).found.values():
            with suppress(OSError):
                head, told = self._inside(path)
                space = f"net:[{head[0].split()[1]}]" if head else own
                if space != own and space not in self.asked:
                    self.asked[space] = 1
                    out += [*head, f" named {_printable(path)}", *told]
        return out

    def _remarks(self) -> Iterator[str]:
        if self.denied and os.geteuid() == 0:
            yield f"# note: processes that even root may not look at: {self.denied}"
        elif self.denied:
            yield f"# processes not looked at: {self.denied}, permission denied; run as root"
        if self.unlooked:
            yield f"# processes not looked at: {self.unlooked}, it took too long"
        yield from (f"# {why}" for why in self.why)


@contextmanager
def _opened(path: str, flags: int, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _pod_lines(folder: int) -> list[str]:
    """What tells the pod of a process: its control groups, and the host name where it has its own."""
    groups = _read(folder, "cgroup", _LONGEST).split("\n")
    out = [f" cgroup {_printable(group)}" for group in groups if "kubepods" in group]
    if not _has_own(folder, "uts"):
        return out
    if _has_own(folder, "mnt") and _HOST_NAME.fullmatch(name := _name_inside(folder)):
        out.append(f" hostname {name} from /etc/hostname")
    for entry in _read(folder, "environ", _ENVIRONMENT).split("\0"):
        if entry.startswith("HOSTNAME=") and _HOST_NAME.fullmatch(name := entry.partition("=")[2]):
            out.append(f" hostname {name} from HOSTNAME")
    return out


def _name_inside(folder: int) -> str:
    """The first line of /etc/hostname as the process sees it; nothing where that is no plain file.

    A pod may write there what it likes: a link would lead to a file of this host, and opening a
    device may do something. So no link is followed, and only a file is opened.
    """
    with suppress(OSError), ExitStack() as opened:
        root = opened.enter_context(_opened("root", os.O_PATH | os.O_DIRECTORY, folder))
        etc = opened.enter_context(_opened("etc", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, root))
        name = opened.enter_context(_opened("hostname", os.O_PATH | os.O_NOFOLLOW, etc))
        if stat.S_ISREG(os.fstat(name).st_mode):
            return _read(None, f"/proc/self/fd/{name}", _LONGEST).split("\n")[0].strip()
    return ""


def _has_own(folder: int, kind: str) -> bool:
    """Whether the process is in another namespace of that kind than calitop."""
    try:
        own = str(Path(f"/proc/self/ns/{kind}").readlink())
        return os.readlink(f"ns/{kind}", dir_fd=folder) != own
    except OSError:
        return False


def _read(folder: int | None, path: str, longest: int) -> str:
    """The beginning of a file of a process; nothing where it cannot be read."""
    with suppress(OSError), _opened(path, os.O_NONBLOCK | os.O_NOCTTY, folder) as source:
        return os.read(source, longest).decode("utf-8", "replace")
    return ""


def _line(folder: int, path: str) -> str:
    return _printable(_read(folder, path, _LONGEST).split("\n")[0])


def _printable(text: str) -> str:
    """The text as one word, with nothing that could pass for another line or a command to a terminal."""
    return "".join(sign if sign.isprintable() and sign != " " else "?" for sign in text.strip())

"""Where the programs of the catalogue are on this machine, and how they are started."""

from __future__ import annotations

import os
import shutil
import subprocess

from calitop.sources import capture
from calitop.sources.capture import Capture

_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


def search_path() -> str:
    """PATH with the folders of system programs, which users who are not root lack."""
    own = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([*filter(None, own), *_SBIN]))


def environment() -> dict[str, str]:
    """The environment of every program: untranslated words, system folders in the path."""
    return {**os.environ, "LC_ALL": "C", "LANG": "C", "PATH": search_path()}


class Programs:
    """The words that start each capture's program; looked up once."""

    def __init__(self) -> None:
        self._found: dict[Capture, tuple[str, ...] | None] = {}

    def find(self, wanted: Capture) -> tuple[str, ...] | None:
        """Path and first words of the capture's program; None when it is not installed."""
        if wanted not in self._found:
            self._found[wanted] = _find(wanted)
        return self._found[wanted]

    def lister(self, save: Capture) -> tuple[str, ...] | None:
        """Path and first words of the program that prints single chains beside a save program."""
        found = self.find(save)
        if found is None:
            return None
        *path, last = found
        return (*path, last.removesuffix("-save"))


def _find(wanted: Capture) -> tuple[str, ...] | None:
    for words in (wanted.command[:1], *wanted.alternatives):
        path = shutil.which(words[0], path=search_path())
        if path is None:
            continue
        if words[0] in capture.GENERIC and not _speaks(path, wanted.backend):
            continue
        return (path, *words[1:])
    return None


def _speaks(path: str, backend: str | None) -> bool:
    """Whether a plain `iptables-save` is of that backend; one that names none is legacy."""
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return (b"nf_tables" in done.stdout) == (backend == "nft")

"""Runs the catalogue at this kernel, in the namespace of the calling thread.

No shell, no terminal, a time limit for each program, and nothing that is not there already
is asked (`look.py`). What is only a file of /proc is read without starting a program.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from calitop.sources import capture
from calitop.sources.capture import Capture, Captured
from calitop.sources.look import Look, look
from calitop.sources.nft_tables import NftTable
from calitop.sources.save_counters import incompatible_tables
from calitop.sources.settings import settings_text

TIMEOUT_S = 60.0
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


class LocalRunner:
    """Programs started from the calling thread."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self.timeout_s = timeout_s
        self.look = Look()
        """What was seen before the last run."""
        self._programs: dict[Capture, tuple[str, ...] | None] = {}

    def run(self, captures: Sequence[Capture]) -> list[Captured]:
        """One answer per capture, in order; what is absent is not asked and says so."""
        self.look = look()
        answers: dict[Capture, Captured] = {}
        for wanted in captures:
            answers[wanted] = self._one(wanted, answers)
        return [answers[wanted] for wanted in captures]

    def close(self) -> None:
        """Nothing is kept open."""

    def _one(self, wanted: Capture, before: Mapping[Capture, Captured]) -> Captured:
        in_process = _IN_PROCESS.get(wanted)
        if in_process is not None:
            return _answer_of(wanted, in_process)
        if wanted.command[0] == "cat":
            return _answer_of(wanted, lambda: _proc_text(wanted.command[1]))
        absent = self._absent(wanted, before)
        if absent is not None:
            return not_asked(wanted, *absent)
        if wanted is capture.TC:
            return self._filters(wanted)
        return self._program(wanted, self._words(wanted, before))

    def _absent(self, wanted: Capture, before: Mapping[Capture, Captured]) -> tuple[str, bool] | None:
        """Why the capture is not asked, and whether that is a lack of privilege."""
        if wanted.need is None:
            return None
        if wanted.need in self.look.denied:
            return self.look.denied[wanted.need], True
        if wanted is capture.NFT_RULESET and self.look.nft:
            return None
        if wanted is capture.NFT_NATIVE and self._native_tables(before):
            return None
        why = self.look.missing.get(wanted.need)
        return None if why is None else (why, False)

    def _words(self, wanted: Capture, before: Mapping[Capture, Captured]) -> tuple[str, ...]:
        if wanted is not capture.NFT_NATIVE:
            return wanted.command
        tables = self._native_tables(before)
        return ("nft", "; ".join(f"list table {table.nft_family} {table.name}" for table in tables))

    def _native_tables(self, before: Mapping[Capture, Captured]) -> list[NftTable]:
        """Tables that iptables-nft-save does not print: not its own, or it could not."""
        saves = {str(save.family): before[save] for save in capture.SAVES[:2] if save in before}

        def told(table: NftTable) -> bool:
            save = saves.get(table.family)
            return save is not None and save.ok and table.name not in incompatible_tables(save.text)

        return [table for table in self.look.nft if not (table.by_iptables and told(table))]

    def _program(self, wanted: Capture, words: tuple[str, ...]) -> Captured:
        program = self.program(wanted)
        if program is None:
            return not_installed(wanted)
        return self._spawn(wanted, (*program, *words[1:]))

    def program(self, wanted: Capture) -> tuple[str, ...] | None:
        """Words that start the capture's program here; None when it is not installed."""
        if wanted not in self._programs:
            self._programs[wanted] = self._find(wanted)
        return self._programs[wanted]

    def _find(self, wanted: Capture) -> tuple[str, ...] | None:
        for words in (wanted.command[:1], *wanted.alternatives):
            path = shutil.which(words[0], path=search_path())
            if path is None:
                continue
            if wanted.backend and words[0] in capture.GENERIC and not self._speaks(path, wanted.backend):
                continue
            return (path, *words[1:])
        return None

    def _speaks(self, path: str, backend: str) -> bool:
        """Whether a plain `iptables-save` is of that backend; old ones are always legacy."""
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

    def _spawn(self, wanted: Capture, words: tuple[str, ...]) -> Captured:
        started_at, began = utc_now(), time.monotonic()
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environment(),
                timeout=self.timeout_s,
            )
        except subprocess.TimeoutExpired:
            return Captured(
                wanted.file, wanted.line, None, started_at, "", f"no answer within {self.timeout_s:g} s"
            )
        except OSError as error:
            why = f"cannot run '{words[0]}': {error.strerror}"
            return Captured(wanted.file, wanted.line, None, started_at, "", why)
        return Captured(
            wanted.file,
            wanted.line,
            done.returncode,
            started_at,
            done.stdout.decode("utf-8", "surrogateescape"),
            complaint(wanted, done.returncode, done.stderr.decode("utf-8", "replace")),
            read_at=began,
            took_s=time.monotonic() - began,
        )

    def _filters(self, wanted: Capture) -> Captured:
        """`tc filter show` for each device, under a line that names device and direction."""
        parts: list[Captured] = []
        for _index, name in socket.if_nameindex():
            for way in ("ingress", "egress"):
                part = self._program(wanted, (*wanted.command, "dev", name, way))
                if not part.ok:
                    return part
                parts.append(replace(part, text=f"# dev {name} {way}\n{part.text}"))
        if not parts:
            return _answer_of(wanted, str)
        return replace(parts[0], text="".join(part.text for part in parts))


def not_installed(wanted: Capture) -> Captured:
    """The answer where the program is missing."""
    names = " or ".join(
        f"'{name}'" for name in (wanted.command[0], *(" ".join(w) for w in wanted.alternatives))
    )
    return Captured(
        wanted.file, wanted.line, None, utc_now(), "", f"{names} is not installed here", asked=wanted.required
    )


def not_asked(wanted: Capture, why: str, denied: bool = False) -> Captured:
    """The answer where the kernel has nothing to be asked, or this user may not ask."""
    return Captured(wanted.file, wanted.line, None, utc_now(), "", why, asked=denied, denied=denied)


def complaint(wanted: Capture, status: int, errors: str) -> str | None:
    """What a program that failed says; None for one that ended well."""
    if status in wanted.good:
        return None
    return " ".join(errors.split())[:500] or f"ended with status {status}"


def utc_now() -> str:
    """The time in RFC 3339, UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def environment() -> dict[str, str]:
    """The environment of every program: untranslated words, system folders in the path."""
    return {**os.environ, "LC_ALL": "C", "LANG": "C", "PATH": search_path()}


def search_path() -> str:
    """PATH with the folders of system programs, which users who are not root lack."""
    own = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([*filter(None, own), *_SBIN]))


def _answer_of(wanted: Capture, read: Callable[[], str]) -> Captured:
    started_at, began = utc_now(), time.monotonic()
    try:
        text = read()
    except OSError as error:
        why = f"cannot read '{error.filename}': {error.strerror}"
        return Captured(wanted.file, wanted.line, 1, started_at, "", why)
    took = time.monotonic() - began
    return Captured(wanted.file, wanted.line, 0, started_at, text, None, read_at=began, took_s=took)


def _proc_text(path: str) -> str:
    """A file of /proc as this thread's namespace has it; /proc/net is the main thread's."""
    own = path.replace("/proc/net/", "/proc/thread-self/net/", 1)
    return Path(own).read_bytes().decode("utf-8", "surrogateescape")


def _listing(folder: str) -> str:
    return "".join(f"{name}\n" for name in sorted(path.name for path in Path(folder).iterdir()))


_IN_PROCESS: dict[Capture, Callable[[], str]] = {
    capture.SYSCTL: settings_text,
    capture.HOSTNAME: lambda: f"{os.uname().nodename}\n",
    capture.CNI: lambda: _listing(capture.CNI.command[1]),
    capture.LOG_PODS: lambda: _listing(capture.LOG_PODS.command[1]),
}

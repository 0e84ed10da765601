"""Runs the catalogue at this kernel, in the namespace of the calling thread.

No shell, no terminal, a time limit for each program, and nothing that is not there already
is asked (`look.py`). What is only a file of /proc is read without starting a program.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from calitop.formats import cilium_state
from calitop.sources import capture, legacy_program, tcx
from calitop.sources.answers import Asked, not_asked, not_installed
from calitop.sources.capture import Capture, Captured
from calitop.sources.cilium_endpoints import endpoints_text
from calitop.sources.look import Look, look
from calitop.sources.nft_tables import NftTable
from calitop.sources.process_spaces import process_spaces
from calitop.sources.programs import Programs, environment
from calitop.sources.save_counters import incompatible_tables
from calitop.sources.settings import Settings

TIMEOUT_S = 60.0


class LocalRunner:
    """Programs started from the calling thread."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self.timeout_s = timeout_s
        self._look = Look()
        self._programs = Programs()
        self._saves: dict[Capture, Captured] = {}
        """What iptables-nft-save printed last; the rest is left to nft."""

    def run(self, captures: Sequence[Capture]) -> list[Captured]:
        """One answer per capture, in order; what is absent is not asked and says so."""
        if any(wanted.need for wanted in captures):
            self._look = look()
        answers = []
        for wanted in captures:
            answer = self._one(wanted)
            if wanted in capture.SAVES[:2]:
                self._saves[wanted] = answer
            answers.append(answer)
        return answers

    def close(self) -> None:
        """Nothing is kept open."""

    def _one(self, wanted: Capture) -> Captured:
        in_process = _IN_PROCESS.get(wanted)
        if in_process is not None:
            return _absent_folder(wanted) or _answer_of(wanted, in_process)
        if wanted.command[0] == "cat":
            return _answer_of(wanted, lambda: proc_text(wanted.command[1]))
        absent = self._absent(wanted)
        if absent is not None:
            return absent
        if wanted is capture.TC:
            return self._filters(wanted)
        if wanted is capture.NFT_NATIVE:
            return self._native(wanted)
        if wanted is capture.BPFTOOL:
            return self._bpf_programs(wanted)
        return self._program(wanted)

    def _absent(self, wanted: Capture) -> Captured | None:
        """The answer for what is not asked; None for what is."""
        if wanted.need is None:
            return None
        if wanted.need in self._look.denied:
            return not_asked(wanted, self._look.denied[wanted.need], denied=True)
        if wanted is capture.NFT_RULESET and self._look.nft:
            return None
        if wanted is capture.NFT_NATIVE and self._native_tables():
            return None
        why = self._look.missing.get(wanted.need)
        return None if why is None else not_asked(wanted, why, empty=wanted.need in self._look.empty)

    def _native(self, wanted: Capture) -> Captured:
        """`nft list table` for each table; nft 1.0.6 fails when one call names several."""
        tables = self._native_tables()
        parts = [self._program(wanted, "list", "table", table.nft_family, table.name) for table in tables]
        return _together(wanted, parts)

    def _native_tables(self) -> list[NftTable]:
        """Tables that iptables-nft-save does not print: not its own, or it could not."""
        saves = {str(save.family): answer for save, answer in self._saves.items()}

        def told(table: NftTable) -> bool:
            save = saves.get(table.family)
            return save is not None and save.ok and table.name not in incompatible_tables(save.text)

        return [table for table in self._look.nft if not (table.by_iptables and told(table))]

    def _program(self, wanted: Capture, *arguments: str) -> Captured:
        """The capture's program with its own arguments, or with others in their place."""
        program = self._programs.find(wanted)
        if program is None:
            return self._without_program(wanted)
        return self._spawn(wanted, (*program, *(arguments or wanted.command[1:])))

    def _without_program(self, wanted: Capture) -> Captured:
        """Legacy tables by python-iptables; of everything else, that the program is missing."""
        if wanted.backend != "legacy" or wanted.family is None:
            return not_installed(wanted)
        tables = self._look.legacy[wanted.family]
        words = (sys.executable, "-I", "-B", legacy_program.__file__, wanted.family, *tables)
        answer = self._spawn(wanted, words)
        if answer.status == legacy_program.NOT_INSTALLED:
            return not_installed(wanted)
        return replace(answer, command=f"{wanted.line}  # by python-iptables")

    def _bpf_programs(self, wanted: Capture) -> Captured:
        """`bpftool net`, with what an old one does not know; without one, what the kernel tells of tcx."""
        answer = self._program(wanted)
        if answer.ok:
            return replace(answer, text=tcx.with_tcx(answer.text))
        found = tcx.bpftool_net()
        if found is None:
            return answer
        return replace(Asked().answer(wanted, 0, found), command=f"{wanted.line}  # tcx only, by calitop")

    def _spawn(self, wanted: Capture, words: tuple[str, ...]) -> Captured:
        asked = Asked()
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environment(),
                timeout=self.timeout_s,
            )
        except subprocess.TimeoutExpired:
            return asked.answer(wanted, None, "", f"no answer within {self.timeout_s:g} s")
        except OSError as error:
            return asked.answer(wanted, None, "", f"cannot run '{words[0]}': {error.strerror}")
        text = done.stdout.decode("utf-8", "surrogateescape")
        return asked.answer(wanted, done.returncode, text, done.stderr.decode("utf-8", "replace"))

    def _filters(self, wanted: Capture) -> Captured:
        """`tc filter show` for each device, under a line that names device and direction."""
        parts = []
        for _index, name in socket.if_nameindex():
            for way in ("ingress", "egress"):
                part = self._program(wanted, *wanted.command[1:], "dev", name, way)
                parts.append(replace(part, text=f"# dev {name} {way}\n{part.text}") if part.ok else part)
        return _together(wanted, parts)


def _together(wanted: Capture, parts: Sequence[Captured]) -> Captured:
    """Several runs of one program as one answer; of failures the last is told."""
    if not parts:
        return Asked().answer(wanted, 0, "")
    text = "".join(part.text for part in parts if part.ok)
    verdict = next((part for part in reversed(parts) if not part.ok), parts[0])
    return replace(verdict, text=text, took_s=sum(part.took_s for part in parts))


def _absent_folder(wanted: Capture) -> Captured | None:
    if wanted.folder is None or Path(wanted.folder).exists():
        return None
    return not_asked(wanted, f"there is no '{wanted.folder}' here", empty=True)


def _answer_of(wanted: Capture, read: Callable[[], str]) -> Captured:
    asked = Asked()
    try:
        return asked.answer(wanted, 0, read())
    except OSError as error:
        return asked.answer(wanted, 1, "", f"cannot read '{error.filename}': {error.strerror}")


def proc_text(path: str) -> str:
    """A file of /proc as this thread's namespace has it; /proc/net is the main thread's."""
    own = path.replace("/proc/net/", "/proc/thread-self/net/", 1)
    return Path(own).read_bytes().decode("utf-8", "surrogateescape")


def _listing(folder: str) -> str:
    return "".join(f"{name}\n" for name in sorted(path.name for path in Path(folder).iterdir()))


_IN_PROCESS: dict[Capture, Callable[[], str]] = {
    capture.SYSCTL: lambda: Settings().text(),
    capture.HOSTNAME: lambda: f"{os.uname().nodename}\n",
    capture.CNI: lambda: _listing(capture.CNI.command[1]),
    capture.LOG_PODS: lambda: _listing(capture.LOG_PODS.command[1]),
    capture.CILIUM_STATE: lambda: endpoints_text(Path(cilium_state.FOLDER)),
    capture.POD_NAMESPACES: process_spaces,
}

"""Runs the catalogue through a prefix: `COMMAND sh`, started once and fed through its input.

The words need no quoting by the operator, because only `sh` is appended to them. The
shell ends when its input is closed, so nothing stays behind at the node.
"""

from __future__ import annotations

import os
import secrets
import selectors
import shlex
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from calitop.errors import SourceUnavailable
from calitop.sources import capture
from calitop.sources.answers import Asked, not_asked, not_installed
from calitop.sources.capture import Capture, Captured
from calitop.sources.save_counters import incompatible_tables
from calitop.sources.shell_words import NOT_ASKED, NOT_INSTALLED, Framed, preamble, script, unframe

TIMEOUT_S = 60.0
_KEPT_ERRORS = 4000
_CHUNK = 1 << 16


class ShellRunner:
    """One shell at the far end of a prefix; started at the first run, and again after a failure.

    Args:
        prefix: Words that run a command there: `ssh root@node`, `ip netns exec X`.
        timeout_s: Longest silence, seconds.
    """

    def __init__(self, prefix: str, timeout_s: float = TIMEOUT_S) -> None:
        self.prefix = prefix
        self.timeout_s = timeout_s
        self._shell: subprocess.Popen[bytes] | None = None
        self._separator = ""
        self._errors = b""
        self._incompatible: frozenset[str] = frozenset()

    def run(self, captures: Sequence[Capture]) -> list[Captured]:
        """One answer per capture, in order, in one round trip.

        Raises:
            SourceUnavailable: The prefix does not run, or broke off; the next call tries anew.
        """
        try:
            return self._with_native(captures, self._run(captures))
        except (SourceUnavailable, KeyboardInterrupt):
            self.close()
            raise

    def close(self) -> None:
        """End the shell, first by closing its input; may be called twice."""
        shell, self._shell = self._shell, None
        if shell is None:
            return
        with suppress(OSError):
            _pipe(shell.stdin).close()
        _end(shell)
        _pipe(shell.stdout).close()
        _pipe(shell.stderr).close()

    def _run(self, captures: Sequence[Capture]) -> list[Captured]:
        if self._shell is None:
            self._start()
        asked = Asked()
        self._send(script(captures, self._incompatible))
        data = self._receive(f"{self._separator}!\n")
        frames = unframe(data, self._separator, captures)
        if frames is None:
            raise SourceUnavailable(f"'{self.prefix} sh' gave an answer that does not fit", self._hint())
        return [_answer(asked, wanted, frame) for wanted, frame in zip(captures, frames, strict=True)]

    def _start(self) -> None:
        words = [*_words(self.prefix), "sh"]
        try:
            self._shell = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise SourceUnavailable(f"cannot run '{words[0]}': {error.strerror}", self._hint()) from error
        self._separator, self._errors = f"calitop-{secrets.token_hex(16)}", b""
        self._send(preamble(self._separator))
        self._receive(f"{self._separator}\n")

    def _send(self, text: str) -> None:
        shell = self._running()
        try:
            _pipe(shell.stdin).write(text.encode())
            _pipe(shell.stdin).flush()
        except OSError:
            raise self._broken() from None

    def _receive(self, end: str) -> str:
        """Standard output up to and without the end mark."""
        shell, mark = self._running(), end.encode()
        data = bytearray()
        silent_since = time.monotonic()
        with selectors.DefaultSelector() as ready:
            ready.register(_pipe(shell.stdout), selectors.EVENT_READ)
            ready.register(_pipe(shell.stderr), selectors.EVENT_READ)
            while not data.endswith(mark):
                events = ready.select(self.timeout_s)
                if not events or time.monotonic() - silent_since > self.timeout_s:
                    raise SourceUnavailable(
                        f"no answer from '{self.prefix} sh' within {self.timeout_s:g} s", self._hint()
                    )
                for key, _mask in events:
                    chunk = _read(key.fd)
                    if key.fileobj is shell.stderr:
                        self._errors = (self._errors + chunk)[-_KEPT_ERRORS:]
                        if not chunk:
                            ready.unregister(key.fileobj)
                    elif chunk:
                        data += chunk
                        silent_since = time.monotonic()
                    else:
                        raise self._broken()
        return data[: -len(mark)].decode("utf-8", "surrogateescape")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._shell is None:
            raise SourceUnavailable(f"'{self.prefix} sh' is not running", self._hint())
        return self._shell

    def _broken(self) -> SourceUnavailable:
        """Why the shell ended, in its own last words."""
        shell = self._running()
        with suppress(subprocess.TimeoutExpired):
            shell.wait(2)
        rest = _drain(_pipe(shell.stderr)) if shell.returncode is not None else b""
        said = (self._errors + rest).decode("utf-8", "replace").split("\n")
        words = [line.strip() for line in said if line.strip()]
        reason = words[-1] if words else f"it ended with status {shell.returncode}"
        return SourceUnavailable(f"cannot read through '{self.prefix}': {reason}", self._hint())

    def _hint(self) -> str:
        return f"try: echo echo hello | {self.prefix} sh"

    def _with_native(self, captures: Sequence[Capture], answers: list[Captured]) -> list[Captured]:
        """The answers, those of nft asked again when a table turns out to be for it alone."""
        found = frozenset(
            f"{family}/{table}"
            for wanted, answer in zip(captures, answers, strict=True)
            for save, family in ((capture.NFT_IPV4, "ip"), (capture.NFT_IPV6, "ip6"))
            if wanted is save
            for table in incompatible_tables(answer.text)
        )
        if found == self._incompatible or capture.NFT_NATIVE not in captures:
            return answers
        self._incompatible = found
        answers[list(captures).index(capture.NFT_NATIVE)] = self._run([capture.NFT_NATIVE])[0]
        return answers


def _words(prefix: str) -> list[str]:
    try:
        words = shlex.split(prefix)
    except ValueError as error:
        raise SourceUnavailable(f"cannot understand the command '{prefix}': {error}") from error
    if not words:
        raise SourceUnavailable("the command of --via is empty", "give one as --via 'ssh root@node'")
    return words


def _answer(asked: Asked, wanted: Capture, frame: Framed) -> Captured:
    if frame.status == NOT_ASKED:
        # What a file of /proc does not list is not there; whether a module is built in may be unknown.
        return not_asked(wanted, frame.errors, empty=wanted.backend == "legacy")
    if frame.status == NOT_INSTALLED:
        return not_installed(wanted)
    status = int(frame.status) if frame.status.isdigit() else None
    return asked.answer(wanted, status, frame.text, frame.errors)


def _end(shell: subprocess.Popen[bytes]) -> None:
    """Wait for a shell whose input is closed; one that does not end by itself is ended."""
    for urge in (None, shell.terminate, shell.kill):
        if urge is not None:
            urge()
        with suppress(subprocess.TimeoutExpired):
            shell.wait(2)
            return


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "made with a pipe"
    return stream


def _read(descriptor: int) -> bytes:
    return os.read(descriptor, _CHUNK)


def _drain(stream: IO[bytes]) -> bytes:
    with suppress(OSError):
        return stream.read()[-_KEPT_ERRORS:]
    return b""

"""A program under a real pseudo-terminal, watched with a clock."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from pathlib import Path
from types import TracebackType

_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|.)")


class Terminal:
    """A child process on a pseudo-terminal of the given size.

    Use as a context manager; the child is killed at the end.
    """

    def __init__(self, command: list[str], columns: int = 160, lines: int = 50) -> None:
        self.command = command
        self.columns, self.lines = columns, lines
        self.started = 0.0
        self._pid = 0
        self._fd = -1

    def __enter__(self) -> Terminal:
        self.started = time.perf_counter()
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execvpe(self.command[0], self.command, environment)
        size = struct.pack("HHHH", self.lines, self.columns, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._fd)

    def until(self, word: str, timeout_s: float = 30.0) -> float:
        """Seconds from now until the program has written `word`.

        Raises:
            TimeoutError: It did not within `timeout_s`; the message holds the end of what it wrote.
        """
        begin, seen = time.perf_counter(), b""
        while time.perf_counter() - begin < timeout_s:
            seen += self._read(0.05)
            if word.encode() in _ESCAPES.sub(b"", seen):
                return time.perf_counter() - begin
        raise TimeoutError(f"no {word!r} within {timeout_s} s: {_ESCAPES.sub(b'', seen)[-400:]!r}")

    def key(self, keys: str, quiet_s: float = 0.15) -> tuple[float, int]:
        """Press keys; seconds until the last byte of the answer, and bytes written.

        The answer has ended when nothing comes for `quiet_s`.
        """
        begin = last = time.perf_counter()
        os.write(self._fd, keys.encode())
        size = 0
        while (now := time.perf_counter()) - last < quiet_s and now - begin < 10:
            if data := self._read(0.01):
                size, last = size + len(data), time.perf_counter()
        return last - begin, size

    def drain(self, quiet_s: float = 0.3) -> None:
        """Read until nothing more comes for `quiet_s`."""
        last = time.perf_counter()
        while time.perf_counter() - last < quiet_s:
            if self._read(0.02):
                last = time.perf_counter()

    def memory_mb(self) -> float:
        """Largest resident memory of the program so far, MB (VmHWM, proc(5))."""
        return self._status("VmHWM") / 1024

    def cpu_s(self) -> float:
        """Processor seconds used so far by the program and its ended children (proc(5))."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))

    def _read(self, timeout_s: float) -> bytes:
        ready, _, _ = select.select([self._fd], [], [], timeout_s)
        if not ready:
            return b""
        try:
            return os.read(self._fd, 65536)
        except OSError:  # EIO: the child has ended
            return b""

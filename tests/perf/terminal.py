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
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tests.perf.grid import ASKS, YES, Grid

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
        self._grid = Grid(columns, lines)
        self._undrawn: list[bytes] = []

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
        self.press(keys)
        size = 0
        while (now := time.perf_counter()) - last < quiet_s and now - begin < 10:
            if data := self._read(0.01):
                size, last = size + len(data), time.perf_counter()
        return last - begin, size

    def press(self, keys: str) -> None:
        """Press keys, and wait for nothing."""
        os.write(self._fd, keys.encode())

    def drawn(self) -> Grid:
        """What stands on the screen."""
        for _ in self._paints():
            pass
        return self._grid

    def _paints(self) -> Iterator[None]:
        """Draw what was written, and stop after each paint. Done only when somebody looks: it costs time."""
        written, self._undrawn = b"".join(self._undrawn), []
        return self._grid.paints(written)

    def until_changed(self, line: int, keys: str, timeout_s: float = 10.0) -> float:
        """Press keys; seconds until the last byte of the paint that changes a line.

        Raises:
            TimeoutError: None did within `timeout_s`.
        """
        before, begin = self.drawn().line(line), time.perf_counter()
        self.press(keys)
        while time.perf_counter() - begin < timeout_s:
            self._read(0.05)
            at = time.perf_counter()
            # A paint that was under way before the key may end in the same bytes: all are drawn, one tells.
            if any([self._grid.line(line) != before for _ in self._paints()]):
                return at - begin
        raise TimeoutError(f"{keys!r} did not change {before!r} within {timeout_s} s")

    def watch(self, seconds: float) -> None:
        """Take what the program writes for so long."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)

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
            data = os.read(self._fd, 65536)
        except OSError:  # EIO: the child has ended
            return b""
        if ASKS in data:
            os.write(self._fd, YES)
        self._undrawn.append(data)
        return data

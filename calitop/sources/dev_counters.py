"""Counters of every link out of /proc/net/dev, poll after poll: a line seen before costs a lookup.

Most of a thousand links are still between two polls.
"""

from __future__ import annotations

from pathlib import Path

from calitop.formats import proc_dev
from calitop.formats.fragment import Fragment
from calitop.model.network import Link

_PATH = Path("/proc/thread-self/net/dev")
"""/proc/net is the main thread's, which may be in another namespace."""

_TITLES = 2


class DevCounters:
    """Reads the file in the calling thread's namespace again and again."""

    def __init__(self, path: Path = _PATH) -> None:
        self._path = path
        self._known: dict[str, Link | None] = {}

    def read(self) -> Fragment:
        """The devices with their counters, as `formats.proc_dev` would tell them.

        Raises:
            OSError: The file cannot be read.
        """
        text = self._path.read_text("utf-8", "surrogateescape")
        lines, known = text.splitlines()[_TITLES:], self._known
        self._known = {line: known[line] if line in known else proc_dev.device(line) for line in lines}
        links = tuple([link for link in self._known.values() if link is not None])
        return Fragment(links=links, richness=1) if len(links) == len(lines) else proc_dev.parse(text)

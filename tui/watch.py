"""Looks whether the files of a snapshot change on disk.

A folder is watched downwards; the folder around it, or around a file, is watched too,
because an atomic rename puts another file or folder in the place of the watched one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Event, Thread

QUIET_MS = 400
"""Changes that follow one another faster are one: rsync writes many files."""

ABSENT_S = 1.0
"""Seconds between looks for a folder that is not there."""


def is_below(changed: Path, watched: Sequence[Path]) -> bool:
    """Whether a changed path is one of the watched files or lies in a watched folder."""
    return any(changed == path or path in changed.parents for path in watched)


class Watcher:
    """Two threads that call `changed` after every change of the paths, until stopped."""

    def __init__(self, paths: Iterable[Path], changed: Callable[[], None]) -> None:
        self.paths = [path.resolve() for path in paths]
        self._changed = changed
        self._stop = Event()
        self._renew = Event()
        self._threads = [
            Thread(target=self._watch_around, name="watch around", daemon=True),
            Thread(target=self._watch_below, name="watch below", daemon=True),
        ]

    def start(self) -> None:
        """Begin to watch."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads."""
        self._stop.set()
        self._renew.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _watch_around(self) -> None:
        from watchfiles import watch

        parents = {path.parent for path in self.paths if path.parent.is_dir()}
        if not parents:
            return
        for changes in watch(*parents, stop_event=self._stop, debounce=QUIET_MS, recursive=False):
            if any(Path(name) in self.paths for _kind, name in changes):
                self._renew.set()
                self._changed()

    def _watch_below(self) -> None:
        from watchfiles import watch

        while not self._stop.is_set():
            self._renew.clear()
            folders = [path for path in self.paths if path.is_dir()]
            if not folders:
                self._renew.wait(ABSENT_S)
                continue
            for _changes in watch(*folders, stop_event=self._renew, debounce=QUIET_MS):
                self._changed()

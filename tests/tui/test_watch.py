"""Snapshots that change on disk are read again."""

from __future__ import annotations

import threading
from pathlib import Path

from calitop.errors import BadSnapshot
from calitop.snapshot.open import open_snapshots
from tests.tui.driving import STILL, driven, press, shown_by, told, until
from tests.tui.node import rules, write_moment
from tui.app import CalitopApp
from tui.watch import Watcher


def watching_app(path: Path) -> CalitopApp:
    """The explorer over a watched snapshot."""

    snapshots = open_snapshots([str(path)])
    return CalitopApp(
        snapshots=snapshots, reopen=lambda: open_snapshots([str(path)]), watch=[path], clock=STILL
    )


async def test_a_changed_file_is_read_at_once_and_keeps_the_view(node: Path) -> None:
    """Baseline, selection and open chains stay; the numbers are the new ones."""
    app = watching_app(node)
    async with driven(app) as pilot:
        await press(pilot, "down down down enter enter enter")
        chains = app.explorer.panes.chains
        before, row = chains.row_count(), chains.current_row()
        hits = shown_by(app).view.hits
        new = node / "work2" / "after" / "new"
        new.write_text(rules(50))
        new.replace(node / "work2" / "after" / "iptables-save-c.txt")
        shown = app.explorer.shown
        await until(pilot, lambda: app.explorer.shown is not shown, tries=1500)
        after = chains.current_row()
        assert row is not None and after is not None and after.title == row.title
        assert chains.row_count() == before and shown_by(app).view.hits == hits
        assert shown_by(app).status.baseline == "moment 1 before"


async def test_reading_again_that_fails_is_told(node: Path) -> None:
    """A snapshot that cannot be read any more leaves the picture and says why."""

    def fails() -> list[object]:
        raise BadSnapshot("cannot read 'x': gone")

    app = CalitopApp(snapshots=open_snapshots([str(node)]), reopen=fails, clock=STILL)  # type: ignore[arg-type]  # never returns
    async with driven(app) as pilot:
        await press(pilot, "r")
        await until(pilot, lambda: "gone" in told(app))


def test_a_folder_put_in_the_place_of_the_watched_one_is_seen(tmp_path: Path) -> None:
    """An atomic rename of a folder or of a file counts as a change, and watching goes on."""
    watched = write_moment(tmp_path / "snap")
    changed = threading.Event()
    watcher = Watcher([watched], changed.set)
    watcher.start()
    try:
        _until_seen(changed, lambda: (watched / "hostname").write_text("first\n"))
        watched.rename(tmp_path / "old")
        _until_seen(changed, lambda: write_moment(tmp_path / "next").rename(watched), once=True)
        _until_seen(changed, lambda: (watched / "hostname").write_text("second\n"))
    finally:
        watcher.stop()


def _until_seen(changed: threading.Event, change: object, *, once: bool = False) -> None:
    changed.clear()
    for attempt in range(10):
        if attempt == 0 or not once:
            change()  # type: ignore[operator]  # a callable of any result
        if changed.wait(2):
            return
    raise AssertionError("the change was not seen")

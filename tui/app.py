"""The explorer as one Textual application: it composes, behaviour lives in the screens and the engine."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.notifications import SeverityLevel
from textual.screen import Screen

from calitop.errors import CalitopError
from tui.bindings import BY_ID
from tui.clipboard import doubt_of
from tui.commands import NodeProvider
from tui.config import Config, config_path, load_config
from tui.desk import Desk
from tui.hangup import end_with_the_terminal
from tui.live import LiveFeed
from tui.messages import SnapshotsReread, Told
from tui.screens.explorer import Explorer
from tui.themes import DARK, LIGHT, THEMES, theme_for
from tui.wall import Clock
from tui.watch import Watcher
from widgets.signs import ASCII, UNICODE, Signs, signs_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from calitop.probe.prober import Prober
    from calitop.snapshot.moments import NodeMoments
    from calitop.sources.source import Source

Reopen = Callable[[], "Sequence[NodeMoments]"]
Save = Callable[[Path], object]

COLLECT_RARELY = (5_000, 200, 50)
"""Thresholds of the garbage collector: walking 50,000 rules takes longer than drawing a screen.

Young objects are looked through often, few at a time: 50,000 of them held a key up for 190 ms, 5,000 for 14.
"""


class CalitopApp(App[None]):
    """The explorer over one live node or over opened snapshots."""

    TITLE = "calitop"
    CSS_PATH = "calitop.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = App.COMMANDS | {NodeProvider}
    COMMAND_PALETTE_BINDING = BY_ID["palette"].keys
    BINDINGS = [Binding("ctrl+q", "quit", "quit", show=False, priority=True)]

    def __init__(
        self,
        *,
        source: Source | None = None,
        snapshots: Sequence[NodeMoments] = (),
        reopen: Reopen | None = None,
        watch: Sequence[Path] = (),
        save: Save | None = None,
        prober: Prober | None = None,
        interval_s: float | None = None,
        config: Config | None = None,
        signs: Signs = UNICODE,
        clock: Clock | None = None,
        theme: str = THEMES[0].name,
        clipboard_doubt: str = "",
    ) -> None:
        super().__init__()
        self.clipboard_doubt = clipboard_doubt
        """Why what is copied may not be in the clipboard, see `tui.clipboard`."""
        self.config = config or Config()
        self.chosen_keys: Mapping[str, str] = self.config.keys
        feed = LiveFeed(source, signs, interval_s) if source is not None else None
        desk = Desk(snapshots, signs) if feed is None else None
        self.explorer = Explorer(desk=desk, feed=feed, signs=signs, clock=clock or Clock())
        self.explorer.save = save
        self.explorer.prober = prober
        self.explorer.reread = self.read_again if reopen is not None else None
        self.failed: CalitopError | None = None
        """Why nothing could be opened at all; the application has ended then."""
        self._reopen = reopen
        self._watcher = Watcher(watch, self.read_again) if watch and reopen is not None else None
        for known in THEMES:
            self.register_theme(known)
        self.theme = self.config.theme if self.config.theme in self.available_themes else theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our tokens for themes that do not have them, dark or light as the theme is."""
        return dict(DARK.variables if self.current_theme.dark else LIGHT.variables)

    def get_default_screen(self) -> Screen[None]:
        """The explorer."""
        return self.explorer

    def on_mount(self) -> None:
        """Keys and remarks of the configuration; begin to watch."""
        self.set_class(self.explorer.signs is ASCII, "-ascii")
        self.set_keymap(dict(self.chosen_keys))
        for remark in self._remarks():
            self.explorer.tell(f"configuration: {remark}", is_failure=True)
        if self._watcher is not None:
            self._watcher.start()

    def _remarks(self) -> list[str]:
        theme = self.config.theme
        unknown = theme is not None and theme not in self.available_themes
        return [*self.config.remarks, *([f"[ui] theme {theme} is not known"] if unknown else [])]

    def on_unmount(self) -> None:
        """End the threads."""
        if self._watcher is not None:
            self._watcher.stop()
        if self.explorer.feed is not None:
            self.explorer.feed.stop()

    def read_again(self) -> None:
        """Open the snapshots, at first or anew; may be called in any thread but the event loop's."""
        if self._reopen is None:
            return
        try:
            self.explorer.post_message(SnapshotsReread(self._reopen()))
            gc.freeze()
        except CalitopError as error:
            self._not_read(error)

    def _not_read(self, error: CalitopError) -> None:
        desk = self.explorer.desk
        if desk is not None and desk.snapshots:
            self.explorer.post_message(Told(str(error), is_failure=True))
        else:
            self.failed = error
            self.call_from_thread(self.exit)

    def notify(self, message: str, *, severity: SeverityLevel = "information", **given: Any) -> None:
        """A note takes the place of those before it, which are of another key; failures wait their time."""
        if severity == "information" and threading.current_thread() is threading.main_thread():
            self.clear_notifications()
        super().notify(message, severity=severity, **given)

    def action_explain_keys(self) -> None:
        """The help, from screens above the explorer."""
        self.explorer.action_help()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The commands of the palette that belong to no pane."""
        yield SystemCommand("Theme", "Dark, light, high contrast, or sixteen colours", self.search_themes)
        yield SystemCommand("Quit", "Leave calitop", self.action_quit)


def run(
    *,
    source: Source | None = None,
    snapshots: Sequence[NodeMoments] = (),
    reopen: Reopen | None = None,
    watch: Sequence[Path] = (),
    save: Save | None = None,
    prober: Prober | None = None,
    interval_s: float | None = None,
) -> int:
    """Run the explorer until the operator leaves it.

    Args:
        source: The live node; None when snapshots are explored.
        snapshots: Nodes with their moments, already opened; empty to have `reopen` read them
            while the first frame shows.
        reopen: Reads the same snapshots again; called in a thread when a watched path changes.
        watch: Files and folders the snapshots came from.
        save: Collects the live node and writes it to that path; called in a thread, may raise
            CalitopError or OSError.
        prober: Probes the live node, when the operator asks for it; called in threads.
        interval_s: Seconds between polls, kept; None for the configured, or what costs little.

    Returns:
        Exit status of the command.

    Raises:
        BadConfig: The configuration file cannot be used.
        CalitopError: As `reopen` does, when nothing could be opened at all.
    """
    config = load_config(config_path(os.environ))
    gc.set_threshold(*COLLECT_RARELY)
    app = CalitopApp(
        source=source,
        snapshots=snapshots,
        reopen=reopen,
        watch=watch,
        save=save,
        prober=prober,
        interval_s=interval_s or config.interval_s,
        config=config,
        signs=_signs(config),
        theme=theme_for(os.environ),
        clipboard_doubt=doubt_of(os.environ),
    )
    end_with_the_terminal()
    app.run()
    if app.failed is not None:
        raise app.failed
    return app.return_code or 0


def _signs(config: Config) -> Signs:
    chosen = {"ascii": ASCII, "unicode": UNICODE}.get(config.signs)
    return chosen or signs_for(os.environ, sys.stdout.encoding or "")

"""`calitop` and `calitop SNAPSHOT…`: the explorer, live or over snapshots."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from calitop.cli.arguments import Arguments
from calitop.errors import UsageError
from calitop.snapshot.paths import require_path, split_name

if TYPE_CHECKING:
    from calitop.snapshot.moments import NodeMoments


def run(arguments: Arguments) -> int:
    """Run the explorer until the operator leaves it.

    Returns:
        Exit status of the explorer.

    Raises:
        UsageError: There is no terminal to draw on.
        BadSnapshot: A path does not exist.
    """
    for text in arguments.snapshots:
        require_path(split_name(text)[1])
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("the explorer needs a terminal", "for text use: calitop show")
    return _live(arguments) if arguments.is_live else _offline(arguments)


def _offline(arguments: Arguments) -> int:
    from tui.app import run as run_app

    def read() -> list[NodeMoments]:
        from calitop.snapshot.open import open_snapshots

        return open_snapshots(arguments.snapshots, arguments.pods)

    # Paint first, read second: the explorer calls `read` itself.
    paths = [split_name(text)[1] for text in arguments.snapshots]
    return run_app(reopen=read, watch=paths)


def _live(arguments: Arguments) -> int:
    from calitop.cli.live import live_source
    from calitop.probe.prober import Prober
    from tui.app import run as run_app

    source = live_source(arguments)
    try:
        return run_app(
            source=source,
            save=partial(_save, arguments),
            prober=Prober(arguments.netns, arguments.via, arguments.pods),
            interval_s=arguments.interval_s,
        )
    finally:
        source.close()


def _save(arguments: Arguments, dest: Path) -> None:
    """What `calitop save DEST` does, for the key of the explorer."""
    from calitop.snapshot.save import check_destination, save
    from calitop.sources.collect import collect, programs

    check_destination(dest)
    captures = collect(arguments.netns, arguments.via, arguments.pods)
    save(captures, dest, programs(captures))

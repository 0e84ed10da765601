"""The explorer as one Textual application: it composes, behaviour lives in the screens and the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calitop.snapshot.open import NodeMoments
    from calitop.sources.source import Source


def run(
    *,
    source: Source | None = None,
    snapshots: Sequence[NodeMoments] = (),
    reopen: Callable[[], Sequence[NodeMoments]] | None = None,
    watch: Sequence[Path] = (),
    interval_s: float | None = None,
) -> int:
    """Run the explorer until the operator leaves it.

    Args:
        source: The live node; None when snapshots are explored.
        snapshots: Nodes with their moments, already opened.
        reopen: Reads the same snapshots again; called in a thread when a watched path changes.
        watch: Files and folders the snapshots came from.
        interval_s: Seconds between polls; None for the configured or the usual 1 s.

    Returns:
        Exit status of the command: 0, or 2 when the configuration file cannot be used.
    """
    raise NotImplementedError

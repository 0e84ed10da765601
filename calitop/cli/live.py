"""The live node that the options name. Imported only when a node is read."""

from __future__ import annotations

from typing import Protocol

from calitop.cli.arguments import Arguments
from calitop.sources.source import Source, TellsSets


class LiveSource(Source, TellsSets, Protocol):
    """A live node, with the members of its sets."""


def live_source(arguments: Arguments) -> LiveSource:
    """This kernel, or the node behind `--via`.

    Raises:
        CalitopError: As the sources do.
    """
    if arguments.via is not None:
        from calitop.sources.via import CommandSource

        return CommandSource(arguments.via, arguments.pods)
    from calitop.sources.kernel import KernelSource

    return KernelSource(arguments.netns, arguments.pods)

"""The live node that the options name. Imported only when a node is read."""

from __future__ import annotations

from calitop.cli.arguments import Arguments
from calitop.sources.source import Source


def live_source(arguments: Arguments) -> Source:
    """This kernel, or the node behind `--via`.

    Raises:
        CalitopError: As the sources do.
    """
    if arguments.via is not None:
        from calitop.sources.via import CommandSource

        return CommandSource(arguments.via, arguments.pods)
    from calitop.sources.kernel import KernelSource

    return KernelSource(arguments.netns, arguments.pods)

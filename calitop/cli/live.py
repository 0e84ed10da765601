"""The live node that the options name. Imported only when a node is read."""

from __future__ import annotations

from typing import Protocol

from calitop.cli.arguments import Arguments
from calitop.cni.pods import with_interfaces
from calitop.model.node import NodeState
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


def live_state(arguments: Arguments) -> NodeState:
    """The live node as it is now, read once.

    Raises:
        CalitopError: As the sources do.
    """
    source = live_source(arguments)
    try:
        return with_interfaces(source.structure().state)
    finally:
        source.close()

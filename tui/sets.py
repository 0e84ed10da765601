"""Where the members of a set come from: the live node when they are asked for, or the snapshot."""

from __future__ import annotations

from calitop.cni.index import NodeIndex
from calitop.model.node import NodeState
from calitop.set_members import SetMembers, members_of
from tui.live import LiveFeed


def read_set(state: NodeState, feed: LiveFeed | None, name: str) -> SetMembers:
    """The set with its members and whom they belong to; slow, for a thread.

    Raises:
        CalitopError: There is no such set, or its members are not known.
    """
    return members_of(NodeIndex(state), name, None if feed is None else feed.set_members).prepare()

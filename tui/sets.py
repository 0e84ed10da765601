"""Where the members of a set come from: the live node when they are asked for, or the snapshot."""

from __future__ import annotations

from calitop.cni.address_book import AddressBook
from calitop.cni.index import NodeIndex
from calitop.model.node import NodeState
from calitop.set_members import SetMembers, saved_set
from tui.live import LiveFeed


def read_set(state: NodeState, feed: LiveFeed | None, name: str) -> SetMembers:
    """The set with its members and whom they belong to; slow, for a thread.

    Raises:
        CalitopError: There is no such set, or its members are not known.
    """
    found = feed.set_members(name) if feed is not None else saved_set(state, name)
    return SetMembers(found, AddressBook(NodeIndex(state)).who).prepare()

"""Where the members of a set come from: the live node when they are asked for, or the snapshot."""

from __future__ import annotations

from typing import NamedTuple

from calitop.cni.index import NodeIndex
from calitop.explain.set_words import explain_set, use_words
from calitop.model.node import NodeState
from calitop.set_members import SetMembers, members_of
from tui.live import LiveFeed


class SetRead(NamedTuple):
    """A set as it is shown."""

    members: SetMembers
    about: str
    """What it is for and who asks it, in one line; "" where nothing is known."""


def read_set(state: NodeState, feed: LiveFeed | None, name: str) -> SetRead:
    """The set with its members and whom they belong to; slow, for a thread.

    Raises:
        CalitopError: There is no such set, or its members are not known.
    """
    index = NodeIndex(state)
    members = members_of(index, name, None if feed is None else feed.set_members).prepare()
    words = explain_set(index, name)
    return SetRead(members, " ".join(filter(None, (words.holds, f"{use_words(words)}."))))

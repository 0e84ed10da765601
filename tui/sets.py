"""Where the members of a set come from: the live node when they are asked for, or the snapshot."""

from __future__ import annotations

from calitop.errors import SourceUnavailable
from calitop.model.node import IpSet, NodeState
from calitop.set_members import SetMembers, who_has
from tui.live import LiveFeed
from widgets.view import View


def read_set(view: View, feed: LiveFeed | None, name: str) -> SetMembers:
    """The set with its members and their owners; slow, for a thread.

    Raises:
        CalitopError: There is no such set, or its members are not known.
    """
    found = feed.set_members(name) if feed is not None else _saved(view.state, name)
    return SetMembers(found, who_has(view.state)).prepare()


def _saved(state: NodeState, name: str) -> IpSet:
    found = next((one for one in state.sets if one.name == name), None)
    if found is None:
        raise SourceUnavailable(f"the set '{name}' is not in this snapshot", "save it with: ipset save")
    if found.members is None:
        raise SourceUnavailable(
            f"of the set '{name}' only the header was saved", "save its members with: ipset save"
        )
    return found

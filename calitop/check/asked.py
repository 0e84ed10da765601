"""The members that checks look at: a live reading leaves the members of sets out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from calitop.check.facts import ASKED_SETS
from calitop.errors import CalitopError
from calitop.model.node import IpSet, NodeState


def with_asked_members(state: NodeState, read: Callable[[str], IpSet]) -> NodeState:
    """The live node with the members of the sets that checks look at.

    Args:
        state: The node as it was read.
        read: Gives a set with its members as they are now; may raise CalitopError. Then the set
            stays without members, so that its checks say what they lacked.
    """
    return replace(state, sets=tuple(_with_members(one, read) for one in state.sets))


def _with_members(ipset: IpSet, read: Callable[[str], IpSet]) -> IpSet:
    if ipset.name not in ASKED_SETS:
        return ipset
    try:
        return read(ipset.name)
    except CalitopError:
        return ipset

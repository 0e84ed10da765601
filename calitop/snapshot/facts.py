"""What a fragment holds: facts of a node's network, facts that only accompany them, or none."""

from __future__ import annotations

from calitop.formats.fragment import Fragment

_ABOUT_THE_NETWORK = (
    "rulesets",
    "links",
    "routes",
    "ip_rules",
    "neighbours",
    "sets",
    "sysctls",
    "stats",
    "conntrack",
    "bpf",
)
"""Facts that make a folder a snapshot; the others only accompany one."""
_FACTS = (*_ABOUT_THE_NETWORK, "pods", "pod_signs", "cni_configs", "node_name", "kernel", "captured_at")


def says_something(fragment: Fragment) -> bool:
    """Whether a fragment holds at least one fact."""
    return any(getattr(fragment, name) for name in _FACTS)


def is_about_a_node(fragment: Fragment) -> bool:
    """Whether a fragment tells facts of a node's network, even that there are none."""
    return any(getattr(fragment, name) is not None for name in _ABOUT_THE_NETWORK)

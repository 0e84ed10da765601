"""Why a pane is empty, and what would fill it."""

from __future__ import annotations

from calitop.model.node import NodeState

READ_BY = {
    "routes": ("ip -j route show table all", ("route",)),
    "links": ("ip -j -d link", ("link", "addr")),
    "chains": ("iptables-save -c", ("iptables", "nft", "ip6tables")),
}
"""For each pane the command that tells it, and words of the files that would."""


def why_empty(pane: str, state: NodeState, *, live: bool) -> str:
    """A sentence or two for the empty pane."""
    command, words = READ_BY[pane]
    said = [problem.why for one in state.files for problem in one.problems if _concerns(one.file, words)]
    if live:
        told = "\n".join(dict.fromkeys(said)) or "nothing there"
        return f"{told}\nrun as root to read rules: sudo calitop" if pane == "chains" and said else told
    told = f"not in this snapshot: '{command}' would tell it"
    return "\n".join([told, *dict.fromkeys(said)])


def _concerns(file: str, words: tuple[str, ...]) -> bool:
    return any(word in file.lower() for word in words)

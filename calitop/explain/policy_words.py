"""What the policy of a built-in chain means, as one plain sentence."""

from __future__ import annotations

from calitop.cni.index import NodeIndex
from calitop.model.rules import ChainKey
from calitop.report.text import printable


def explain_policy(index: NodeIndex, key: ChainKey) -> str:
    """What becomes of the packets that no rule of a built-in chain decides.

    Raises:
        KeyError: No such chain.
    """
    policy = index.chains[key].policy
    reached = f"What reaches the end of {key.chain} or is returned from it"
    if policy == "DROP":
        return printable(f"{reached} is dropped.")
    if policy != "ACCEPT":
        return printable(f"{reached} meets the policy, {policy or 'which is not told'}.")
    if key.backend == "native":
        return printable(f"{reached} is accepted: it goes on to the next base chain of this hook.")
    return printable(f"{reached} is accepted: table {key.table or '(not known)'} lets it pass at this hook.")

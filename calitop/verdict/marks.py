"""Why a rule that looks at the packet mark dropped: Calico's endpoint mask met Cilium's identity."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.formats.spec import spec
from calitop.hits.moved import NodeHits
from calitop.model.matches import Mark
from calitop.model.rules import ChainKey

_ENDPOINT_CHAINS = ("cali-from-endpoint-mark", "cali-forward-endpoint-mark")
IDENTITY_BITS = 0xFFFF0000
"""Where Cilium writes a pod's identity into the mark (bpf/lib/common.h, MARK_MAGIC_IDENTITY)."""


def endpoint_mark_words(node: NodeHits, key: ChainKey) -> str:
    """What the mark has to do with a drop in the endpoint-mark chains; "" for other chains."""
    if key.chain not in _ENDPOINT_CHAINS:
        return ""
    mask = _endpoint_mask(node, key)
    if mask is None:
        return ""
    words = f"the packets' mark has bits of {mask:#x}, Calico's endpoint mark, and belongs to no endpoint"
    if mask & IDENTITY_BITS and _has_cilium(node):
        words += "; Cilium carries a pod's identity in these bits, and a tunnel keeps the mark"
    return words


def _endpoint_mask(node: NodeHits, key: ChainKey) -> int | None:
    """The mask under which the packets were sent here: of the rule that moved and leads to the chain."""
    for ref in _callers(node, key):
        rule = node.index.chains[ref[0]].rules[ref[1]]
        mark = next((each for each in spec(rule).find(Mark) if each.of == "packet"), None)
        if mark is not None and mark.negated and mark.value == 0:
            return mark.mask
    return None


def _callers(node: NodeHits, key: ChainKey) -> Iterator[tuple[ChainKey, int]]:
    """The rules that moved and lead here, those of the callers behind them."""
    seen, pending = {key}, [key]
    while pending:
        for ref in node.index.callers(pending.pop()):
            if node.counts.rule(ref.key, ref.index).delta.packets == 0:
                continue
            yield ref.key, ref.index
            if ref.key not in seen:
                seen.add(ref.key)
                pending.append(ref.key)


def _has_cilium(node: NodeHits) -> bool:
    return any(link.name.startswith(("cilium_", "lxc")) for link in node.after.links)

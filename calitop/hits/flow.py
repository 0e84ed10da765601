"""The flow that is asked for: its ends, and what is assumed where the operator did not say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from calitop.hits.ends import End, find_end, own_addresses, unclaimed_links
from calitop.hits.moved import NodeHits
from calitop.model.network import IpFamily
from calitop.model.node import ConntrackEntry
from calitop.model.values import Address


@dataclass(frozen=True, slots=True)
class Flow:
    """Packets from one address to another, and their replies."""

    src: Address
    dst: Address
    source: End | None
    """Where the sender is; None when on none of the nodes, or unknown."""
    target: End | None

    @property
    def family(self) -> IpFamily:
        """ipv4 or ipv6."""
        return "ipv4" if self.src.version == 4 else "ipv6"

    def __str__(self) -> str:
        return f"{self.src} -> {self.dst}"


def flow_between(nodes: Sequence[NodeHits], src: Address, dst: Address, source: End | None = None) -> Flow:
    """The flow with both its ends looked for on the nodes; not the source where it is given."""
    ends = (source or find_end(nodes, src), find_end(nodes, dst))
    return Flow(src, dst, *_told_apart(nodes, *ends))


def _told_apart(
    nodes: Sequence[NodeHits], source: End | None, target: End | None
) -> tuple[End | None, End | None]:
    """Two pods of one node whose links are not known, by the only two links that moved.

    The sender is never sent more than the receiver: no answer comes without a request.
    """
    if source is None or target is None or source.node != target.node:
        return source, target
    if source.own or target.own or source.device or target.device:
        return source, target
    node = next(node for node in nodes if node.name == source.node)
    links = unclaimed_links(node)
    if len(links) != 2:
        return source, target
    first, last = sorted(links, key=lambda device: node.links[device].tx_packets or 0)
    return End(node.name, first), End(node.name, last)


def traced_flow(nodes: Sequence[NodeHits]) -> Flow | None:
    """The one flow between pods that connection tracking has come to know since the baseline.

    None where there are several or none.
    """
    owned = {address for node in nodes for address in own_addresses(node)}
    pairs = {
        (src, dst) for node in nodes for src, dst in _new_pairs(node) if src not in owned and dst not in owned
    }
    directed = {pair for pair in pairs if pair[::-1] not in pairs}
    if len(pairs) != 1 or len(directed) != 1:
        return None
    return flow_between(nodes, *directed.pop())


def _new_pairs(node: NodeHits) -> Iterator[tuple[Address, Address]]:
    known = {_pair(entry) for entry in node.before.conntrack}
    for entry in node.after.conntrack:
        pair = _pair(entry)
        if pair is not None and pair not in known and not (pair[0].is_loopback or pair[1].is_multicast):
            yield pair


def _pair(entry: ConntrackEntry) -> tuple[Address, Address] | None:
    try:
        return ip_address(entry.original.src or ""), ip_address(entry.original.dst or "")
    except ValueError:
        return None


def likely_packets(nodes: Sequence[NodeHits]) -> int | None:
    """The amount that most rules moved by, the smaller of equals; None where nothing tells it.

    Rules of nat see only the first packet of a flow and do not count.
    """
    amounts = Counter(
        each.packets
        for node in nodes
        for each in node.moved
        if each.delta.exact
        and each.packets
        and not node.index.rules.is_nat(each.key)
        and each.flow is not False
    )
    return min(amounts, key=lambda amount: (-amounts[amount], amount)) if amounts else None

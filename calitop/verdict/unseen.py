"""Packets that went missing where no rule and no statistic counts: only the places around them tell."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.hits.ends import best_route
from calitop.hits.flow import Flow
from calitop.hits.moved import LegName, NodeHits, Way
from calitop.model.place import Where
from calitop.model.values import Address
from calitop.verdict.gauges import Gauges
from calitop.verdict.loss import Loss
from calitop.verdict.words import packets_words, signed


def by_unread_rules(node: NodeHits, gauges: Gauges) -> Iterator[Loss]:
    """What FORWARD and OUTPUT let through and POSTROUTING never saw: another table's rules took it."""
    gap = gauges.forwarding_gap()
    if gap is None or gap <= 0:
        return
    yield Loss(
        where=Where(node=node.name, kind="rule", family=gauges.family),
        packets=gap,
        proven=False,
        says=f"{packets_words(gap)} left FORWARD or OUTPUT and did not reach POSTROUTING",
        evidence=(
            f"{node.name}: POSTROUTING received {packets_words(gap)} less than FORWARD and OUTPUT let go",
        ),
        ways=frozenset(Way(hook, None, outer) for hook in ("FORWARD", "OUTPUT") for outer in (False, True)),
        condition="a rule that was not captured dropped them: of the other iptables backend or of an own nft "
        "table",
    )


def by_devices(node: NodeHits, flow: Flow | None, expected: int | None) -> Iterator[Loss]:
    """What was handed to Cilium's device and came out of none of the others."""
    sent = {device: delta.tx_packets or 0 for device, delta in node.links.items()}
    handed = sent.get("cilium_host", 0)
    ways = [device for device in sent if device not in ("cilium_host", "cilium_net", "lo")]
    tunnels = [d for d in ways if _role(node, d) in ("vxlan", "geneve", "wireguard", "ipip")]
    if handed == 0 or expected is None or handed < expected or any(sent[device] for device in tunnels):
        return
    legs = _legs_by(node, flow, "cilium_host")
    if flow is not None and not legs:
        return
    yield Loss(
        where=Where(node=node.name, kind="bpf", device="cilium_host"),
        packets=min(handed, expected),
        proven=True,
        says=f"cilium_host took {packets_words(handed)} and no tunnel device sent any: they were lost "
        "beyond netfilter, in BPF",
        evidence=(f"{node.name}: cilium_host tx {signed(handed)}, tunnel devices tx +0",),
        flow=True if flow is not None else None,
        ways=frozenset(Way("POSTROUTING", leg) for leg in legs),
    )


def _role(node: NodeHits, device: str) -> str | None:
    link = node.after.link(device)
    return node.index.role_of_link(link) if link else None


def _legs_by(node: NodeHits, flow: Flow | None, device: str) -> list[LegName]:
    """The legs of the flow that leave a node by a device."""
    if flow is None:
        return []
    ends: tuple[tuple[LegName, Address], ...] = (("request", flow.dst), ("reply", flow.src))
    return [
        leg
        for leg, address in ends
        if (route := best_route(node, address)) is not None and route.dev == device
    ]

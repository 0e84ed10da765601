"""Every place on a node at which packets went missing, with what proves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from calitop.formats.spec import comments
from calitop.hits.ends import best_route
from calitop.hits.flow import Flow
from calitop.hits.moved import NodeHits
from calitop.model.rules import Family
from calitop.model.values import Address
from calitop.verdict import reverse_path
from calitop.verdict.gauges import Gauges, Losing
from calitop.verdict.marks import endpoint_mark_words
from calitop.verdict.records import Where
from calitop.verdict.words import packets_words, place_words, signed

ROUTING_STATS = {
    "TcpExt.IPReversePathFilter": "rp_filter",
    "IpExt.InNoRoutes": "no_route",
    "Ip.InNoRoutes": "no_route",
    "Ip.InAddrErrors": "no_forwarding",
    "Ip.InHdrErrors": "ttl",
    "Ip.FragFails": "mtu",
}
"""What the kernel counts for packets that it takes between PREROUTING and INPUT or FORWARD."""
_SILENT_TYPES = {"blackhole": "blackhole", "unreachable": "unreachable", "prohibit": "prohibit"}
_OFFICIAL = ("IpExt.InMcastPkts", "IpExt.InBcastPkts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Packets that went missing at a place."""

    where: Where
    packets: int
    proven: bool
    """The number is exact, and nothing else on the node explains it as well."""
    says: str
    """The fact, as the beginning of a sentence."""
    evidence: tuple[str, ...] = ()
    flow: bool | None = None
    condition: str = ""
    """As a mere candidate: what would have to be true."""


def losses_of(node: NodeHits, flow: Flow | None, expected: int | None) -> list[Loss]:
    """The places on a node, in the order of the hooks; those that cannot be of the flow are left out.

    Args:
        node: What moved there.
        flow: The flow that is asked for.
        expected: How many packets were sent, where known.
    """
    families: tuple[Family, ...] = (flow.family,) if flow else ("ipv4", "ipv6")
    found: list[Loss] = []
    for family in families:
        gauges = Gauges(node, family)
        found += _by_rules(node, gauges)
        if family == "ipv4":
            found += _by_conntrack(node, gauges, expected)
            found += _by_routing(node, gauges, flow, expected)
    found += _by_devices(node, flow, expected)
    return [loss for loss in found if loss.flow is not False and loss.packets > 0]


# -- rules ------------------------------------------------------------------------------


def _by_rules(node: NodeHits, gauges: Gauges) -> Iterator[Loss]:
    flows = {(each.key, each.index): each.flow for each in node.moved}
    for each in gauges.losing:
        yield _rule_loss(node, each, flows.get((each.key, each.index)))


def _rule_loss(node: NodeHits, each: Losing, flow: bool | None) -> Loss:
    chain = node.index.chains[each.key]
    rule = None if each.index is None else chain.rules[each.index]
    where = Where.of_chain(
        node.name, "policy" if rule is None else "rule", each.key, rule.number if rule else None
    )
    packets = each.delta.packets or 0
    remark = next((text for text in comments(rule) if not text.startswith("cali:")), None) if rule else None
    took = "rejected" if rule is not None and rule.target == "REJECT" else "dropped"
    name = place_words(where, remark, chain.policy if rule is None else None)
    marks = endpoint_mark_words(node, each.key)
    return Loss(
        where=where,
        packets=packets,
        proven=each.delta.exact,
        says=f"{name} {took} {packets_words(packets)}" + (f": {marks}" if marks else ""),
        evidence=(f"{node.name}: {name} {signed(packets)}" + ("" if each.delta.exact else " or more"),),
        flow=flow,
        condition="its packets are those of the flow",
    )


# -- connection tracking ----------------------------------------------------------------


def _by_conntrack(node: NodeHits, gauges: Gauges, expected: int | None) -> Iterator[Loss]:
    gap, counted = gauges.untracked_gap(), node.stats.get("Conntrack.drop", 0)
    full = _table_is_full(node)
    if not counted and not (gap and gap > 0 and full):
        return
    packets = counted or gap or 0
    facts = [f"{node.name}: Conntrack.drop {signed(counted)}"] if counted else []
    if gap:
        facts.append(
            f"{node.name}: {packets_words(gap)} left raw PREROUTING and did not reach mangle PREROUTING"
        )
    yield Loss(
        where=Where(node=node.name, kind="kernel", name="conntrack_full"),
        packets=packets,
        proven=gap == packets or (gap is None and counted == expected),
        says=f"connection tracking dropped {packets_words(packets)}"
        + (f": its table is full ({full})" if full else ": it could not take up new connections"),
        evidence=tuple(facts),
        condition="the connection table was full at that moment",
    )


def _table_is_full(node: NodeHits) -> str | None:
    names = ("net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max")
    count, limit = (node.after.sysctls.get(name, "") for name in names)
    if count.isdigit() and limit.isdigit() and int(count) >= int(limit) > 0:
        return f"{count} of {limit}"
    return None


# -- routing ----------------------------------------------------------------------------


def _by_routing(node: NodeHits, gauges: Gauges, flow: Flow | None, expected: int | None) -> Iterator[Loss]:
    gap = gauges.routing_gap()
    counted = {name: node.stats[name] for name in ROUTING_STATS if node.stats.get(name, 0) > 0}
    for name, delta in counted.items():
        yield _counted_loss(node, name, delta, flow, _explains(gap, counted, delta, expected))
    rest = (gap or 0) - sum(counted.values()) - sum(node.stats.get(name, 0) for name in _OFFICIAL)
    if gap is not None and rest > 0:
        yield _silent_loss(node, rest, flow)


def _explains(gap: int | None, counted: dict[str, int], delta: int, expected: int | None) -> bool:
    """Whether a statistic's amount is just what went missing there."""
    if gap is None:
        return delta == expected and len(counted) == 1
    return gap == sum(counted.values())


def _counted_loss(node: NodeHits, stat: str, delta: int, flow: Flow | None, proven: bool) -> Loss:
    name = ROUTING_STATS[stat]
    facts = [f"{node.name}: {stat} {signed(delta)}"]
    device, words = None, _KERNEL_WORDS[name].format(packets_words(delta))
    condition = f"{stat} counted these packets"
    possible: bool | None = None
    if name == "rp_filter":
        found = reverse_path.explain(node, flow)
        device, possible = found.device, found.possible
        facts += [f"{node.name}: {fact}" for fact in found.facts]
        words += f" on {device}" if device else ""
        words += f": {found.why}" if found.why else ""
    if proven:
        facts.append(
            f"{node.name}: PREROUTING let {packets_words(delta)} more through than INPUT and FORWARD received"
        )
    return Loss(
        where=Where(node=node.name, kind="kernel", name=name, device=device),
        packets=delta,
        proven=proven or (possible is True),
        says=words,
        evidence=tuple(facts),
        flow=possible if flow is not None else None,
        condition=condition,
    )


_KERNEL_WORDS = {
    "rp_filter": "the kernel's reverse-path filter dropped {}",
    "no_route": "the kernel had no route for {}",
    "no_forwarding": "the kernel may not forward, and dropped {}",
    "ttl": "the TTL of {} ended or the header was bad",
    "mtu": "{} did not fit the MTU of the way and may not be cut",
}


def _silent_loss(node: NodeHits, packets: int, flow: Flow | None) -> Loss:
    """The kernel took packets in routing and counted them nowhere: a route may say why."""
    fact = (
        f"{node.name}: PREROUTING let {packets_words(packets)} through that neither INPUT nor FORWARD "
        "received, and no statistic counts them"
    )
    for address in (flow.dst, flow.src) if flow else ():
        route = best_route(node, address)
        name = _SILENT_TYPES.get(route.type or "") if route else None
        if route is not None and name is not None:
            return Loss(
                where=Where(node=node.name, kind="kernel", name=name),
                packets=packets,
                proven=True,
                says=f"the {name} route {route.dst} took {packets_words(packets)}",
                evidence=(fact, f"{node.name}: the best route to {address} is '{name} {route.dst}'"),
                flow=True,
            )
    return Loss(
        where=Where(node=node.name, kind="kernel"),
        packets=packets,
        proven=False,
        says=f"the kernel took {packets_words(packets)} while routing",
        evidence=(fact,),
        condition="a blackhole route, a source that is this node's own address, or a filter that no listing "
        "shows took them: `ip route get DST from SRC iif DEVICE` tells",
    )


# -- devices ----------------------------------------------------------------------------


def _by_devices(node: NodeHits, flow: Flow | None, expected: int | None) -> Iterator[Loss]:
    """What was handed to Cilium's device and came out of none of the others."""
    sent = {device: delta.tx_packets or 0 for device, delta in node.links.items()}
    handed = sent.get("cilium_host", 0)
    ways = [device for device in sent if device not in ("cilium_host", "cilium_net", "lo")]
    tunnels = [d for d in ways if _role(node, d) in ("vxlan", "geneve", "wireguard", "ipip")]
    if handed == 0 or expected is None or handed < expected or any(sent[device] for device in tunnels):
        return
    if flow is not None and not any(
        _leaves_by(node, address, "cilium_host") for address in (flow.dst, flow.src)
    ):
        return
    yield Loss(
        where=Where(node=node.name, kind="bpf", device="cilium_host"),
        packets=min(handed, expected),
        proven=True,
        says=f"cilium_host took {packets_words(handed)} and no tunnel device sent any: they were lost "
        "beyond netfilter, in BPF",
        evidence=(f"{node.name}: cilium_host tx {signed(handed)}, tunnel devices tx +0",),
        flow=True if flow is not None else None,
    )


def _role(node: NodeHits, device: str) -> str | None:
    link = node.after.link(device)
    return node.index.role_of_link(link) if link else None


def _leaves_by(node: NodeHits, address: Address, device: str) -> bool:
    route = best_route(node, address)
    return route is not None and route.dev == device

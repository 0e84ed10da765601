"""Packets that the kernel itself took: connection tracking, and what it does while routing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from calitop.hits.ends import best_route, is_underlay
from calitop.hits.flow import Flow
from calitop.hits.moved import LegName, NodeHits, Way
from calitop.model.network import IpFamily, Route
from calitop.model.place import Where
from calitop.model.values import Address
from calitop.verdict import reverse_path
from calitop.verdict.gauges import Gauges
from calitop.verdict.loss import Loss
from calitop.verdict.words import packets_words, signed


@dataclass(frozen=True, slots=True)
class _Statistics:
    """What the kernel counts of one family between PREROUTING and INPUT or FORWARD."""

    file: str
    losses: dict[str, str]
    """Statistic -> name of the place (interface.md, WHERE)."""
    to_many: tuple[str, ...]
    """Multicast and broadcast, which may end there without being lost."""


_OF_FAMILY: dict[IpFamily, _Statistics] = {
    "ipv4": _Statistics(
        "/proc/net/snmp /proc/net/netstat",
        {
            "TcpExt.IPReversePathFilter": "rp_filter",
            "IpExt.InNoRoutes": "no_route",
            "Ip.InNoRoutes": "no_route",
            "Ip.InAddrErrors": "no_forwarding",
            "Ip.InHdrErrors": "ttl",
            "Ip.FragFails": "mtu",
        },
        ("IpExt.InMcastPkts", "IpExt.InBcastPkts"),
    ),
    # ip6_forward and ip6_pkt_drop; what is too big counts in Ip6.FragFails as well.
    "ipv6": _Statistics(
        "/proc/net/snmp6",
        {
            "Ip6.InNoRoutes": "no_route",
            "Ip6.InAddrErrors": "no_forwarding",
            "Ip6.InHdrErrors": "ttl",
            "Ip6.InTooBigErrors": "mtu",
        },
        ("Ip6.InMcastPkts",),
    ),
}
_DISCARDING = ("blackhole", "unreachable", "prohibit")
_WORDS = {
    "rp_filter": "the kernel's reverse-path filter dropped {}",
    "no_route": "the kernel had no route for {}",
    "no_forwarding": "the kernel may not forward, and dropped {}",
    "ttl": "the TTL of {} ended or the header was bad",
    "mtu": "{} did not fit the MTU of the way and may not be cut",
}


# -- connection tracking ----------------------------------------------------------------


def by_conntrack(node: NodeHits, gauges: Gauges, expected: int | None) -> Iterator[Loss]:
    """What connection tracking took. Its statistics do not tell the families apart; the rules do."""
    gap, counted = gauges.untracked_gap() or 0, node.stats.get("Conntrack.drop", 0)
    known, full = gauges.untracked_gap() is not None, _table_is_full(node)
    if gap <= 0 and (not counted or gauges.family == "ipv6"):
        return
    if not counted and not full:
        return
    packets = counted or gap
    facts = [f"{node.name}: Conntrack.drop {signed(counted)}"] if counted else []
    if gap > 0:
        facts.append(
            f"{node.name}: {packets_words(gap)} left raw PREROUTING and did not reach mangle PREROUTING"
        )
    yield Loss(
        where=Where(node=node.name, kind="kernel", name="conntrack_full"),
        packets=packets,
        proven=gap == packets or (not known and counted == expected),
        says=f"connection tracking dropped {packets_words(packets)}"
        + (f": its table is full ({full})" if full else ": it could not take up new connections"),
        evidence=tuple(facts),
        ways=frozenset(Way("PREROUTING", None, outer) for outer in (False, True)),
        condition="the connection table was full at that moment",
    )


def _table_is_full(node: NodeHits) -> str | None:
    names = ("net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max")
    count, limit = (node.after.sysctls.get(name, "") for name in names)
    if count.isdigit() and limit.isdigit() and int(count) >= int(limit) > 0:
        return f"{count} of {limit}"
    return None


# -- routing ----------------------------------------------------------------------------


def by_routing(node: NodeHits, gauges: Gauges, flow: Flow | None, expected: int | None) -> Iterator[Loss]:
    """What the kernel took between PREROUTING and INPUT or FORWARD, by its statistics or by none."""
    known, gap = _OF_FAMILY[gauges.family], gauges.routing_gap()
    counted = {name: node.stats[name] for name in known.losses if node.stats.get(name, 0) > 0}
    to_many = sum(node.stats.get(name, 0) for name in known.to_many)
    for name, delta in counted.items():
        proven = _explains(gap, counted, delta, expected, to_many)
        yield _counted_loss(node, name, delta, flow, gauges.family, proven)
    rest = (gap or 0) - sum(counted.values()) - to_many
    if rest > 0:
        yield from _silent_loss(node, rest, flow, known)


def _explains(
    gap: int | None, counted: dict[str, int], delta: int, expected: int | None, to_many: int
) -> bool:
    """Whether a statistic's amount is just what went missing there."""
    if gap is None:
        return delta == expected and len(counted) == 1
    return 0 <= gap - sum(counted.values()) <= to_many


def _counted_loss(
    node: NodeHits, stat: str, delta: int, flow: Flow | None, family: IpFamily, proven: bool
) -> Loss:
    name = _OF_FAMILY[family].losses[stat]
    facts = [f"{node.name}: {stat} {signed(delta)}"]
    device, words = None, _WORDS[name].format(packets_words(delta))
    possible: bool | None = None
    if name == "rp_filter":
        found = reverse_path.explain(node, flow)
        device, possible = found.device, found.possible
        facts += [f"{node.name}: {fact}" for fact in found.facts]
        words += f" on {device}" if device else ""
        words += f": {found.why}" if found.why else ""
    elif name == "no_route" and (refusing := _discarding(node, flow)) is not None:
        name, words = _refused(*refusing, delta)  # IPv6 counts its discarding routes here
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
        ways=_routed(None, device is not None and is_underlay(node, device)),
        condition=f"{stat} counted these packets",
    )


def _routed(leg: LegName | None, outer: bool = False) -> frozenset[Way]:
    return frozenset((Way("PREROUTING", leg, outer),))


def _silent_loss(node: NodeHits, packets: int, flow: Flow | None, known: _Statistics) -> Iterator[Loss]:
    """The kernel took packets in routing and counted them nowhere: a route may say why."""
    read = any(name in (node.after.stats or {}) for name in known.losses)
    if not read and flow is None:
        return  # nothing tells these from multicast
    fact = (
        f"{node.name}: PREROUTING let {packets_words(packets)} through that neither INPUT nor FORWARD "
        f"received, and {'no statistic counts them' if read else f'{known.file} was not read'}"
    )
    refusing = _discarding(node, flow)
    if refusing is not None:
        route, address, leg = refusing
        name, words = _refused(*refusing, packets)
        yield Loss(
            where=Where(node=node.name, kind="kernel", name=name),
            packets=packets,
            proven=True,
            says=words,
            evidence=(fact, f"{node.name}: the best route to {address} is '{name} {route.dst}'"),
            flow=True,
            ways=_routed(leg),
        )
        return
    yield Loss(
        where=Where(node=node.name, kind="kernel"),
        packets=packets,
        proven=False,
        says=f"the kernel took {packets_words(packets)} while routing",
        evidence=(fact,),
        ways=_routed(None) | _routed(None, outer=True),
        condition="a blackhole route, a source that is this node's own address, or a filter that no listing "
        "shows took them: `ip route get DST from SRC iif DEVICE` tells",
    )


def _discarding(node: NodeHits, flow: Flow | None) -> tuple[Route, Address, LegName] | None:
    """The route that discards the flow's packets, the address that it is for, and on which leg."""
    if flow is None:
        return None
    legs: tuple[tuple[Address, LegName], ...] = ((flow.dst, "request"), (flow.src, "reply"))
    for address, leg in legs:
        route = best_route(node, address)
        if route is not None and route.type in _DISCARDING:
            return route, address, leg
    return None


def _refused(route: Route, _address: Address, _leg: LegName, packets: int) -> tuple[str, str]:
    name = route.type or ""
    return name, f"the {name} route {route.dst} took {packets_words(packets)}"

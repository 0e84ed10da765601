"""What a route or a policy rule does and what an interface is for, each as one plain sentence."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.cni.index import NodeIndex
from calitop.cni.pods import pod_name
from calitop.model.network import IpRule, Link, Route
from calitop.report.text import printable

_NO_WAY = {
    "blackhole": "packets to it are thrown away without a word; no interface is asked",
    "unreachable": "packets to it are answered with host unreachable; no interface is asked",
    "prohibit": "packets to it are answered with administratively prohibited; no interface is asked",
    "throw": "the search goes on with the next policy rule; no interface is asked",
}
_OWN = {
    "local": "are for this node itself",
    "broadcast": "are broadcasts: for this node and all others on the link",
    "multicast": "are multicasts",
    "anycast": "are for this node itself, as for others with that address",
}
_ROLES = {
    "loopback": "The node's own loopback",
    "ipip": "IPIP tunnel: packets that leave here travel to another node inside an outer IPv4 packet",
    "vxlan": "VXLAN tunnel: packets that leave here travel to another node inside an outer UDP packet",
    "geneve": "Geneve tunnel: packets that leave here travel to another node inside an outer UDP packet",
    "wireguard": "WireGuard tunnel: packets that leave here travel encrypted to another node",
    "health": "Cilium's own health endpoint",
    "cilium host": "Cilium's way between the host and its pods",
    "ipvs": "Holds the addresses of services for IPVS; it carries no packets",
    "bridge": "Bridge: joins the interfaces that have it as their master",
    "container": "Host's end of a container's cable",
    "physical": "The node's interface to the network outside",
}
"""Those that need no word on their own are left out."""
_TABLES = {
    "local": " (the node's own addresses and broadcasts)",
    "main": " (where routes stand without a word of their own)",
    "default": " (empty unless somebody fills it)",
}
_LAST = "no later policy rule is listed"
_ANSWERS = {
    "blackhole": "throw the packet away without a word",
    "unreachable": "answer with network unreachable",
    "prohibit": "answer with administratively prohibited",
}


def no_way_words(route: Route) -> str | None:
    """Why a route leads to no interface; None when it leads to one."""
    if route.dev or any(hop.dev for hop in route.nexthops):
        return None
    if route.type in _NO_WAY:
        return f"{route.dst} is {route.type}: {_NO_WAY[route.type]}"
    if route.types:
        kinds = " or ".join(route.types)
        return f"{route.dst} is {kinds}, the source does not tell which: no interface is asked"
    return f"{route.dst} names no interface"


def explain_route(index: NodeIndex, route: Route) -> str:
    """Where the route sends packets, or why nowhere."""
    return printable(no_way_words(route) or f"Packets {_destination(route)} {_way(index, route)}.")


def _destination(route: Route) -> str:
    if route.dst != "default":
        return f"to {route.dst}"
    return f"that no other route of table {route.table} takes"


def _way(index: NodeIndex, route: Route) -> str:
    if route.type in _OWN:
        return _OWN[route.type]
    if route.nexthops:
        ways = (_hop(index, hop.dev, hop.gateway) for hop in route.nexthops)
        return f"leave by one of {len(route.nexthops)} ways, a flow always by the same: {'; '.join(ways)}"
    return f"leave {_hop(index, route.dev, route.gateway)}"


def _hop(index: NodeIndex, dev: str | None, gateway: str | None) -> str:
    name = dev or "an interface that is not told"
    pod = index.pod_of_interface(dev) if dev else None
    if pod is not None:
        return f"by {name}, straight into the pod {pod_name(pod)}"
    link = index.state.link(dev) if dev else None
    role = index.role_of_link(link) if link is not None else None
    tunnel = f" (the {role} tunnel)" if role in ("ipip", "vxlan", "geneve", "wireguard") else ""
    if gateway is None:
        return f"by {name}{tunnel} without a gateway: the destination is on that link"
    return f"by {name}{tunnel} to the next hop {gateway}"


def explain_link(index: NodeIndex, link: Link) -> str:
    """What the interface is for; empty where its role is not known or says it all."""
    role = index.role_of_link(link)
    if role != "workload":
        return f"{_ROLES[role]}." if role in _ROLES else ""
    pod = index.pod_of_interface(link.name)
    who = "a pod that is not known" if pod is None else f"the pod {pod_name(pod)}"
    words = f"Host's end of the cable of {who}: received here is what the pod sends, sent is what enters it."
    return printable(words)


def explain_ip_rule(index: NodeIndex, rule: IpRule) -> str:
    """When the policy rule applies, where a route is looked for then, and which rule is asked next."""
    conditions = " and ".join(_ip_conditions(index, rule))
    when = f"{'unless' if rule.inverted else 'if'} {conditions}, " if conditions else ""
    sentence = f"{when}{_ip_action(index, rule)}."
    return printable(sentence[0].upper() + sentence[1:])


def _ip_conditions(index: NodeIndex, rule: IpRule) -> Iterator[str]:
    for side, prefix in (("source", rule.src), ("destination", rule.dst)):
        if prefix is not None:
            yield f"the {side} is {'' if _is_single(prefix) else 'in '}{prefix}"
    if rule.iif is not None:
        yield "this node sends the packet itself" if rule.iif == "lo" else f"the packet came in by {rule.iif}"
    if rule.oif is not None:
        yield f"the sender is bound to {rule.oif}"
    if rule.fwmark is not None:
        yield _ip_mark(index, rule.fwmark, rule.fwmask)
    yield from (f"'{other}' fits" for other in rule.other if other != "l3mdev")


def _is_single(prefix: str) -> bool:
    return prefix.endswith("/128" if ":" in prefix else "/32")


def _ip_mark(index: NodeIndex, mark: int, mask: int | None) -> str:
    # Imported late: the records of matches cost a tenth of the time to the first frame.
    from calitop.explain.mark_words import MarkWords
    from calitop.model.matches import Mark

    return MarkWords(index).test(Mark(of="packet", value=mark, mask=0xFFFFFFFF if mask is None else mask))


def _ip_action(index: NodeIndex, rule: IpRule) -> str:
    if rule.action in _ANSWERS:
        return f"{_ANSWERS[rule.action]}; no route is looked for"
    if rule.action == "goto":
        return f"go on with the policy rules from {'?' if rule.goto is None else rule.goto} on"
    if rule.action == "nop":
        return f"do nothing; {_ip_next(index, rule)}"
    return (
        f"look for a route in {_ip_table(rule)}{_ip_except(rule)}; where it has none, {_ip_next(index, rule)}"
    )


def _ip_table(rule: IpRule) -> str:
    if "l3mdev" in rule.other:
        return "the table of the VRF that the interface belongs to"
    if rule.table is None:
        return "a table that is not told"
    return f"table {rule.table}{_TABLES.get(rule.table, '')}"


def _ip_except(rule: IpRule) -> str:
    """The routes that do not count as found."""
    told = []
    if rule.suppress_prefixlength is not None:
        told.append(f"of length {rule.suppress_prefixlength}{' or less' * (rule.suppress_prefixlength > 0)}")
    if rule.suppress_ifgroup is not None:
        told.append(f"by an interface of group {rule.suppress_ifgroup}")
    return f" other than one {' or '.join(told)}" if told else ""


def _ip_next(index: NodeIndex, rule: IpRule) -> str:
    """The rule asked next: the kernel lists its rules in the order in which it asks them."""
    listed = [one for one in index.state.ip_rules if one.family == rule.family]
    later = listed[listed.index(rule) + 1 :] if rule in listed else []
    return f"go on with policy rule {later[0].priority}" if later else _LAST

"""What the kernel's statistics mean, in words."""

from __future__ import annotations

_MEANINGS = {
    "TcpExt.IPReversePathFilter": "dropped by the reverse-path filter: the way back is another device",
    "Ip.InHdrErrors": "dropped for a bad header or an expired TTL",
    "Ip.InAddrErrors": "dropped: not for this node, and it may not forward there",
    "Ip.InUnknownProtos": "for this node, but for a protocol that nobody listens to",
    "Ip.InDiscards": "dropped on arrival for want of memory or by a socket's limit",
    "Ip.OutDiscards": "dropped while being sent: by a rule of OUTPUT or a full queue",
    "Ip.InNoRoutes": "dropped: no route to the destination",
    "IpExt.InNoRoutes": "dropped: no route to the destination",
    "Ip.OutNoRoutes": "own packets that found no route",
    "IpExt.InTruncatedPkts": "dropped: shorter than their header says",
    "IpExt.InCsumErrors": "dropped for a wrong checksum",
    "Ip.ForwDatagrams": "forwarded",
    "Ip.InReceives": "arrived, wanted or not",
    "Ip.InDelivers": "delivered to this node's own programs",
    "Ip.OutRequests": "sent by this node's own programs",
    "Ip.FragFails": "too big for the way and not allowed to be cut (MTU)",
    "Ip.FragOKs": "cut into fragments",
    "Ip.ReasmFails": "fragments that could not be put together",
    "Icmp.OutDestUnreachs": "ICMP 'destination unreachable' sent: something was refused here",
    "Icmp.InDestUnreachs": "ICMP 'destination unreachable' received: something was refused elsewhere",
    "Icmp.OutTimeExcds": "ICMP 'time exceeded' sent: a TTL ended here",
    "Icmp.OutRedirects": "ICMP redirects sent",
    "Icmp.InEchos": "pings of this node's own addresses",
    "Icmp.InErrors": "broken ICMP packets",
    "Ip6.InHdrErrors": "dropped for a bad header or an expired hop limit",
    "Ip6.InAddrErrors": "dropped: not for this node, and it may not forward there",
    "Ip6.InNoRoutes": "dropped: no route to the destination, or one that refuses",
    "Ip6.OutNoRoutes": "own packets that found no route",
    "Ip6.InTooBigErrors": "too big for the way (MTU)",
    "Ip6.InDiscards": "dropped on arrival for want of memory or by a socket's limit",
    "Ip6.OutDiscards": "dropped while being sent: by a rule of OUTPUT or a full queue",
    "Icmp6.OutDestUnreachs": "ICMPv6 'destination unreachable' sent: something was refused here",
    "Icmp6.InDestUnreachs": "ICMPv6 'destination unreachable' received: something was refused elsewhere",
    "Icmp6.OutPktTooBigs": "ICMPv6 'packet too big' sent: the MTU of the way is smaller",
    "Icmp6.OutTimeExcds": "ICMPv6 'time exceeded' sent: a hop limit ended here",
    "Conntrack.invalid": "packets that belong to no connection (ctstate INVALID)",
    "Conntrack.drop": "dropped: connection tracking could not take up the flow",
    "Conntrack.early_drop": "older connections thrown out to make room",
    "Conntrack.insert_failed": "dropped: the new connection could not be entered, mostly a clash",
    "Conntrack.error": "packets that connection tracking could not read",
    "Softnet.dropped": "dropped: a processor's queue of arriving packets was full",
    "Softnet.time_squeeze": "a processor had to leave arriving packets for later",
}
TELLING = frozenset(
    name
    for name, meaning in _MEANINGS.items()
    if name not in ("Ip.ForwDatagrams", "Ip.InReceives", "Ip.InDelivers", "Ip.OutRequests", "Icmp.InEchos")
)
"""Statistics that tell of packets that went astray; the others count healthy traffic too."""


def meaning(name: str) -> str | None:
    """What a statistic counts; None for one that needs no words."""
    return _MEANINGS.get(name)

"""Links, addresses, routes, policy rules and neighbours of one node at one moment.

Addresses and prefixes always carry their length (`10.222.160.3/32`, `default`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IpFamily = Literal["ipv4", "ipv6"]


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """Packets, bytes, drops and errors of a link; None where the source does not tell."""

    rx_packets: int | None = None
    rx_bytes: int | None = None
    rx_dropped: int | None = None
    rx_errors: int | None = None
    tx_packets: int | None = None
    tx_bytes: int | None = None
    tx_dropped: int | None = None
    tx_errors: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """One network device."""

    name: str
    index: int | None = None
    kind: str | None = None
    """As the kernel says (`veth`, `ipip`, `tun`, `vxlan`); None for a device without link info."""
    mtu: int | None = None
    flags: tuple[str, ...] = ()
    """As iproute2 prints them (`BROADCAST`, `UP`, `LOWER_UP`)."""
    up: bool | None = None
    """IFF_UP, not operstate."""
    operstate: str | None = None
    mac: str | None = None
    peer: str | None = None
    """Name of the other end or lower device where the source tells it (`eth0`, `if3`)."""
    peer_index: int | None = None
    peer_netns: int | None = None
    """The kernel's id of the namespace of the peer (`link-netnsid`)."""
    master: str | None = None
    addresses: tuple[str, ...] = ()
    counters: LinkCounters = LinkCounters()
    bpf: tuple[str, ...] = ()
    """XDP programs and the like that the link listing itself names."""
    info: tuple[tuple[str, str], ...] = ()
    """Settings of the kind, as (`id`, `4096`), (`port`, `4789`), (`local`, `172.16.189.102`)."""


@dataclass(frozen=True, slots=True)
class NextHop:
    """One way of a multipath route."""

    gateway: str | None = None
    dev: str | None = None
    weight: int | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One route."""

    family: IpFamily
    dst: str
    """Prefix with length, or `default`."""
    table: str = "main"
    """`main`, `local`, or a name or number as the source has it."""
    type: str | None = "unicast"
    """unicast, local, broadcast, blackhole, unreachable, prohibit, throw …; None where open."""
    types: tuple[str, ...] = ()
    """What `type` can be where the source leaves it open (`route -n` shows `*` for two)."""
    gateway: str | None = None
    dev: str | None = None
    src: str | None = None
    proto: str | None = None
    scope: str | None = None
    metric: int = 0
    flags: tuple[str, ...] = ()
    """onlink, linkdown, dead, pervasive …"""
    nexthops: tuple[NextHop, ...] = ()
    nhid: int | None = None
    mtu: int | None = None
    tos: str | None = None
    other: tuple[str, ...] = ()
    """What calitop does not evaluate, in the source's words (`from 2001:db8::/64`, `advmss 1360`)."""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class IpRule:
    """One policy routing rule (ip-rule(8))."""

    family: IpFamily
    priority: int
    src: str | None = None
    """Prefix with length; None for `all`."""
    dst: str | None = None
    iif: str | None = None
    oif: str | None = None
    fwmark: int | None = None
    fwmask: int | None = None
    inverted: bool = False
    """`not` stands before the selectors."""
    table: str | None = None
    action: str = "lookup"
    """lookup, unreachable, prohibit, blackhole, goto, nop."""
    suppress_prefixlength: int | None = None
    suppress_ifgroup: str | None = None
    goto: int | None = None
    other: tuple[str, ...] = ()
    """Selectors that calitop does not evaluate, in the source's words (`tos 0x10`, `ipproto tcp`)."""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One entry of the neighbour table."""

    address: str
    dev: str | None = None
    mac: str | None = None
    state: tuple[str, ...] = ()

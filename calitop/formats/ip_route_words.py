"""The words of iproute2's routes that its text and its JSON share, and the record both lead to.

Source: ip-route(8); print_route in iproute2's ip/iproute.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from calitop.formats.reading import family_of, with_length, word_set
from calitop.model.network import IpFamily, NextHop, Route

TYPES = word_set(
    "unicast local broadcast anycast multicast blackhole unreachable prohibit throw nat xresolve "
)
FLAGS = word_set(
    "onlink dead linkdown pervasive offload trap rt_offload rt_trap offload_failed rt_offload_failed "
    "unresolved notify "
)
METRICS = word_set(
    "mtu advmss window rtt rttvar ssthresh cwnd reordering hoplimit initcwnd initrwnd features "
    "quickack congctl rto_min fastopen_no_cookie "
)


@dataclass
class RouteDraft:
    """A route while its words are read."""

    dst: str
    line: int | None = None
    table: str = "main"
    type: str = "unicast"
    family: IpFamily | None = None
    gateway: str | None = None
    dev: str | None = None
    src: str | None = None
    proto: str | None = None
    scope: str | None = None
    metric: int = 0
    flags: list[str] = field(default_factory=list)
    nexthops: list[NextHop] = field(default_factory=list)
    nhid: int | None = None
    mtu: int | None = None
    tos: str | None = None
    other: list[str] = field(default_factory=list)

    def leads_somewhere(self) -> bool:
        """Whether the route names a way, or is of a type that needs none."""
        return self.type != "unicast" or bool(self.dev or self.gateway or self.nexthops or self.nhid)

    def route(self) -> Route | None:
        """The finished route, its family IPv4 where `settle` has yet to find it.

        Returns:
            None where the destination is neither an address nor `default`.
        """
        dst = destination(self.dst)
        if dst is None:
            return None
        return Route(
            self.family or "ipv4",
            dst,
            self.table,
            self.type,
            (),
            self.gateway,
            self.dev,
            self.src,
            self.proto,
            self.scope,
            self.metric,
            tuple(self.flags),
            tuple(self.nexthops),
            self.nhid,
            self.mtu,
            self.tos,
            tuple(self.other),
            self.line,
        )


def destination(word: str) -> str | None:
    """A destination with its length, `default` for the whole address space, None for neither."""
    if word in ("default", "0.0.0.0/0", "::/0"):
        return "default"
    dst = with_length(word)
    return "default" if dst in ("0.0.0.0/0", "::/0") else dst


def route_family(dst: str, addresses: Iterable[str | None]) -> IpFamily | None:
    """The family that a route's own words tell; None for a `default` that names no address.

    Args:
        dst: Destination with its length, or `default`.
        addresses: Source and gateways; a gateway of the other family must be left out.
    """
    if dst != "default":
        return "ipv6" if ":" in dst else "ipv4"
    return next((family for word in addresses if word and (family := family_of(word))), None)


def settle(routes: list[Route], known: list[bool], hint: IpFamily | None) -> list[Route]:
    """Give a `default` without any address the family of the routes around it.

    iproute2 prints one family after the other, so the route before tells; else the one after.

    Args:
        routes: In the order of the text.
        known: For each whether its own words told the family.
        hint: Family by the command (`ip -6 route`), where it is known.
    """
    if all(known):
        return routes
    told: list[IpFamily] = [route.family for route, sure in zip(routes, known, strict=True) if sure]
    current = hint or (told[0] if told else "ipv4")
    settled = []
    for route, sure in zip(routes, known, strict=True):
        if sure:
            current = route.family
        settled.append(route if sure else replace(route, family=hint or current))
    return settled

"""One routing table: the routes for a destination in the order in which the kernel tries them."""

from __future__ import annotations

from collections.abc import Iterator
from socket import AF_INET, AF_INET6, inet_pton

from calitop.model.network import IpFamily, Route

TABLE_NAMES = {"255": "local", "254": "main", "253": "default"}
"""Names of the tables that the kernel itself makes (include/uapi/linux/rtnetlink.h)."""

WIDTH: dict[IpFamily, int] = {"ipv4": 32, "ipv6": 128}


class Fib:
    """The routes of one table, by prefix.

    Args:
        family: Family of all the routes.
        routes: In any order; one whose destination is no prefix is left out.
    """

    def __init__(self, family: IpFamily, routes: list[Route]) -> None:
        self._width = WIDTH[family]
        self._by_prefix: dict[int, dict[int, list[Route]]] = {}
        for route in routes:
            self._add(route)
        for networks in self._by_prefix.values():
            for same in networks.values():
                same.sort(key=_kernel_order)
        self._lengths = sorted(self._by_prefix, reverse=True)

    def candidates(self, dst: int) -> Iterator[tuple[int, Route]]:
        """Prefix length and route of all that hold the address, the longest prefix first, then by metric."""
        for length in self._lengths:
            shift = self._width - length
            for route in self._by_prefix[length].get(dst >> shift << shift, ()):
                yield length, route

    def routes(self) -> Iterator[Route]:
        """All routes."""
        for networks in self._by_prefix.values():
            for same in networks.values():
                yield from same

    def _add(self, route: Route) -> None:
        prefix = prefix_of(route, self._width)
        if prefix is not None:
            self._by_prefix.setdefault(prefix[0], {}).setdefault(prefix[1], []).append(route)


def prefix_of(route: Route, width: int) -> tuple[int, int] | None:
    """Length and number of a route's destination."""
    if route.dst == "default":
        return 0, 0
    address, slash, digits = route.dst.partition("/")
    try:
        number = int.from_bytes(inet_pton(AF_INET if width == WIDTH["ipv4"] else AF_INET6, address), "big")
        length = int(digits) if slash else width
    except (OSError, ValueError):
        return None
    shift = width - length
    return (length, number >> shift << shift) if 0 <= length <= width else None


def _kernel_order(route: Route) -> tuple[int, int]:
    """Larger tos first, then smaller metric; equal ones stay in the order of the listing."""
    return -(tos_of(route) or 0), route.metric


def tos_of(route: Route) -> int | None:
    """The tos of a route as a number; 0 where it has none, None where its words are no number."""
    if route.tos is None:
        return 0
    try:
        return int(route.tos, 0)
    except ValueError:
        return _TOS_NAMES.get(route.tos)


_TOS_NAMES = {
    **{"default": 0x00, "lowdelay": 0x10, "throughput": 0x08, "reliability": 0x04, "mincost": 0x02},
    **{f"CS{number}": number << 5 for number in range(8)},
    **{f"AF{kind}{drop}": kind << 5 | drop << 3 for kind in range(1, 5) for drop in range(1, 4)},
    **{"EF": 0xB8},
}
"""As in iproute2's rt_dsfield; the letters stand for classes of differentiated services."""

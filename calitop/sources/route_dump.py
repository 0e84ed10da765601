"""Routes straight from the kernel, in the words of `ip route`; a message seen before costs a lookup.

Only what is common is understood. A route with anything else (an encapsulation, a type of service,
a metric that `ip` prints in units) raises, and `ip -j route` is asked instead, which knows it all.

Source: include/uapi/linux/rtnetlink.h; print_route in iproute2's ip/iproute.c.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from calitop.model.network import IpFamily, NextHop, Route
from calitop.sources.iproute_names import Names
from calitop.sources.netlink import attributes, dump

RTM_GETROUTE = 26
_HEADER = struct.Struct("=8BI")
"""struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags."""
_TABLE_AT, _DST_AT, _ADDRESS_AT = 12, 20, 24
"""Where the kernel writes RTA_TABLE, RTA_DST and the address in it: before all other attributes."""
_HOP = struct.Struct("=HBBi")
"""struct rtnexthop: length, flags, hops, ifindex."""
_CACHE_INFO = struct.Struct("=8xii")
"""Of struct rta_cacheinfo the time left and the error."""
_DST, _OIF, _GATEWAY, _PRIORITY, _PREFSRC, _METRICS, _MULTIPATH = 1, 4, 5, 6, 7, 8, 9
_CACHEINFO, _TABLE, _VIA, _PREF, _NH_ID = 12, 15, 18, 20, 30
_UNDERSTOOD = frozenset(
    (_DST, _OIF, _GATEWAY, _PRIORITY, _PREFSRC, _METRICS, _MULTIPATH, _CACHEINFO, _TABLE, _VIA, _PREF, _NH_ID)
)
_TABLE_HEAD = struct.pack("=HH", 8, _TABLE)
_DETAILS = frozenset((_METRICS, _CACHEINFO, _PREF))
_EXPIRES = "expires"
_CLONED = 0x200
_UNPRINTED = 0x800
"""RTM_F_PREFIX."""
_FLAGS = {
    1: "dead",
    4: "onlink",
    2: "pervasive",
    8: "offload",
    64: "trap",
    16: "linkdown",
    32: "unresolved",
}
"""RTNH_F_…, in the order in which `ip` prints them."""
_ALL_FLAGS = sum(_FLAGS)
_TYPES = (
    *("none", "unicast", "local", "broadcast", "anycast", "multicast"),
    *("blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"),
)
_PREFERENCES = {0: "medium", 1: "high", 3: "low"}
_METRIC_NAMES = {
    2: "mtu",
    3: "window",
    6: "ssthresh",
    7: "cwnd",
    8: "advmss",
    9: "reordering",
    10: "hoplimit",
    11: "initcwnd",
    14: "initrwnd",
    15: "quickack",
}
"""RTAX_… whose numbers `ip` prints as they are."""
_BOOT, _UNIVERSE = 3, 0
_USER_HZ = 100
_FAMILY: dict[IpFamily, socket.AddressFamily] = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


class NotUnderstoodError(Exception):
    """A route holds what only `ip` can put into words."""


class RouteDump:
    """The routes of one family in the calling thread's namespace.

    Args:
        family: Which family.
        names: Names of tables, protocols and scopes.
    """

    def __init__(self, family: IpFamily, names: Names) -> None:
        self.family = family
        self._names = names
        self._devices: dict[int, str] = {}
        self._length = 4 if family == "ipv4" else 16
        self._dst_head = struct.pack("=HH", 4 + self._length, _DST)
        self._alike: dict[bytes, tuple[Any, ...] | None] = {}
        """What messages tell that are equal but for the destination."""
        self._known: dict[bytes, Route | None] = {}
        self._last: tuple[Route, ...] = ()

    def read(self) -> tuple[Route, ...]:
        """All routes, in the kernel's order; the very same answer while nothing but lifetimes changed.

        Raises:
            NotUnderstoodError: `ip` must be asked.
            OSError: The kernel does not tell.
        """
        self._look_at_devices()
        bodies = dump(RTM_GETROUTE, _HEADER.pack(_FAMILY[self.family], *bytes(7), 0))
        known = self._known
        self._known = {body: known[body] if body in known else self._route(body) for body in bodies}
        found = tuple([route for body in bodies if (route := self._known[body]) is not None])
        if not _same(found, self._last):
            self._last = found
        return self._last

    def _look_at_devices(self) -> None:
        """Forget what was made with names that devices no longer have."""
        if any(_device(index) != name for index, name in self._devices.items()):
            self._devices.clear()
            self._alike.clear()
            self._known.clear()

    def _route(self, body: bytes) -> Route | None:
        """The route in a message; None for an entry of the cache, which is no route."""
        end = _ADDRESS_AT + self._length
        address: bytes | None
        if body[_TABLE_AT : _TABLE_AT + 4] == _TABLE_HEAD and body[_DST_AT:_ADDRESS_AT] == self._dst_head:
            alike, address = body[:_ADDRESS_AT] + body[end:], body[_ADDRESS_AT:end]
        else:
            alike, address = body, attributes(body, _HEADER.size).get(_DST)
        if alike not in self._alike:
            self._alike[alike] = self._words(body)
        words = self._alike[alike]
        return None if words is None else Route(self.family, _destination(address, body[1]), *words)

    def _words(self, body: bytes) -> tuple[Any, ...] | None:
        """The fields of the route in a message that follow its destination, in the record's order."""
        _family, _length, from_length, tos, table, protocol, scope, kind, flags = _HEADER.unpack_from(body)
        if flags & _CLONED:
            return None
        told = attributes(body, _HEADER.size)
        if from_length or tos or kind >= len(_TYPES) or not told.keys() <= _UNDERSTOOD:
            raise NotUnderstoodError
        table = _number(told[_TABLE]) if _TABLE in told else table
        mtu, other = _details(told) if _DETAILS & told.keys() else (None, ())
        return (
            self._names.tables.get(table, str(table)),
            _TYPES[kind],
            (),
            _gateway(told),
            self._device_of(told),
            _address(told[_PREFSRC]) if _PREFSRC in told else None,
            None if protocol == _BOOT else self._names.protocols.get(protocol, str(protocol)),
            None if scope == _UNIVERSE else self._names.scopes.get(scope, str(scope)),
            _number(told[_PRIORITY]) if _PRIORITY in told else 0,
            _flags(flags),
            tuple(self._hops(told[_MULTIPATH])) if _MULTIPATH in told else (),
            _number(told[_NH_ID]) if _NH_ID in told else None,
            mtu,
            None,
            other,
        )

    def _device_of(self, told: dict[int, bytes]) -> str | None:
        return self._device(_number(told[_OIF])) if _OIF in told else None

    def _device(self, index: int) -> str:
        if index not in self._devices:
            name = _device(index)
            if name is None:
                raise NotUnderstoodError
            self._devices[index] = name
        return self._devices[index]

    def _hops(self, data: bytes) -> Iterator[NextHop]:
        place = 0
        while place + _HOP.size <= len(data):
            length, flags, hops, index = _HOP.unpack_from(data, place)
            told = attributes(data[place : place + length], _HOP.size)
            if not told.keys() <= {_GATEWAY, _VIA}:
                raise NotUnderstoodError
            yield NextHop(_gateway(told), self._device(index), hops + 1, _flags(flags))
            place += max(_HOP.size, (length + 3) & ~3)


def _destination(address: bytes | None, length: int) -> str:
    if length == 0:
        return "default"
    if address is None:
        raise NotUnderstoodError
    return f"{_address(address)}/{length}"


def _details(told: dict[int, bytes]) -> tuple[int | None, tuple[str, ...]]:
    """The MTU, and what calitop does not evaluate, as the parser of `ip -j route` gives them."""
    metrics = dict(_metrics(told[_METRICS])) if _METRICS in told else {}
    mtu = metrics.pop("mtu", None)
    other: dict[str, str | int] = {}
    expires, error = _CACHE_INFO.unpack_from(told[_CACHEINFO]) if _CACHEINFO in told else (0, 0)
    if expires:
        other[_EXPIRES] = expires // _USER_HZ
    if _PREF in told:
        other["pref"] = _PREFERENCES.get(told[_PREF][0], told[_PREF][0])
    if error:
        other["error"] = error
    return mtu, tuple([f"{name} {value}" for name, value in (*other.items(), *metrics.items())])


def _metrics(data: bytes) -> Iterator[tuple[str, int]]:
    for kind, value in attributes(data).items():
        if kind not in _METRIC_NAMES:
            raise NotUnderstoodError
        yield _METRIC_NAMES[kind], _number(value)


def _gateway(told: dict[int, bytes]) -> str | None:
    """The gateway; one of the other family stands behind its family in RTA_VIA."""
    if _VIA in told:
        return _address(told[_VIA][2:])
    return _address(told[_GATEWAY]) if _GATEWAY in told else None


def _flags(bits: int) -> tuple[str, ...]:
    if not bits:
        return ()
    if bits & ~(_ALL_FLAGS | _UNPRINTED):
        raise NotUnderstoodError
    return tuple([name for bit, name in _FLAGS.items() if bits & bit])


def _address(data: bytes) -> str:
    if len(data) == 4:
        return socket.inet_ntoa(data)
    if len(data) != 16:
        raise NotUnderstoodError
    return socket.inet_ntop(socket.AF_INET6, data)


def _number(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)


def _device(index: int) -> str | None:
    """The name that a device has now; None where it is gone."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return None


def _same(a: tuple[Route, ...], b: tuple[Route, ...]) -> bool:
    """Whether two listings differ in lifetimes only."""
    return len(a) == len(b) and all(x is y or _lasting(x) == _lasting(y) for x, y in zip(a, b, strict=True))


def _lasting(route: Route) -> Route:
    if not any(word.startswith(_EXPIRES) for word in route.other):
        return route
    return replace(route, other=tuple(word for word in route.other if not word.startswith(_EXPIRES)))

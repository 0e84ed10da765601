"""What /proc/sys/net/ipv4/conf and ipv6/conf hold for each device, out of one dump of the links.

A thousand devices have more than 30,000 files there; the kernel tells the same numbers in
IFLA_AF_SPEC of every link, in a hundredth of the time.
Source: include/uapi/linux/if_link.h, ip.h (IPV4_DEVCONF_…), ipv6.h (DEVCONF_…).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from calitop.sources.netlink import attributes, dump

_RTM_GETLINK = 18
_LINK_HEADER = 16
_IFLA_IFNAME, _IFLA_AF_SPEC, _IFLA_EXT_MASK = 3, 26, 29
_WITHOUT_STATISTICS = 1 << 3
_AF_INET, _AF_INET6 = 2, 10
_IFLA_INET_CONF, _IFLA_INET6_CONF = 1, 2

CONF_IPV4 = {
    "accept_local": 22,
    "accept_redirects": 3,
    "accept_source_route": 8,
    "arp_announce": 17,
    "arp_filter": 12,
    "arp_ignore": 18,
    "bc_forwarding": 31,
    "disable_policy": 15,
    "disable_xfrm": 14,
    "drop_unicast_in_l2_multicast": 29,
    "forwarding": 0,
    "ignore_routes_with_linkdown": 28,
    "log_martians": 10,
    "mc_forwarding": 1,
    "proxy_arp": 2,
    "proxy_arp_pvlan": 24,
    "route_localnet": 25,
    "rp_filter": 7,
    "secure_redirects": 4,
    "send_redirects": 5,
    "shared_media": 6,
    "src_valid_mark": 23,
}
"""Settings that rule over packets, each with its place in IFLA_INET_CONF (IPV4_DEVCONF_… - 1)."""
CONF_IPV6 = {
    "accept_ra": 3,
    "accept_redirects": 4,
    "accept_source_route": 24,
    "autoconf": 5,
    "disable_ipv6": 26,
    "disable_policy": 48,
    "force_forwarding": 59,
    "forwarding": 0,
    "mc_forwarding": 25,
    "proxy_ndp": 22,
}
"""The same for IPv6, with their places in IFLA_INET6_CONF (DEVCONF_…)."""


class DeviceSettings(NamedTuple):
    """What one message tells of a device."""

    device: str
    values: Mapping[str, str]
    """By the path of a setting's file below /proc/sys, what it holds."""


def device_messages() -> list[bytes]:
    """A message for each device, without statistics: two equal ones tell the same settings.

    Raises:
        OSError: The kernel does not tell.
    """
    request = bytes(_LINK_HEADER) + struct.pack("=HHI", 8, _IFLA_EXT_MASK, _WITHOUT_STATISTICS)
    return dump(_RTM_GETLINK, request)


def device_settings(message: bytes) -> DeviceSettings:
    """The settings in a message of `device_messages`."""
    told = attributes(message, _LINK_HEADER)
    name = told.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode("utf-8", "surrogateescape")
    return DeviceSettings(name, dict(_values(name, attributes(told.get(_IFLA_AF_SPEC, b"")))))


def _values(name: str, families: Mapping[int, bytes]) -> Iterator[tuple[str, str]]:
    for family, kind, folder, places in _FAMILIES:
        values = attributes(families.get(family, b"")).get(kind, b"")
        numbers = struct.unpack(f"={len(values) // 4}i", values)
        for setting, place in places.items():
            if place < len(numbers):
                yield f"{folder}/{name}/{setting}", str(numbers[place])


_FAMILIES = (
    (_AF_INET, _IFLA_INET_CONF, "net/ipv4/conf", CONF_IPV4),
    (_AF_INET6, _IFLA_INET6_CONF, "net/ipv6/conf", CONF_IPV6),
)

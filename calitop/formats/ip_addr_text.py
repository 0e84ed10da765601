"""`ip [-4|-6] [-o] addr` as text: devices with their addresses.

Source: print_addrinfo in iproute2's ip/ipaddress.c; the devices are those of `ip link`.
"""

from __future__ import annotations

from dataclasses import replace

from calitop.formats import ip_link_text
from calitop.formats.fragment import Fragment

KIND = "ip addr"


def looks_like(text: str) -> bool:
    """Whether the text is a listing of devices that names addresses."""
    return ip_link_text.looks_like_devices(text) and ip_link_text.has_addresses(text)


def parse(text: str) -> Fragment:
    """The devices and their addresses."""
    return replace(ip_link_text.parse(text), richness=4)

"""`ip -j [-d] [-s] addr`: network devices with their addresses.

Source: print_addrinfo in iproute2's ip/ipaddress.c; the devices are those of `ip -j link`.
"""

from __future__ import annotations

from dataclasses import replace

from calitop.formats import ip_link_json
from calitop.formats.fragment import Fragment
from calitop.formats.json_reading import has_key, head_of_json

KIND = "ip addr (json)"


def looks_like(text: str) -> bool:
    """Whether the text is a JSON list of devices with addresses."""
    return has_key(head_of_json(text), "ifname", "addr_info")


def parse(text: str) -> Fragment:
    """The devices and their addresses."""
    return replace(ip_link_json.parse(text), richness=7)

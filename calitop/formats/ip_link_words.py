"""What the listings of devices share: kinds by link type, peers by name, addresses with length."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import replace

from calitop.formats.reading import whole_number
from calitop.model.network import Link

KIND_OF_TYPE = {"ipip": "ipip", "sit": "sit", "gre": "gre", "gre6": "ip6gre", "tunnel6": "ip6tnl"}
"""Kinds that the hardware type alone tells (`link/ipip`), where a listing has no details."""

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5,}", re.IGNORECASE)
_FAR_INDEX = re.compile(r"if(\d{1,10})", re.ASCII)


def is_mac(word: str) -> bool:
    """Whether a link address is a hardware address and not an endpoint of a tunnel."""
    return _MAC.fullmatch(word) is not None


def split_name(word: str) -> tuple[str, str | None, int | None]:
    """The name, the peer and the peer's index of `cali7cd4eff55c7@if3`.

    Returns:
        The peer is None where there is no `@`, or `@NONE`.
    """
    name, at, peer = word.rpartition("@")
    if not at or not name:
        return word, None, None
    far = _FAR_INDEX.fullmatch(peer)
    return name, None if peer == "NONE" else peer, whole_number(far[1]) if far else None


def address_with_length(local: str, peer: str, length: int) -> str | None:
    """A device's own address with its length.

    Args:
        local: The address.
        peer: Address at the other end of a point-to-point link, else `local` again.
        length: Prefix length; it belongs to the peer's address.

    Returns:
        None for what is no address. An own address outside the peer's prefix stands alone.
    """
    try:
        own = ipaddress.ip_address(local)
        network = ipaddress.ip_network(f"{peer}/{length}", strict=False)
    except ValueError:
        return None
    alone = own.version != network.version or own not in network
    return f"{local}/{own.max_prefixlen if alone else length}"


def name_peers(links: Sequence[Link]) -> list[Link]:
    """The links with the peer's index where the peer stands by name in the same listing."""
    index_of = {link.name: link.index for link in links}
    return [
        replace(link, peer_index=index_of[link.peer])
        if link.peer_index is None and link.peer in index_of
        else link
        for link in links
    ]

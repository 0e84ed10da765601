"""Where a packet goes that meets a rule with a verdict map (nft)."""

from __future__ import annotations

from typing import NamedTuple

from calitop.cni.map_index import MapIndex
from calitop.hits.targets import ENDING
from calitop.model.rules import ChainKey, MapKey, Rule
from calitop.path.packet import NO_DEVICE, Packet
from calitop.path.three import Truth


class Through(NamedTuple):
    """What a verdict map does with a packet."""

    fits: Truth
    """Whether an element fits; None where that is open."""
    targets: tuple[ChainKey, ...] = ()
    """The one chain that the element leads to; none where it is open which element fits."""
    ends: bool = False
    """Whether the packet does not come back to the next rule."""


def through_map(maps: MapIndex, key: ChainKey, rule: Rule, packet: Packet) -> Through | None:
    """What the rule's verdict map does; None for a rule without one.

    A map that is keyed by an interface's name alone is decided, every other one is open.
    """
    if rule.language != "nft" or "vmap" not in rule.text:
        return None
    map_key = maps.deciding(key, rule)
    if map_key is None:
        return Through(None)
    for field, device in (("iifname", packet.iif), ("oifname", packet.oif)):
        if f"{field} vmap @{map_key.name}" in rule.text and device is not None:
            return _by_interface(maps, map_key, device)
    return Through(None)


def _by_interface(maps: MapIndex, key: MapKey, device: str) -> Through:
    at = None if device == NO_DEVICE else maps.place_of_interface(key, device)
    if at is None:
        return Through(False if maps.maps[key].complete else None)
    target, lead = maps.target(key, at), maps.lead(key, at)
    ends = lead is not None and (lead.verb == "goto" or lead.target in ENDING or lead.target == "RETURN")
    return Through(True, (target,) if target is not None else (), ends)

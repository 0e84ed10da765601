"""The address that the kernel takes where a sender or a rule names none.

Which addresses are secondary follows from their order: one of a network that an earlier one of the
device has already is.

Source: inet_select_addr in net/ipv4/devinet.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from calitop.model.network import IpFamily
from calitop.model.values import Address
from calitop.path.world import AddressWithNetwork, World


def own_address(world: World, dev: str, family: IpFamily, near: Address | None = None) -> Address | None:
    """The source for what leaves by a device; None where no device has one, or none was read.

    Args:
        world: The node.
        dev: Device by which the packet leaves.
        family: Family of the packet.
        near: An address of the device's network that goes before the first address (the next hop).
    """
    own = list(_primary(world, dev, family))
    beside = (one.ip for one in own if near is not None and near in one.network)
    found = next(beside, None) or next((one.ip for one in own), None)
    others = (one.ip for name in world.links for one in _primary(world, name, family))
    return found or next(others, None)


def _primary(world: World, dev: str, family: IpFamily) -> Iterator[AddressWithNetwork]:
    """The device's first addresses of each network that more than the device itself can reach."""
    networks = set()
    for one in world.prefixes(dev, family):
        is_narrow = one.ip.is_loopback or (family == "ipv6" and one.ip.is_link_local)
        if one.network not in networks and not is_narrow:
            yield one
        networks.add(one.network)

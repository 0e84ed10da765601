"""The kind of an address by the routing table, as `addrtype` and `fib … type` ask for it.

IPv4 looks in table local only, so everything that is not there is UNICAST.

Source: __inet_dev_addr_type in net/ipv4/fib_frontend.c, xt_addrtype.c.
"""

from __future__ import annotations

from calitop.model.network import IpFamily
from calitop.model.values import Address
from calitop.path.fib import Fib, tos_of
from calitop.path.policy import REJECTS, THROW
from calitop.path.three import Truth
from calitop.path.world import World

_ALL_ONES = 0xFFFFFFFF


def address_type(world: World, address: Address, dev: str | None = None) -> str | None:
    """The kind of an address in addrtype's words (`LOCAL`, `UNICAST` …); None where it is not known.

    Args:
        world: The node.
        address: The address.
        dev: Where given, only what belongs to this device counts as anything but UNICAST.
    """
    if address.is_multicast:
        return "MULTICAST"
    if address.version == 6:
        return _type6(world, address, dev)
    if int(address) == _ALL_ONES or int(address) >> 24 == 0:
        return "BROADCAST"
    fib = world.fib("ipv4", "local")
    if fib is None:
        return _by_owner(world, address, dev)
    merged = world.merged(int(address))
    found = {_in_table(one, int(address), dev) for one in (fib, merged) if one is not None}
    return found.pop() if len(found) == 1 else None


def _in_table(fib: Fib, address: int, dev: str | None) -> str:
    """The kind of the first route that holds the address; a refusing one is as good as none."""
    route = next((route for _, route in fib.candidates(address) if tos_of(route) == 0), None)
    if route is None or route.type is None or route.type in REJECTS or route.type == THROW:
        return "UNICAST"
    return route.type.upper() if dev is None or route.dev == dev else "UNICAST"


def is_local(world: World, address: Address) -> Truth:
    """Whether the address is one of this node's own; None where that is not known."""
    found = address_type(world, address)
    return None if found is None else found == "LOCAL"


def _by_owner(world: World, address: Address, dev: str | None) -> str | None:
    """Where no table was read: an address that a device holds is local, of others nothing is known."""
    owners = world.owners.get(address)
    if owners is None:
        return "LOCAL" if address.is_loopback and dev in (None, "lo") else None
    return "LOCAL" if dev is None or dev in owners else "UNICAST"


def _type6(world: World, address: Address, dev: str | None) -> str | None:
    """IPv6 tells LOCAL from the rest; whether another address has a route is not asked here."""
    family: IpFamily = "ipv6"
    fib = world.fib(family, "local")
    if fib is None:
        return _by_owner(world, address, dev)
    route = next((route for _, route in fib.candidates(int(address))), None)
    if route is None or route.type is None:
        return "UNICAST"
    if dev is not None and dev not in world.owners.get(address, (route.dev,)):
        return "UNICAST"
    return route.type.upper()

"""The address that the kernel takes where nobody names one."""

from __future__ import annotations

from ipaddress import ip_address

from calitop.model.network import Link
from calitop.model.node import NodeState
from calitop.path.own_address import own_address
from calitop.path.world import World


def world(**addresses: tuple[str, ...]) -> World:
    return World(NodeState(links=tuple(Link(name=name, addresses=own) for name, own in addresses.items())))


def test_the_first_address_of_the_device_is_taken() -> None:
    node = world(eth0=("10.0.0.1/24", "10.0.1.1/24"))
    assert own_address(node, "eth0", "ipv4") == ip_address("10.0.0.1")


def test_an_address_of_the_next_hops_network_goes_first_unless_it_is_secondary() -> None:
    node = world(eth0=("10.0.0.1/24", "10.0.1.1/24", "10.0.1.2/24"))
    assert own_address(node, "eth0", "ipv4", ip_address("10.0.1.9")) == ip_address("10.0.1.1")


def test_a_device_without_one_borrows_from_another_but_never_the_loopbacks() -> None:
    node = world(lo=("127.0.0.1/8",), tunl0=(), eth0=("10.0.0.1/24",))
    assert own_address(node, "tunl0", "ipv4") == ip_address("10.0.0.1")
    assert own_address(world(lo=("127.0.0.1/8",), tunl0=()), "tunl0", "ipv4") is None

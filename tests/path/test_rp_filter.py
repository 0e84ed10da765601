"""The reverse-path check over what was read and what was not."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from calitop.model.network import IpRule, Link, Route
from calitop.model.node import NodeState
from calitop.path.bits import UNKNOWN
from calitop.path.packet import Packet
from calitop.path.routing import lookup
from calitop.path.rp_filter import RpAnswer, check, mode
from calitop.path.world import World

OWN_RULES = (
    IpRule("ipv4", 0, table="local"),
    IpRule("ipv4", 32766, table="main"),
    IpRule("ipv4", 32767, table="default"),
)
ROUTES = (
    Route("ipv4", "10.222.2.0/24", gateway="10.222.1.160", dev="cilium_host"),
    Route("ipv4", "10.222.219.6/32", dev="calicbd8d7879b8", scope="link"),
    Route("ipv4", "10.222.1.160/32", "local", "local", dev="cilium_host"),
    Route("ipv4", "10.222.219.0/32", "local", "local", dev="tunl0"),
)
PACKET = Packet(
    family="ipv4", src=ip_address("10.222.2.82"), dst=ip_address("10.222.219.6"), iif="tunl0", mark=UNKNOWN
)


def world(all_: str | None, dev: str | None, addresses: tuple[str, ...] = ("10.222.219.0/32",)) -> World:
    settings = {"net.ipv4.conf.all.rp_filter": all_, "net.ipv4.conf.tunl0.rp_filter": dev}
    rest = {
        f"net.ipv4.conf.{scope}.{name}": "0"
        for scope in ("all", "tunl0")
        for name in ("accept_local", "src_valid_mark", "send_redirects", "route_localnet")
    }
    links = (
        Link("tunl0", kind="ipip", addresses=addresses),
        Link("cilium_host", kind="veth", addresses=("10.222.1.160/32",)),
        Link("lo", addresses=("127.0.0.1/8",), flags=("LOOPBACK",)),
    )
    known = {name: value for name, value in settings.items() if value is not None}
    return World(
        NodeState(
            routes=ROUTES,
            ip_rules=OWN_RULES,
            links=links,
            sysctls={**known, **rest, "net.ipv4.conf.tunl0.forwarding": "1"},
        )
    )


def answer(all_: str | None, dev: str | None, addresses: tuple[str, ...] = ("10.222.219.0/32",)) -> RpAnswer:
    return check(world(all_, dev, addresses), PACKET, "tunl0")


@pytest.mark.parametrize("all_", "012")
@pytest.mark.parametrize("dev", "012")
def test_the_larger_of_all_and_the_device_counts(all_: str, dev: str) -> None:
    """Work1 of the lab, three by three, as measured."""
    larger = max(int(all_), int(dev))
    found = answer(all_, dev)
    assert (found.mode, found.passes) == (larger, larger != 1)
    assert found.refusal == ("rp_filter" if larger == 1 else None)


def test_loose_is_strict_on_a_device_without_an_address() -> None:
    found = answer("0", "2", ())
    assert (found.passes, found.refusal, found.mode) == (False, "rp_filter", 2)
    assert "no IPv4 address" in found.because


def test_a_setting_that_was_not_read_leaves_it_open_and_is_named() -> None:
    found = answer("0", None)
    assert (found.passes, found.mode) == (None, None)
    assert found.missing == ("net.ipv4.conf.tunl0.rp_filter",)
    assert answer("2", None).passes is True, "no larger value exists"
    assert mode(world("2", None), "tunl0") == 2


def test_the_answer_names_the_way_back() -> None:
    found = answer("1", "0")
    assert found.back is not None and found.back.dev == "cilium_host"
    assert "10.222.2.82" in found.because and "cilium_host" in found.because


def test_this_nodes_own_address_as_source_is_martian_and_not_counted() -> None:
    own = Packet(family="ipv4", src=ip_address("10.222.1.160"), dst=PACKET.dst, iif="tunl0")
    found = check(world("0", "0"), own, "tunl0")
    assert (found.passes, found.refusal) == (False, "martian_source")


def test_a_lookup_of_what_came_in_ends_at_the_check() -> None:
    way = lookup(world("1", "0"), PACKET.dst, PACKET.src, iif="tunl0").way
    assert way is not None and (way.type, way.error) == ("rp_filter", "EXDEV")
    both = lookup(world("0", None), PACKET.dst, PACKET.src, iif="tunl0")
    assert {one.type for one in both.ways} == {"rp_filter", "unicast"}
    assert both.missing == ("net.ipv4.conf.tunl0.rp_filter",)


def test_nothing_read_is_nothing_known() -> None:
    empty = World(NodeState())
    assert check(empty, PACKET, "tunl0").passes is None
    found = lookup(empty, PACKET.dst, PACKET.src)
    assert found.way is None and found.missing == ("ip route show table all",)

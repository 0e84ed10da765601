"""What NAT makes of a packet: DNAT, SNAT, MASQUERADE, REDIRECT and NETMAP.

Source: nf_nat_setup_info in net/netfilter/nf_nat_core.c, nf_nat_masquerade.c, nf_nat_redirect.c.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from calitop.model.targets import Nat, NatRange
from calitop.model.values import Address, Network, Range
from calitop.path.own_address import own_address
from calitop.path.packet import NOWHERE, WITH_PORTS, Packet
from calitop.path.routing import lookup_packet
from calitop.path.three import Truth
from calitop.path.world import World

SOURCE_HOOKS = ("POSTROUTING", "INPUT")
"""Hooks at which a source is rewritten; at the others it is the destination."""
_LOOPBACK: dict[str, Address] = {"ipv4": IPv4Address("127.0.0.1"), "ipv6": IPv6Address("::1")}


class NoAddressError(Exception):
    """The kernel finds no address to put in place and drops the packet."""


def is_rewritten(packet: Packet, hook: str) -> bool | None:
    """Whether the connection already has a binding of the kind that a hook makes."""
    if hook in SOURCE_HOOKS:
        return "snat" in packet.bound or packet.snat
    return "dnat" in packet.bound or packet.dnat


def rewritten(nat: Nat, packet: Packet, hook: str, world: World) -> Packet:
    """The packet behind the rule; a field that the kernel may choose from several is None.

    Raises:
        NoAddressError: There is no address to masquerade with or to redirect to.
    """
    began = packet if packet.original != NOWHERE else replace(packet, original=packet.ends)
    behind = _KINDS[nat.kind](nat, began, hook, world)
    own, new = packet.ends, behind.ends
    if hook in SOURCE_HOOKS:
        is_other = _differ((own.src, own.sport), (new.src, new.sport))
        return replace(behind, snat=is_other, bound=behind.bound | {"snat"})
    is_other = _differ((own.dst, own.dport), (new.dst, new.dport))
    return replace(behind, dnat=is_other, bound=behind.bound | {"dnat"})


def _differ(old: tuple[object, object], new: tuple[object, object]) -> Truth:
    """Whether the kernel notes a rewriting: putting in what was there already is none."""
    known = [(one, other) for one, other in zip(old, new, strict=True) if other is not None or one is None]
    if any(one != other for one, other in known):
        return True
    return None if len(known) < len(old) else False


def _dnat(nat: Nat, packet: Packet, hook: str, world: World) -> Packet:
    chosen = nat.ranges[0] if len(nat.ranges) == 1 else NatRange()
    dst = _address(chosen, packet.dst, len(nat.ranges))
    return replace(packet, dst=dst, dport=_port(chosen.ports, packet.dport, packet, nat))


def _snat(nat: Nat, packet: Packet, hook: str, world: World) -> Packet:
    chosen = nat.ranges[0] if len(nat.ranges) == 1 else NatRange()
    src = _address(chosen, packet.src, len(nat.ranges))
    return replace(packet, src=src, sport=_port(chosen.ports, packet.sport, packet, nat))


def _address(chosen: NatRange, own: Address | None, ranges: int) -> Address | None:
    if ranges > 1:
        return None
    if chosen.first is None:
        return own
    return chosen.first if chosen.last in (None, chosen.first) else None


def _port(wanted: Range | None, own: int | None, packet: Packet, nat: Nat) -> int | None:
    """The port behind it: kept unless the rule names others or asks for chance."""
    if packet.protocol not in WITH_PORTS:
        return own
    if wanted is None:
        return None if nat.flags & {"random", "random-fully"} else own
    return wanted.first if wanted.first == wanted.last else None


def _masquerade(nat: Nat, packet: Packet, hook: str, world: World) -> Packet:
    ports = nat.ranges[0].ports if nat.ranges else None
    src = _own_address(packet, world)
    return replace(packet, src=src, sport=_port(ports, packet.sport, packet, nat))


def _own_address(packet: Packet, world: World) -> Address | None:
    """The address of the output device that the kernel takes: one of the next hop's network, else the first.

    Raises:
        NoAddressError: No device has one.
    """
    if packet.oif is None or not world.addresses_known:
        return None
    ways = lookup_packet(world, packet).ways
    gateway = next((way.gateway for way in ways if way.dev == packet.oif), None)
    hop = ip_address(gateway) if gateway else packet.dst
    found = own_address(world, packet.oif, packet.family, hop)
    if found is None:
        raise NoAddressError(f"no address to masquerade with on {packet.oif}")
    return found


def _redirect(nat: Nat, packet: Packet, hook: str, world: World) -> Packet:
    ports = nat.ranges[0].ports if nat.ranges else None
    dport = _port(ports, packet.dport, packet, nat)
    return replace(packet, dst=_redirected(packet, hook, world), dport=dport)


def _redirected(packet: Packet, hook: str, world: World) -> Address | None:
    if hook == "OUTPUT":
        return _LOOPBACK[packet.family]
    own = world.addresses(packet.iif, packet.family) if packet.iif else None
    if own == ():
        raise NoAddressError(f"no address to redirect to on {packet.iif}")
    return own[0] if own else None


def _netmap(nat: Nat, packet: Packet, hook: str, world: World) -> Packet:
    if hook in SOURCE_HOOKS:
        return replace(packet, src=_mapped(nat.network, packet.src))
    return replace(packet, dst=_mapped(nat.network, packet.dst))


def _mapped(network: Network | None, own: Address | None) -> Address | None:
    if network is None or own is None:
        return None
    rest = int(own) & int(network.hostmask)
    return ip_address(int(network.network_address) | rest) if own.version == network.version else None


_KINDS = {
    "dnat": _dnat,
    "snat": _snat,
    "masquerade": _masquerade,
    "redirect": _redirect,
    "netmap": _netmap,
}

"""The kernel's reverse-path check: does the way back to the source lead out of the device it came in by?

No rule shows it and no rule is asked. It comes after raw, mangle and nat PREROUTING, before INPUT and
FORWARD. A refusal for the path counts in TcpExt.IPReversePathFilter; a source that is no unicast
address (one of this node's own among them) is refused as martian and counts nowhere.

Source: fib_validate_source and __fib_validate_source in net/ipv4/fib_frontend.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from calitop.model.values import Address, NamePattern
from calitop.path.address_types import address_type
from calitop.path.bits import NO_MARK, Bits
from calitop.path.devices import is_named
from calitop.path.packet import Packet
from calitop.path.policy import LOOPBACK, NO_ROUTE, REJECTS, UNKNOWN_WAY, Query, Way, distinct, fib_ways
from calitop.path.three import Truth
from calitop.path.world import World

Mode: TypeAlias = Literal[0, 1, 2]
Refusal: TypeAlias = Literal["rp_filter", "martian_source"]

OFF: Mode = 0
STRICT: Mode = 1
LOOSE: Mode = 2
_MODES: tuple[Mode, ...] = (OFF, STRICT, LOOSE)
_WORDS = {OFF: "off", STRICT: "strict", LOOSE: "loose"}


@dataclass(frozen=True, slots=True)
class RpAnswer:
    """Whether a packet passes the reverse-path check."""

    passes: Truth
    mode: Mode | None
    """max(all, device); None where a setting that decides was not read."""
    because: str
    """One clause, in words."""
    missing: tuple[str, ...] = ()
    """Settings and commands that would decide, where `passes` is None."""
    refusal: Refusal | None = None
    """What refuses it: `rp_filter` (counted in IPReversePathFilter), or `martian_source` (not counted)."""
    back: Way | None = None
    """The way back to the source, where the kernel looks it up (not with the check off) and it is certain."""


def mode(world: World, dev: str) -> Mode | None:
    """The check's mode on a device: the larger of `all` and its own; None where that is not known."""
    found = _possible_modes(world, dev)
    return found[0] if len(found) == 1 else None


def check(world: World, packet: Packet, dev: str, out: str | None = None) -> RpAnswer:
    """Whether the kernel accepts the packet's source on the device it came in by.

    Args:
        world: The node.
        packet: The packet as it stands after PREROUTING.
        dev: The device it came in by.
        out: The device it is forwarded to, `lo` where it is for this node; None to look it up.
    """
    modes = _possible_modes(world, dev)
    known = modes[0] if len(modes) == 1 else None
    if packet.family == "ipv6":
        return RpAnswer(True, None, "IPv6 has no reverse-path check in the kernel")
    if world.is_loopback(dev):
        return RpAnswer(True, known, "what this node sends to itself is not checked")
    if packet.src is None:
        return RpAnswer(None, known, "the source is not known")
    case = _Case(world, packet, packet.src, dev)
    outs = (out,) if out is not None else case.outs()
    return _one([case.answer(one, mode) for one in outs for mode in modes], known, _unread_modes(world, dev))


def _possible_modes(world: World, dev: str) -> tuple[Mode, ...]:
    """The modes that what was read of `all` and the device leaves open."""
    settings = [_mode_of(world.setting(name, "rp_filter")) for name in ("all", dev)]
    low = max((value for value in settings if value is not None), default=OFF)
    return (low,) if None not in settings else tuple(mode for mode in _MODES if mode >= low)


def _mode_of(value: int | None) -> Mode | None:
    return None if value is None else STRICT if value == 1 else LOOSE if value >= 2 else OFF


def _unread_modes(world: World, dev: str) -> tuple[str, ...]:
    return tuple(
        world.setting_name(name, "rp_filter")
        for name in ("all", dev)
        if world.setting(name, "rp_filter") is None
    )


def _one(answers: list[RpAnswer], known: Mode | None, unread: tuple[str, ...]) -> RpAnswer:
    """What all possibilities agree on; where they differ, unknown with all that would decide."""
    first = answers[0]
    if len({answer.passes for answer in answers}) == 1 and first.passes is not None:
        refusal = first.refusal if len({answer.refusal for answer in answers}) == 1 else None
        return RpAnswer(first.passes, known, first.because, (), refusal, first.back)
    open_ones = [answer for answer in answers if answer.passes is None]
    missing = dict.fromkeys((*unread, *(name for answer in open_ones for name in answer.missing)))
    if open_ones:
        because = open_ones[0].because
    elif unread:
        because = f"{' and '.join(unread)} not read"
    else:
        because = "it depends on where the packet is forwarded to"
    return RpAnswer(None, known, because, tuple(missing), None, first.back)


class _Case:
    """One packet on one device."""

    def __init__(self, world: World, packet: Packet, src: Address, dev: str) -> None:
        self._world = world
        self._packet = packet
        self._src = src
        self._dev = dev

    def outs(self) -> tuple[str | None, ...]:
        """The devices it can be forwarded to, `lo` for this node; None where one is not known."""
        packet = self._packet
        if packet.dst is None:
            return (None,)
        query = Query(
            family="ipv4",
            dst=packet.dst,
            src=packet.src,
            iif=self._dev,
            mark=packet.mark,
            tos=packet.tos,
            protocol=packet.protocol,
            sport=packet.sport,
            dport=packet.dport,
        )
        ways = fib_ways(self._world, query)
        return tuple(dict.fromkeys(way.dev if way.type == "unicast" else LOOPBACK for way in ways))

    def answer(self, out: str | None, mode: Mode) -> RpAnswer:
        """The answer where the packet goes out by a device and the check has a mode."""
        if mode == OFF and not self._is_redirected(out):
            return self._unchecked(out)
        answers = [self._by_way(way, mode) for way in self._backs(out)]
        return _one(answers, mode, ())

    def _is_redirected(self, out: str | None) -> Truth:
        """Whether it leaves by the device it came in by, with redirects on: then the way is looked up."""
        if out is not None and out != self._dev:
            return False
        redirects = self._world.either(self._dev, "send_redirects")
        return redirects if out is not None else redirects and None

    def _unchecked(self, out: str | None) -> RpAnswer:
        """Mode 0: the way back is looked up only for sources that may be no other host's."""
        passed = RpAnswer(True, OFF, f"rp_filter is off on {self._dev}")
        kind = address_type(self._world, self._src)
        if self._world.either(self._dev, "accept_local"):
            return passed
        if self._world.only_own_rules("ipv4") and kind == "UNICAST":
            return passed
        if self._world.only_own_rules("ipv4") and kind is None and not self._world.addresses_known:
            return RpAnswer(None, OFF, "this node's addresses were not read", ("ip addr",))
        looked_up = [self._by_way(way, OFF) for way in self._backs(out)]
        # Only once a local route was added by hand does the kernel look up a broadcast source.
        return _one([*looked_up, passed] if kind == "BROADCAST" else looked_up, OFF, ())

    def _backs(self, out: str | None) -> Iterator[Way]:
        """The ways back to the source, as the kernel looks for them."""
        packet, valid = self._packet, self._world.either(self._dev, "src_valid_mark")
        mark = packet.mark if valid else NO_MARK if valid is False else packet.mark.common(Bits())
        query = Query(
            family="ipv4",
            dst=self._src,
            src=packet.dst,
            src_known=packet.dst is not None,
            iif=out,
            mark=mark,
            tos=packet.tos,
            protocol=packet.protocol,
            sport=packet.dport,
            dport=packet.sport,
        )
        yield from distinct(fib_ways(self._world, query))

    def _by_way(self, way: Way, mode: Mode) -> RpAnswer:
        if way.type == UNKNOWN_WAY:
            return RpAnswer(None, mode, way.depends[0] if way.depends else "", way.missing)
        if way.type == NO_ROUTE or way.type in REJECTS:
            return self._last_resort(f"there is no route back to {self._src}", mode, way)
        if way.type != "unicast":
            refused = self._not_unicast(way, mode)
            if refused is not None:
                return refused
        is_back = is_named(self._dev, tuple(NamePattern(name) for name in _devices(way) if name))
        if is_back or (way.type == "local" and self._world.is_loopback(self._dev)):
            return RpAnswer(True, mode, f"{self._src} is reached by {self._dev}", (), None, way)
        if is_back is None and mode != OFF:
            return RpAnswer(None, mode, f"whether {way.dev} is the device it came in by", ("ip link",))
        return self._other_device(way, mode)

    def _not_unicast(self, way: Way, mode: Mode) -> RpAnswer | None:
        """A source that is no other host's; None where it is this node's own and that is allowed."""
        accepts = self._world.either(self._dev, "accept_local") if way.type == "local" else False
        if accepts:
            return None
        what = "this node's own" if way.type == "local" else f"a {way.type} address"
        because = f"the source {self._src} is {what}"
        if accepts is None:
            return RpAnswer(None, mode, because, (self._world.setting_name(self._dev, "accept_local"),))
        return RpAnswer(False, mode, because, (), "martian_source", way)

    def _other_device(self, way: Way, mode: Mode) -> RpAnswer:
        leads = f"the way back to {self._src} leads out of {way.dev or 'another device'}, not {self._dev}"
        own = self._world.addresses(self._dev)
        if mode == OFF:
            return RpAnswer(True, mode, f"rp_filter is off on {self._dev}", (), None, way)
        if mode == STRICT:
            return RpAnswer(False, mode, f"rp_filter is strict on {self._dev}: {leads}", (), "rp_filter", way)
        if own is None:
            why = f"loose, but strict where {self._dev} has no address: {leads}"
            return RpAnswer(None, mode, why, (f"ip addr show dev {self._dev}",), None, way)
        if not own:
            why = f"rp_filter is loose, but {self._dev} has no IPv4 address and then it is strict: {leads}"
            return RpAnswer(False, mode, why, (), "rp_filter", way)
        return RpAnswer(
            True, mode, f"rp_filter is loose on {self._dev}, and the source has a route", (), None, way
        )

    def _last_resort(self, why: str, mode: Mode, way: Way) -> RpAnswer:
        if mode == OFF:
            return RpAnswer(True, mode, f"rp_filter is off on {self._dev}", (), None, way)
        because = f"rp_filter is {_WORDS[mode]} on {self._dev}: {why}"
        return RpAnswer(False, mode, because, (), "rp_filter", way)


def _devices(way: Way) -> frozenset[str | None]:
    """Every device of the route that was found: the kernel looks at all its next hops."""
    if way.route is None or not way.route.nexthops:
        return frozenset((way.dev,))
    return frozenset(hop.dev for hop in way.route.nexthops)

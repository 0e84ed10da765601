"""What a rule's target does to a packet that the rule takes, verdicts and chains aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from calitop.model import targets
from calitop.model.place import Where
from calitop.model.rules import ChainKey, TableKey
from calitop.model.targets import Action, Target
from calitop.path import set_changes
from calitop.path.bits import FULL, UNKNOWN, Bits
from calitop.path.flight import End, Flight
from calitop.path.nat import NoAddressError, rewritten
from calitop.path.node import Node
from calitop.path.packet import UNTRACKED

A = TypeVar("A", bound=Action)

GO_ON = frozenset(
    ("AUDIT", "CHECKSUM", "CLASSIFY", "CONNSECMARK", "IDLETIMER", "LED", "LOG", "NFLOG", "RATEEST", "SECMARK")
) | frozenset(("TCPMSS", "TCPOPTSTRIP", "TEE", "TRACE", "ULOG", "CONTINUE", "FLOWOFFLOAD"))
"""Targets after which the packet goes on as it was, as far as its way is concerned."""


@dataclass(frozen=True, slots=True)
class Site:
    """The rule whose target is applied."""

    node: Node
    hook: str
    key: ChainKey
    number: int | None

    @property
    def where(self) -> Where:
        """The rule as a place."""
        return Where.of_chain(self.node.name, "rule", self.key, self.number)


def apply(target: Target, flight: Flight, site: Site) -> Flight | End:
    """The flight behind the target, or its end there."""
    effect = _EFFECTS.get(type(target.action)) if target.action is not None else None
    if effect is not None and target.action is not None:
        return effect(target.action, flight, site)
    if target.name in GO_ON or target.action is not None:
        return flight
    if target.name == "NOTRACK":
        return _track(targets.Track(notrack=True), flight, site)
    if target.name in ("MARK", "CONNMARK", "HMARK"):
        return unmarked(flight)
    because = f"calitop does not know what target {target.name} does"
    return End(flight, "undecided", site.where, because, ("counters before and after a ping",))


def unmarked(flight: Flight) -> Flight:
    """The way behind rules that nobody has read: its marks may be anything."""
    packet = replace(flight.packet, mark=UNKNOWN, connmark=UNKNOWN)
    return replace(flight, packet=packet, epoch=flight.epoch + 1)


# -- marks


def _set_mark(action: targets.SetMark, flight: Flight, site: Site) -> Flight:
    packet = flight.packet
    if action.of == "connection" and packet.is_tracked is False:
        return flight
    old = packet.mark if action.of == "packet" else packet.connmark
    new = old.set_xmark(action.value, action.mask)
    turned = old.unknown_in(action.value & ~action.mask)
    if action.of == "packet":
        return _marked(flight, new, packet.connmark, answers_hold=not turned)
    return _marked(flight, packet.mark, new, answers_hold=not turned)


def _copy_mark(action: targets.CopyMark, flight: Flight, site: Site) -> Flight:
    packet = flight.packet
    if packet.is_tracked is False:
        return flight
    if action.restore:
        mark = packet.mark.copy_from(packet.connmark, action.packet_mask, action.connection_mask)
        return _marked(flight, mark, packet.connmark, answers_hold=mark.known == FULL)
    connmark = packet.connmark.copy_from(packet.mark, action.connection_mask, action.packet_mask)
    return _marked(flight, packet.mark, connmark, answers_hold=connmark.known == FULL)


def _marked(flight: Flight, mark: Bits, connmark: Bits, *, answers_hold: bool) -> Flight:
    """The flight with new marks; earlier answers about unknown bits fall where such bits changed."""
    changed = replace(flight.packet, mark=mark, connmark=connmark)
    return replace(flight, packet=changed, epoch=flight.epoch if answers_hold else flight.epoch + 1)


# -- everything else


def _nat(action: targets.Nat, flight: Flight, site: Site) -> Flight | End:
    try:
        return flight.carrying(rewritten(action, flight.packet, site.hook, site.node.world))
    except NoAddressError as error:
        return End(flight, "dropped", site.where, str(error))


def _track(action: targets.Track, flight: Flight, site: Site) -> Flight:
    if not action.notrack or flight.packet.is_tracked:
        return flight
    return flight.carrying(replace(flight.packet, ct_state=frozenset((UNTRACKED,))))


def _queue(action: targets.Queue, flight: Flight, site: Site) -> End:
    rest = "; without a listener the packet goes on (bypass)" if action.bypass else ""
    because = f"a program behind queue {action.numbers.first} decides{rest}"
    return End(flight, "undecided", site.where, because, ("the program that reads the queue",))


def _tproxy(action: targets.Tproxy, flight: Flight, site: Site) -> End:
    because = "a local proxy socket takes the packet (TPROXY) if there is one, which no file tells"
    return End(flight, "undecided", site.where, because, ("ss -tulpn",))


def _set_field(action: targets.SetField, flight: Flight, site: Site) -> Flight:
    packet = flight.packet
    if action.field == "dscp" and packet.tos is not None and action.value is not None:
        return flight.carrying(replace(packet, tos=packet.tos & 0x03 | action.value << 2))
    if action.field == "tos" and action.value is not None:
        mask = 0xFF if action.mask is None else action.mask
        tos = None if packet.tos is None else (packet.tos & ~mask) ^ action.value
        return flight.carrying(replace(packet, tos=tos))
    if action.field == "ttl":
        return flight.carrying(replace(packet, ttl=_changed(packet.ttl, action)))
    return flight


def _changed(ttl: int | None, action: targets.SetField) -> int | None:
    if action.value is not None or ttl is None or not action.change:
        return action.value
    return min(max(ttl + action.change, 0), 255)


def _change_set(action: targets.ChangeSet, flight: Flight, site: Site) -> Flight:
    key = site.key
    return set_changes.changed(action, flight, site.node.world, TableKey(key.family, key.backend, key.table))


def _go_on(action: Action, flight: Flight, site: Site) -> Flight:
    return flight


Effect = Callable[[Action, Flight, Site], "Flight | End"]


def _effect(kind: type[A], effect: Callable[[A, Flight, Site], Flight | End]) -> tuple[type[object], Effect]:
    return kind, cast("Effect", effect)


_EFFECTS = dict(
    (
        _effect(targets.SetMark, _set_mark),
        _effect(targets.CopyMark, _copy_mark),
        _effect(targets.Nat, _nat),
        _effect(targets.Track, _track),
        _effect(targets.Queue, _queue),
        _effect(targets.Tproxy, _tproxy),
        _effect(targets.SetField, _set_field),
        _effect(targets.Log, _go_on),
        _effect(targets.ChangeSet, _change_set),
    )
)

"""Possible ways of a packet through everything that is registered at one hook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from calitop.model.network import IpFamily
from calitop.path.base_chains import BaseChain, base_chains, rules_were_read
from calitop.path.chain_walk import ChainWalk
from calitop.path.flight import Condition, End, Flight
from calitop.path.joining import joined
from calitop.path.nat import is_rewritten
from calitop.path.node import Node
from calitop.path.packet import NEW

_LOWEST, _HIGHEST = -(1 << 31), (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Walked:
    """What becomes of the ways at a hook."""

    accepted: list[Flight]
    ended: list[End]


def walk(
    node: Node,
    hook: str,
    flights: Sequence[Flight],
    *,
    above: int = _LOWEST,
    below: int = _HIGHEST,
) -> Walked:
    """Send ways through the base chains of a hook.

    Args:
        node: The node.
        hook: One of `calitop.model.rules.HOOKS`.
        flights: The ways that come to the hook.
        above: Only chains whose priority is at least this.
        below: Only chains whose priority is less than this.
    """
    ended: list[End] = []
    live = list(flights)
    if not live:
        return Walked([], [])
    family = live[0].packet.family
    if not rules_were_read(node.state, family):
        return _unread(node, hook, live)
    for base in _between(node, family, hook, above, below):
        live = _through(node, hook, base, live, ended)
        if not live:
            break
    return Walked(live, ended)


def _between(node: Node, family: IpFamily, hook: str, above: int, below: int) -> Iterator[BaseChain]:
    return (base for base in base_chains(node.state, family, hook) if above <= base.priority < below)


def _through(node: Node, hook: str, base: BaseChain, flights: list[Flight], ended: list[End]) -> list[Flight]:
    """The ways that one base chain lets go on."""
    meets = [flight for flight in flights if not base.is_nat or _asks_nat(flight, hook)]
    passes = [flight for flight in flights if base.is_nat and not _asks_nat(flight, hook)]
    # Conditions of chance are told apart by the visit: a packet may come to a hook of a node twice.
    steps = meets[0].trail.step if meets and meets[0].trail else None
    chains = ChainWalk(node, hook, (node.name, hook, base.key, id(steps)))
    chains.base(base.key, meets)
    ended += chains.ended
    return joined([*passes, *chains.accepted]) if passes else chains.accepted


def _asks_nat(flight: Flight, hook: str) -> bool:
    """Whether nat is asked for the packet: only the first one of a connection without a binding yet."""
    packet = flight.packet
    return NEW in packet.ct_state and packet.is_tracked is not False and not is_rewritten(packet, hook)


def _unread(node: Node, hook: str, flights: list[Flight]) -> Walked:
    missing = f"iptables-save -c of {node.name}"
    asked = ("rules", node.name, hook)
    decided = [
        flight.assuming(Condition(asked, 1, 2, f"a rule of {node.name} decides", missing))
        for flight in flights
    ]
    because = f"the rules of {node.name} were not captured"
    passed = [
        flight.assuming(Condition(asked, 0, 2, f"no rule of {node.name} stops it", missing))
        for flight in flights
    ]
    return Walked(passed, [End(one, "undecided", None, because, (missing,)) for one in decided])

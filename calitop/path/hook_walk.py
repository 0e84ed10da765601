"""Possible ways of a packet through everything that is registered at one hook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calitop.path.base_chains import BaseChain, rules_were_read
from calitop.path.chain_walk import ChainWalk
from calitop.path.effects import unmarked
from calitop.path.excerpts import Root, roots
from calitop.path.flight import Condition, End, Flight
from calitop.path.joining import joined
from calitop.path.nat import is_rewritten
from calitop.path.node import Node
from calitop.path.orders import Visit, in_any_order
from calitop.path.packet import NEW, NOWHERE

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
        live, ended = _unread(node, live, f"the rules of {node.name} were not captured")
    elif node.was_cut(family):
        live, ended = _unread(node, live, f"only an excerpt of the rules of {node.name} was captured")
        for root in roots(node.state, family, hook):
            if above <= root.priority < below:
                live = _perhaps(node, hook, root, live, ended)
    visit = Visit(node, hook, id(live[0].trail.step) if live[0].trail else None)
    for same in node.base_chains(family, hook):
        if above <= same[0].priority < below:
            live = in_any_order(visit, same, live, ended, _through)
    return Walked(live, ended)


def _through(visit: Visit, base: BaseChain, flights: Sequence[Flight], ended: list[End]) -> list[Flight]:
    """The ways that one base chain lets go on."""
    hook = visit.hook
    meets = [flight for flight in flights if not base.is_nat or _asks_nat(flight, hook)]
    passes = [flight for flight in flights if base.is_nat and not _asks_nat(flight, hook)]
    chains = ChainWalk(visit.node, hook, (visit.node.name, hook, base.key, visit.token))
    chains.base(base.key, meets)
    ended += chains.ended
    return joined([*passes, *chains.accepted]) if passes else chains.accepted


def _asks_nat(flight: Flight, hook: str) -> bool:
    """Whether nat is asked for the packet: only the first one of a connection without a binding yet."""
    packet = flight.packet
    if packet.replying != NOWHERE:
        return False
    return NEW in packet.ct_state and packet.is_tracked is not False and not is_rewritten(packet, hook)


def _perhaps(node: Node, hook: str, root: Root, flights: list[Flight], ended: list[End]) -> list[Flight]:
    """The ways that a chain of an excerpt lets go on."""
    chains = ChainWalk(node, hook, (node.name, hook, root.key))
    chains.perhaps(root.key, root.guard, flights)
    ended += chains.ended
    return chains.accepted


def _unread(node: Node, flights: list[Flight], because: str) -> tuple[list[Flight], list[End]]:
    """The ways on which rules that were not captured only mark, and their ends where they do more."""
    missing = f"iptables-save -c of {node.name}, whole, before and after a ping"
    asked = ("rules", node.name)
    words = f"a chain of {node.name} that was not captured"
    on, ended = [], []
    for flight in flights:
        if flight.answer(asked) is None:
            decided = flight.assuming(Condition(asked, 1, 2, f"{words} decides", missing))
            ended.append(End(decided, "undecided", None, because, (missing,)))
            flight = flight.assuming(Condition(asked, 0, 2, f"no{words[1:]} decides", missing))
        on.append(unmarked(flight))
    return on, ended

"""Base chains of one priority: they are asked in an order that no source tells.

The kernel calls the one first that was registered last; iptables-nft, iptables-legacy and every other
program register theirs when they come to it. Where it makes no difference nothing is assumed.

Source: nf_hook_entries_grow in net/netfilter/core.c.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, permutations

from calitop.path.base_chains import BaseChain
from calitop.path.flight import Condition, End, Flight
from calitop.path.joining import joined
from calitop.path.node import Node

_MOST_ORDERS = 24
"""Orders that are tried: all of four chains that do anything."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A packet at a hook."""

    node: Node
    hook: str
    token: Hashable
    """What tells this visit from another one: a packet may come to a hook of a node twice."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    accepted: list[Flight]
    ended: list[End]

    def told(self) -> Hashable:
        """What comes of it, steps aside."""
        on = ((one.packet, one.connections, one.set_changes, _words(one)) for one in self.accepted)
        ends = ((one.verdict, one.where, _words(one.flight)) for one in self.ended)
        return frozenset(on), frozenset(ends)


Through = Callable[[Visit, BaseChain, Sequence[Flight], "list[End]"], "list[Flight]"]


def in_any_order(
    visit: Visit, chains: Sequence[BaseChain], flights: Sequence[Flight], ended: list[End], through: Through
) -> list[Flight]:
    """The ways that base chains of one priority let go on.

    Args:
        visit: Where the packet is.
        chains: The chains, in any order.
        flights: The ways that come to them.
        ended: Ways that end in them are added here.
        through: Sends ways through one of them.
    """
    acting = [one for one in chains if _acts(visit.node, one)]
    idle = [one for one in chains if one not in acting]
    found: dict[Hashable, tuple[_Outcome, list[Sequence[BaseChain]]]] = {}
    for order in islice(permutations(acting), _MOST_ORDERS):
        outcome = _in_order(visit, (*order, *idle), flights, through)
        found.setdefault(outcome.told(), (outcome, []))[1].append(order)
    outcomes = [
        _assuming(visit, outcome, orders, at, len(found))
        for at, (outcome, orders) in enumerate(found.values())
    ]
    ended += [one for outcome in outcomes for one in outcome.ended]
    return joined([one for outcome in outcomes for one in outcome.accepted])


def _acts(node: Node, base: BaseChain) -> bool:
    """Whether it can make any difference when the chain is asked."""
    chain = node.chains[base.key]
    return bool(chain.rules) or chain.policy != "ACCEPT" or chain.complete is False


def _in_order(
    visit: Visit, order: Sequence[BaseChain], flights: Sequence[Flight], through: Through
) -> _Outcome:
    ended: list[End] = []
    live = list(flights)
    for base in order:
        live = through(visit, base, live, ended) if live else []
    return _Outcome(live, ended)


def _words(flight: Flight) -> frozenset[str]:
    return frozenset(one.words for one in flight.conditions)


# -- where it makes a difference


def _assuming(
    visit: Visit, outcome: _Outcome, orders: Sequence[Sequence[BaseChain]], at: int, of: int
) -> _Outcome:
    """An outcome on the assumption that the chains are asked in one of the orders that lead to it."""
    if of == 1:
        return outcome
    base = orders[0][0]
    asked = ("order", visit.node.name, visit.hook, base.priority)
    words = " or ".join(_told(order) for order in orders) + f" at {visit.hook}"
    one = Condition(asked, at, of, words, f"nft list hooks on {visit.node.name}")
    accepted = [flight.assuming(one) for flight in outcome.accepted]
    return _Outcome(accepted, [replace(end, flight=end.flight.assuming(one)) for end in outcome.ended])


def _told(order: Sequence[BaseChain]) -> str:
    first, *rest = (_name(one, order) for one in order)
    return f"{first} is asked before {', '.join(rest)}"


def _name(base: BaseChain, beside: Sequence[BaseChain]) -> str:
    """A chain by its backend, where that tells it from the others."""
    key = base.key
    backend = key.backend or "what was captured"
    is_one = sum(other.key.backend == key.backend for other in beside) == 1
    return backend if is_one else f"{backend} {key.table or '?'} {key.chain}"

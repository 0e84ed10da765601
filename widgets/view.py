"""What the panes are given: one node at one moment, with what its names mean and what has counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from calitop.cni.index import NodeIndex
from calitop.counters.counts import Counts
from calitop.model.network import IpFamily, Route
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey, MapKey, Rule


class RouteId(NamedTuple):
    """What tells a route from its neighbours, whatever else of it changes."""

    family: IpFamily
    table: str
    dst: str
    metric: int
    tos: str | None
    dev: str | None
    gateway: str | None
    type: str | None


class LinkId(NamedTuple):
    """An interface by its name."""

    link: str


class ChainId(NamedTuple):
    """A chain, as a place to go to."""

    key: ChainKey


class RuleId(NamedTuple):
    """A rule by its place from 0 in its chain; None stands for the chain's policy."""

    key: ChainKey
    at: int | None


class MapId(NamedTuple):
    """A named nft set or map, or the element of it at a place from 0."""

    key: MapKey
    at: int | None = None


class SetId(NamedTuple):
    """An ipset by its name."""

    ipset: str


class Figures(NamedTuple):
    """Numbers of one rule or policy; None where they are not known."""

    packets: int | None = None
    bytes: int | None = None
    since_packets: int | None = None
    since_bytes: int | None = None
    exact: bool = True
    """False: at least that many."""
    per_s: float | None = None
    heat: int = 0
    """3 counted just now, 2 and 1 shortly before, 0 cold."""
    age_s: float = 0.0
    """How old the reading is."""


UNKNOWN = Figures()

Subject = RouteId | LinkId | ChainId | RuleId | MapId | SetId
"""Something that can be selected, gone to, shown in detail and copied."""


def route_id(route: Route) -> RouteId:
    """The route's identity."""
    gateway = route.gateway or "+".join(hop.gateway or "" for hop in route.nexthops) or None
    return RouteId(
        route.family, route.table, route.dst, route.metric, route.tos, route.dev, gateway, route.type
    )


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One node as the panes show it."""

    state: NodeState
    index: NodeIndex
    counts: Counts | None
    """None while there is nothing to compare with: every difference is unknown."""
    live: bool
    """Rates per second exist only live."""
    hits: frozenset[tuple[ChainKey, int | None]] = frozenset()
    """Rules (policies: None) whose packets rose since the baseline."""

    @property
    def chains(self) -> Mapping[ChainKey, Chain]:
        """Every chain by its key."""
        return self.index.chains

    def rule(self, place: RuleId) -> Rule | None:
        """The rule at that place; None for a policy and for a place that is gone."""
        chain = self.chains.get(place.key)
        if chain is None or place.at is None or not 0 <= place.at < len(chain.rules):
            return None
        return chain.rules[place.at]

    def figures(self, place: RuleId) -> Figures:
        """What the rule or policy has counted, as far as it is known."""
        if self.counts is not None:
            return _counted(self.counts, place)
        holder = self.chains.get(place.key) if place.at is None else self.rule(place)
        return UNKNOWN if holder is None else Figures(holder.packets, holder.bytes)

    def moved_in(self, key: ChainKey) -> int:
        """How many rules of the chain have counted since the baseline."""
        return 0 if self.counts is None else self.counts.chain_moved(key)


def hits_of(counts: Counts | None) -> frozenset[tuple[ChainKey, int | None]]:
    """Rules and policies whose packets rose since the baseline."""
    moved = () if counts is None else counts.moved()
    return frozenset((key, index) for key, index, delta in moved if delta.packets)


def _counted(counts: Counts, place: RuleId) -> Figures:
    found = counts.policy(place.key) if place.at is None else counts.rule(place.key, place.at)
    now, delta = found.now, found.delta
    return Figures(
        None if now is None else now.packets,
        None if now is None else now.bytes,
        delta.packets,
        delta.bytes,
        delta.exact,
        found.packets_per_s,
        found.heat,
        found.age_s,
    )

"""The places that a search found, and which of them is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from calitop.model.node import NodeState, Pod
from calitop.search import Hit, search
from widgets.view import ChainId, LinkId, MapId, RuleId, SetId, Subject, View, route_id

FOUND = 2000
"""Places that are kept; who has found more types more."""

P = TypeVar("P")


@dataclass
class Finder(Generic[P]):
    """Places found, in the order of the panes."""

    words: str = ""
    places: Sequence[P] = ()
    at: int = 0

    def take(self, words: str, places: Sequence[P], prefer: type | tuple[type, ...] = object) -> P | None:
        """Take over what was found; the first place of the preferred kind, or the first at all."""
        self.words, self.places = words, places
        self.at = next((i for i, place in enumerate(places) if isinstance(place, prefer)), 0)
        return self.current()

    def current(self) -> P | None:
        """The place looked at."""
        return self.places[self.at] if self.places else None

    def step(self, step: int) -> P | None:
        """The next or previous place, around the ends."""
        if self.places:
            self.at = (self.at + step) % len(self.places)
        return self.current()

    def words_found(self) -> str:
        """How many places, and which is looked at."""
        if not self.words.strip():
            return ""
        if not self.places:
            return "nothing found"
        more = "+" if len(self.places) >= FOUND else ""
        return f"{self.at + 1} of {len(self.places)}{more}"


def find(view: View, words: str) -> list[Subject]:
    """Places in rules, routes, interfaces and pods that hold the words; for a thread."""
    hits = search(view.state, view.index, words, FOUND)
    places = (_place(view, hit) for hit in hits)
    return list(dict.fromkeys(place for place in places if place is not None))


def make_ready(view: View) -> None:
    """Collect the texts to search in, so that the first letter need not; for a thread."""
    search(view.state, view.index, "")


def _place(view: View, hit: Hit) -> Subject | None:
    if hit.route is not None:
        return route_id(hit.route)
    if hit.link is not None:
        return LinkId(hit.link.name)
    if hit.pod is not None:
        return pod_place(view.state, hit.pod)
    if hit.map is not None:
        return MapId(hit.map, hit.element)
    if hit.ipset is not None:
        return SetId(hit.ipset.name)
    if hit.key is None:
        return None
    return ChainId(hit.key) if hit.rule_index is None else RuleId(hit.key, hit.rule_index)


def pod_place(state: NodeState, pod: Pod) -> Subject | None:
    """A pod is found where this node knows it: at its interface, else at the route to its address."""
    if pod.interface is not None and state.link(pod.interface) is not None:
        return LinkId(pod.interface)
    return next((route_id(route) for route in state.routes if route.dst == pod.ip), None)

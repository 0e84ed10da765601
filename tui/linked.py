"""What belongs together: what a selection lights up in the other panes, and where enter leads."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from calitop.cni.rule_index import interface_matches
from calitop.explain.plain_facts import sets_named
from calitop.model.network import Route
from calitop.model.rules import ChainKey
from widgets.pieces import Light
from widgets.view import ChainId, LinkId, MapId, RouteId, RuleId, Subject, View, route_id


@dataclass
class Related:
    """Identities that belong to a selection, by pane."""

    routes: set[Hashable] = field(default_factory=set)
    links: set[Hashable] = field(default_factory=set)
    chains: set[Hashable] = field(default_factory=set)

    def lights(self, view: View) -> dict[str, Light]:
        """The same as lights of the panes; closed chains above a lit one lead to it."""
        return {
            "routes": Light(frozenset(self.routes)),
            "links": Light(frozenset(self.links)),
            "chains": Light(frozenset(self.chains), frozenset(_above(view, self.chains) - self.chains)),
        }


def related_to(view: View, subject: Subject | None, route: Route | None) -> Related:
    """What belongs to the selected thing in the other panes."""
    related = Related()
    if isinstance(subject, RouteId) and route is not None:
        for name in interfaces_of_route(route):
            related.links.add(LinkId(name))
            related.chains |= _chains_for(view, name)
    elif isinstance(subject, LinkId):
        related.routes |= _routes_of(view, subject.link)
        related.chains |= _chains_for(view, subject.link)
    elif isinstance(subject, (RuleId, ChainId, MapId)):
        for name in interfaces_of_place(view, subject):
            related.links.add(LinkId(name))
            related.routes |= _routes_of(view, name)
    return related


def interfaces_of_route(route: Route) -> list[str]:
    """Interfaces that the route leaves by; several for a multipath route."""
    names = (route.dev, *(hop.dev for hop in route.nexthops))
    return list(dict.fromkeys(name for name in names if name))


def _routes_of(view: View, interface: str) -> set[Hashable]:
    return {route_id(route) for route in view.index.routes_of_interface(interface)}


def _chains_for(view: View, interface: str) -> set[Hashable]:
    chains = view.index.chains_of_interface(interface)
    if chains:
        return {ChainId(key) for key in chains}
    return {RuleId(ref.key, ref.index) for ref in view.index.rules_for_interface(interface)}


def interfaces_of_place(view: View, place: RuleId | ChainId | MapId) -> list[str]:
    """The interface that a chain, an element or a rule's target is for; else those that the rule matches."""
    if isinstance(place, MapId):
        name = None if place.at is None else view.index.maps.interface_of(place.key, place.at)
        return [name] if name is not None else []
    if isinstance(place, RuleId) and place.at in view.index.maps.deciding_in(place.key):
        return _matched_by(view, place)
    targets = targets_of_rule(view, place) if isinstance(place, RuleId) else ()
    for key in (*targets, place.key):
        name = view.index.interface_of_chain(key)
        if name is not None:
            return [name]
    return _matched_by(view, place) if isinstance(place, RuleId) else []


def _matched_by(view: View, place: RuleId) -> list[str]:
    rule = view.rule(place)
    tests = [] if rule is None else [test for test in interface_matches(rule) if not test.negated]
    return [link.name for link in view.state.links if any(test.matches(link.name) for test in tests)]


def targets_of_rule(view: View, place: RuleId) -> tuple[ChainKey, ...]:
    """Chains that a rule leads to, in its order."""
    if place.at is None:
        return ()
    return view.index.rules.targets(place.key).get(place.at, ())


def sets_behind(view: View, subject: Subject | None) -> list[str]:
    """The ipsets where enter leads from a rule that leads to no chain."""
    rule = view.rule(subject) if isinstance(subject, RuleId) else None
    if rule is None or not isinstance(subject, RuleId) or targets_of_rule(view, subject):
        return []
    return sets_named(rule)


def _above(view: View, lit: Iterable[Hashable]) -> set[Hashable]:
    """Every chain from which a lit chain or rule can be reached."""
    waiting: list[ChainKey] = []
    above: set[Hashable] = set()
    for one in lit:
        if isinstance(one, RuleId):
            above.add(ChainId(one.key))
        if isinstance(one, (RuleId, ChainId)):
            waiting.append(one.key)
    seen = set(waiting)
    while waiting:
        for ref in view.index.callers(waiting.pop()):
            above.add(ChainId(ref.key))
            if ref.key not in seen:
                seen.add(ref.key)
                waiting.append(ref.key)
    return above


def places_of_interface(view: View, interface: str) -> list[Subject]:
    """Where enter leads from an interface, in turn: its own chains, or the rules that match it."""
    chains = view.index.chains_of_interface(interface)
    if chains:
        return [ChainId(key) for key in chains]
    return [RuleId(ref.key, ref.index) for ref in view.index.rules_for_interface(interface)]

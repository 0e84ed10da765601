"""Everything that is known of one selected thing, line by line, with the places its lines lead to."""

from __future__ import annotations

from calitop.explain.plain_facts import chain_title, interface_title, map_title, rule_title
from calitop.model.network import Route
from widgets.chain_facts import chain_facts
from widgets.facts import Fact
from widgets.map_facts import map_facts
from widgets.network_facts import link_facts, route_facts
from widgets.rule_facts import rule_facts
from widgets.set_facts import set_facts
from widgets.signs import Signs
from widgets.view import LinkId, MapId, RouteId, RuleId, SetId, Subject, View


def headline(view: View, subject: Subject) -> str:
    """What is selected, in one line."""
    if isinstance(subject, RouteId):
        return f"route {subject.dst}"
    if isinstance(subject, LinkId):
        return interface_title(view.index, subject.link)
    if isinstance(subject, MapId):
        return _map_headline(view, subject)
    if isinstance(subject, SetId):
        return f"set {subject.ipset}"
    if isinstance(subject, RuleId):
        return rule_title(view.index, subject.key, subject.at)
    return chain_title(view.index, subject.key)


def _map_headline(view: View, place: MapId) -> str:
    one, name = view.index.maps.maps.get(place.key), map_title(view.index, place.key)
    return name if one is None or place.at is None else f"{name} element {one.elements[place.at][0]}"


def facts_of(view: View, subject: Subject, route: Route | None, signs: Signs) -> list[Fact]:
    """All lines for the detail pane.

    Args:
        view: The node shown.
        subject: What is selected.
        route: The route itself, when one is selected.
        signs: Signs that the terminal can show.
    """
    if isinstance(subject, RouteId):
        return [] if route is None else list(route_facts(view, route))
    if isinstance(subject, LinkId):
        link = view.state.link(subject.link)
        return [] if link is None else list(link_facts(view, link, signs))
    if isinstance(subject, RuleId):
        return list(rule_facts(view, subject, signs))
    if isinstance(subject, MapId):
        return list(map_facts(view, subject))
    if isinstance(subject, SetId):
        return list(set_facts(view, subject.ipset, signs))
    return list(chain_facts(view, subject.key, signs))

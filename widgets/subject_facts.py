"""Everything that is known of one selected thing, line by line, with the places its lines lead to."""

from __future__ import annotations

from calitop.cni.pods import pod_name
from calitop.model.network import Route
from widgets.chain_facts import chain_facts
from widgets.facts import Fact, chain_words, number
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
        pod = view.index.pod_of_interface(subject.link)
        return f"interface {subject.link}" + (f"  pod {pod_name(pod)}" if pod else "")
    if isinstance(subject, MapId):
        return _map_headline(view, subject)
    if isinstance(subject, SetId):
        return f"set {subject.ipset}"
    role = view.index.role_of_chain(subject.key)
    words = "" if role.group == "built-in" else role.words
    place = chain_words(subject.key)
    if isinstance(subject, RuleId):
        place += " policy" if subject.at is None else f" rule {number(view, subject)}"
    return place + (f"  {words}" if words else "")


def _map_headline(view: View, place: MapId) -> str:
    one = view.index.maps.maps.get(place.key)
    kind = "set" if one is not None and not one.is_map else "map"
    name = f"{kind} {chain_words(place.key.table.chain(place.key.name))}"
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

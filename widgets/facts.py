"""Everything that is known of one selected thing, line by line, with the places its lines lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from calitop.cni.pods import pod_name
from calitop.cni.rule_index import RuleRef
from calitop.formats.spec import spec
from calitop.model.network import Link, Route
from calitop.model.rules import Chain, ChainKey, MapKey, Rule
from widgets import numbers
from widgets.signs import Signs
from widgets.view import ChainId, Figures, LinkId, MapId, RouteId, RuleId, SetId, Subject, View, route_id
from widgets.wording import is_loud, owner_look, route_devices, route_way

WIDE = 30
"""Cells for a number that has all the room it needs."""

LISTED = 200
"""Callers or routes that are listed; more are counted only."""

_NO_WAY = {
    "blackhole": "packets to it are thrown away without a word; no interface is asked",
    "unreachable": "packets to it are answered with host unreachable; no interface is asked",
    "prohibit": "packets to it are answered with administratively prohibited; no interface is asked",
    "throw": "the search goes on with the next policy rule; no interface is asked",
}


class Fact(NamedTuple):
    """One line, before it is wrapped."""

    text: str
    look: str = ""
    target: Subject | None = None
    """Where enter leads from here."""


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
        place += " policy" if subject.at is None else f" rule {_number(view, subject)}"
    return place + (f"  {words}" if words else "")


def _map_headline(view: View, place: MapId) -> str:
    one = view.index.maps.maps.get(place.key)
    kind = "set" if one is not None and not one.is_map else "map"
    name = f"{kind} {chain_words(place.key.table.chain(place.key.name))}"
    return name if one is None or place.at is None else f"{name} element {one.elements[place.at][0]}"


def _number(view: View, place: RuleId) -> str:
    rule = view.rule(place)
    return "without a number" if rule is None or rule.number is None else str(rule.number)


def chain_words(key: ChainKey) -> str:
    """Table and chain, with family and backend where they are not the usual."""
    family = {"ipv4": "", None: ""}.get(key.family, f"{key.family} ")
    return f"{family}{key.table or 'table not told'} {key.chain}"


def no_way_words(route: Route) -> str | None:
    """Why a route leads to no interface; None when it leads to one."""
    if route_devices(route):
        return None
    if route.type in _NO_WAY:
        return f"{route.dst} is {route.type}: {_NO_WAY[route.type]}"
    if route.types:
        kinds = " or ".join(route.types)
        return f"{route.dst} is {kinds}, the source does not tell which: no interface is asked"
    return f"{route.dst} names no interface"


def facts_of(view: View, subject: Subject, route: Route | None, signs: Signs) -> list[Fact]:
    """All lines for the detail pane.

    Args:
        view: The node shown.
        subject: What is selected.
        route: The route itself, when one is selected.
        signs: Signs that the terminal can show.
    """
    if isinstance(subject, RouteId):
        return [] if route is None else list(_route_facts(view, route))
    if isinstance(subject, LinkId):
        link = view.state.link(subject.link)
        return [] if link is None else list(_link_facts(view, link, signs))
    if isinstance(subject, RuleId):
        return list(_rule_facts(view, subject, signs))
    if isinstance(subject, MapId):
        return list(_map_facts(view, subject))
    if isinstance(subject, SetId):
        return [_set_fact(view, subject.ipset, signs)]
    return list(_chain_facts(view, subject.key, signs))


def _route_facts(view: View, route: Route) -> Iterator[Fact]:
    words = [route.dst, route_way(route)]
    words += [f"dev {route.dev}"] if route.dev else []
    words += [f"table {route.table}", f"metric {route.metric}"]
    given = (("proto", route.proto), ("scope", route.scope), ("src", route.src), ("tos", route.tos))
    words += [f"{name} {value}" for name, value in given if value]
    words += [f"mtu {route.mtu}"] if route.mtu is not None else []
    words += [f"nhid {route.nhid}"] if route.nhid is not None else []
    yield Fact("  ".join([*words, *route.flags]))
    if said := no_way_words(route):
        yield Fact(said, "deny")
    for hop in route.nexthops:
        weight = "" if hop.weight is None else f"  weight {hop.weight}"
        yield Fact(
            f"way  {hop.gateway or 'on link'}  dev {hop.dev or '?'}{weight}  {' '.join(hop.flags)}".rstrip()
        )
    if owner := view.index.owner_of_route(route):
        yield Fact(f"owner {owner}", owner_look(owner))
    interface = view.index.interface_of_route(route)
    if interface is not None:
        yield Fact(f"interface {interface}", "link", LinkId(interface))
        yield from _pod_facts(view, interface)
        yield from _interface_chains(view, interface)


def _pod_facts(view: View, interface: str) -> Iterator[Fact]:
    pod = view.index.pod_of_interface(interface)
    if pod is not None:
        yield Fact(f"pod {pod_name(pod)}" + (f"  {pod.ip}" if pod.ip else ""), "strong")


def _interface_chains(view: View, interface: str) -> Iterator[Fact]:
    chains = view.index.chains_of_interface(interface)
    for key in chains:
        words = view.index.role_of_chain(key).words
        yield Fact(f"chain {chain_words(key)}  {words}".rstrip(), "link", ChainId(key))
    if not chains:
        rules = view.index.rules_for_interface(interface)
        if rules:
            yield Fact(f"no chains of its own; {len(rules)} rules match it by -i or -o", "note")
        yield from _places(view, rules, "matched by")


def _places(view: View, refs: Iterable[RuleRef], word: str, called: ChainKey | None = None) -> Iterator[Fact]:
    for count, ref in enumerate(refs):
        if count == LISTED:
            yield Fact(f"{word} more rules than are listed here", "note")
            return
        place = RuleId(ref.key, ref.index)
        rule = view.rule(place)
        verb = _verb_words(view, ref.key, rule, called)
        yield Fact(f"{word} {chain_words(ref.key)} rule {_number(view, place)}{verb}", "link", place)


def _verb_words(view: View, key: ChainKey, rule: Rule | None, called: ChainKey | None) -> str:
    if rule is None:
        return ""
    verb = rule.verb if called is None else view.index.maps.verb_to(key, rule, called.chain)
    return " (goto)" if verb == "goto" else ""


def _link_facts(view: View, link: Link, signs: Signs) -> Iterator[Fact]:
    role = view.index.role_of_link(link)
    known = (
        ("kind", link.kind),
        ("serves as", role if role != link.kind else None),
        ("index", link.index),
        ("mtu", link.mtu),
        ("operstate", link.operstate),
        ("mac", link.mac),
        ("peer", link.peer),
        ("master", link.master),
        ("owner", view.index.owner_of_link(link)),
    )
    state = {True: "up", False: "down", None: "up or down is not told"}[link.up]
    yield Fact("  ".join([state, *(f"{name} {value}" for name, value in known if value is not None)]))
    yield from _pod_facts(view, link.name)
    if link.addresses:
        yield Fact("addresses " + "  ".join(link.addresses))
    if link.flags or link.info:
        yield Fact("  ".join([*link.flags, *(f"{name} {value}" for name, value in link.info)]), "dim")
    yield from _link_counters(view, link, signs)
    for one in view.state.bpf:
        if one.dev == link.name:
            words = (one.kind, one.direction, one.name, one.text)
            yield Fact(f"{signs.bpf} BPF or filter: " + " ".join(word for word in words if word))
    if role == "workload":
        yield from _bpf_facts(view)
    yield from _interface_chains(view, link.name)
    for route in view.index.routes_of_interface(link.name)[:LISTED]:
        yield Fact(f"route {route.dst} {route_way(route)}", "link", route_id(route))


def _bpf_facts(view: View) -> Iterator[Fact]:
    if view.index.bpf is not None:
        yield Fact(str(view.index.bpf), "warm")


def _link_counters(view: View, link: Link, signs: Signs) -> Iterator[Fact]:
    now = link.counters if view.counts is None else view.counts.links_now.get(link.name, link.counters)

    def word(value: int | None) -> str:
        return numbers.count(value, WIDE, signs)

    yield Fact(
        f"received {word(now.rx_packets)} packets, {word(now.rx_bytes)} bytes, "
        f"{word(now.rx_dropped)} dropped, {word(now.rx_errors)} errors; "
        f"sent {word(now.tx_packets)} packets, {word(now.tx_bytes)} bytes, "
        f"{word(now.tx_dropped)} dropped, {word(now.tx_errors)} errors"
    )


def _rule_facts(view: View, place: RuleId, signs: Signs) -> Iterator[Fact]:
    chain, rule = view.chains.get(place.key), view.rule(place)
    if rule is not None:
        yield Fact(rule.text, "deny" if is_loud(rule) else "strong")
    elif chain is not None and place.at is None:
        yield Fact(f"policy {chain.policy or 'not told'}", "deny" if chain.policy == "DROP" else "strong")
    yield Fact(counter_words(view.figures(place), view, signs))
    yield from _reset_facts(view, place, rule)
    if rule is not None:
        for comment in spec(rule).comments:
            yield Fact(f'comment "{comment}"', "note")
        yield from _target_facts(view, place.key, rule)
        for name in sets_named(rule):
            yield _set_fact(view, name, signs)
    yield from _caller_facts(view, place.key)


def sets_named(rule: Rule) -> list[str]:
    """The ipsets that a rule asks or changes, in its order, each once."""
    if "-set " not in rule.text:
        return []
    known = spec(rule)
    # Imported late: nothing on the first screen needs the records of matches.
    from calitop.model.matches import InSet
    from calitop.model.targets import ChangeSet

    asked = [match.name for match in known.find(InSet)]
    changed = [target.action.name for target in known.targets if isinstance(target.action, ChangeSet)]
    return list(dict.fromkeys([*asked, *changed]))


def _set_fact(view: View, name: str, signs: Signs) -> Fact:
    found = next((one for one in view.state.sets if one.name == name), None)
    if found is None:
        return Fact(f"set {name} was not read", "link", SetId(name))
    count = found.size if found.members is None else len(found.members)
    return Fact(f"set {name}  {found.type}  {numbers.count(count, WIDE, signs)} members", "link", SetId(name))


def counter_words(figures: Figures, view: View, signs: Signs) -> str:
    """A counter in words, with its difference, rate and age."""
    if figures.packets is None and figures.since_packets is None:
        return "it has no counter" if view.counts is not None else "its counter is not told"
    said = [
        f"{numbers.count(figures.packets, WIDE, signs)} packets",
        f"{numbers.count(figures.bytes, WIDE, signs)} bytes",
    ]
    if view.counts is None:
        said.append("no baseline to count from")
    elif figures.since_packets is None:
        said.append("not known what it counted since the baseline")
    else:
        least = "" if figures.exact else "at least "
        said.append(f"{least}{figures.since_packets:,} since the baseline")
    if view.live and figures.per_s is not None:
        said.append(f"{numbers.per_second(figures.per_s, WIDE, signs)} per second")
    if 2 <= figures.age_s < float("inf"):
        said.append(f"read {numbers.age(figures.age_s)} ago")
    return ", ".join(said)


def _reset_facts(view: View, place: RuleId, rule: Rule | None) -> Iterator[Fact]:
    for reset in view.counts.resets if view.counts is not None else ():
        if reset.key == place.key and reset.text == (rule.text if rule is not None else ""):
            yield Fact(f"its counter was {reset.why} since the baseline: it counts from zero", "warm")
            return


def _target_facts(view: View, key: ChainKey, rule: Rule) -> Iterator[Fact]:
    for named in view.index.maps.of_rule(key, rule):
        yield _map_link(view, named, "looks into")
    if view.index.maps.deciding(key, rule) is not None:
        return
    for name in rule.targets or ((rule.target,) if rule.target else ()):
        target = ChainKey(key.family, key.backend, key.table, name)
        chain = view.chains.get(target)
        if chain is None:
            continue
        verb = "goes to" if view.index.maps.verb_to(key, rule, name) == "goto" else "jumps to"
        words = view.index.role_of_chain(target).words if chain.present else "not in this text"
        yield Fact(f"{verb} {name}  {words}".rstrip(), "link", ChainId(target))


def _chain_facts(view: View, key: ChainKey, signs: Signs) -> Iterator[Fact]:
    chain = view.chains.get(key)
    if chain is None:
        return
    yield Fact(_chain_words(view, key, chain))
    if chain.builtin:
        yield from _bpf_facts(view)
    if chain.policy is not None:
        figures = view.figures(RuleId(key, None))
        yield Fact(f"policy {chain.policy}: {counter_words(figures, view, signs)}")
    interface = view.index.interface_of_chain(key)
    if interface is not None:
        yield Fact(f"interface {interface}", "link", LinkId(interface))
        yield from _pod_facts(view, interface)
    yield from _caller_facts(view, key)


def _chain_words(view: View, key: ChainKey, chain: Chain) -> str:
    if not chain.present:
        return "it is jumped to, but stands nowhere in the text that was read: what it does is not known"
    said = [f"{len(chain.rules)} rules", f"{view.moved_in(key)} of them moved since the baseline"]
    if view.counts is None:
        del said[1]
    if chain.hook:
        said.append(f"hook {chain.hook}" + ("" if chain.priority is None else f" priority {chain.priority}"))
    said += [f"backend {key.backend}"] if key.backend else []
    said += [f"family {key.family}"] if key.family else []
    owner = view.index.owner_of_chain(key)
    said += [f"owner {owner}"] if owner else []
    said += {
        False: ["rules are missing: the text was cut"],
        None: ["the text does not tell whether it is whole"],
    }.get(chain.complete, [])
    return ", ".join(said)


def _caller_facts(view: View, key: ChainKey) -> Iterator[Fact]:
    chain = view.chains.get(key)
    callers = view.index.callers(key)
    if not callers and chain is not None and not chain.builtin:
        yield Fact("no rule jumps here", "note")
    yield from _places(view, callers, f"{key.chain} is called by", key)


def _map_link(view: View, key: MapKey, word: str) -> Fact:
    one = view.index.maps.maps[key]
    kind = f"map {one.type}" if one.is_map else f"set of {one.type}"
    return Fact(f"{word} {key.name}  {kind}, {len(one.elements):,} elements", "link", MapId(key))


def _map_facts(view: View, place: MapId) -> Iterator[Fact]:
    one = view.index.maps.maps.get(place.key)
    if one is None:
        return
    if place.at is not None:
        yield from _element_facts(view, place, place.at)
        return
    said = [f"{'map' if one.is_map else 'set of'} {one.type}", f"{len(one.elements):,} elements"]
    said += [f"family {place.key.table.family}"] if place.key.table.family else []
    if owner := view.index.owner_of_map(place.key):
        said.append(f"owner {owner}")
    if one.complete is not True:
        said.append(
            "the text does not tell all its elements" if one.complete is None else "elements are missing"
        )
    yield Fact(", ".join(said))
    users = view.index.maps.users(place.key)
    if not users:
        yield Fact("no rule names it", "note")
    yield from _places(view, users, "looked into by")


def _element_facts(view: View, place: MapId, at: int) -> Iterator[Fact]:
    maps = view.index.maps
    key, value = maps.maps[place.key].elements[at]
    yield Fact(key if value is None else f"{key} : {value}", "strong")
    if options := maps.options(place.key).get(key):
        yield Fact(options, "note")
    if counter := maps.counters(place.key).get(key):
        moment = maps.maps[place.key].counted_at or view.state.captured_at
        when = f", as read at {moment}" if moment else ""
        yield Fact(f"{counter.packets:,} packets, {counter.bytes:,} bytes{when}")
    lead, target = maps.lead(place.key, at), maps.target(place.key, at)
    if target is not None:
        verb = "goes to" if lead is not None and lead.verb == "goto" else "jumps to"
        words = view.index.role_of_chain(target).words
        yield Fact(f"{verb} {target.chain}  {words}".rstrip(), "link", ChainId(target))
    interface = maps.interface_of(place.key, at)
    if interface is not None:
        yield Fact(f"interface {interface}", "link", LinkId(interface))
        yield from _pod_facts(view, interface)
    yield _map_link(view, place.key, "element of")

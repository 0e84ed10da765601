"""What the detail pane says of a named nft set or map and of its elements."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.cni.map_index import native_names
from calitop.explain.plain_facts import map_purpose_words, map_size_words, map_words
from calitop.model.rules import MapKey
from calitop.path.nft_elements import as_ipset
from widgets.facts import Fact, places, pod_facts
from widgets.view import ChainId, LinkId, MapId, SetId, View


def map_link(view: View, key: MapKey, word: str) -> Fact:
    """A set or map with its size; enter leads there."""
    return Fact(f"{word} {map_words(view.index, key)}", "link", MapId(key))


def map_facts(view: View, place: MapId) -> Iterator[Fact]:
    """A set or map with the rules that look into it, or one of its elements and where it leads."""
    one = view.index.maps.maps.get(place.key)
    if one is None:
        return
    if place.at is not None:
        yield from _element_facts(view, place, place.at)
        return
    if said := map_purpose_words(view.index, place.key):
        yield Fact(said, "strong")
    yield Fact(map_size_words(view.index, place.key))
    if as_ipset(one) is not None:
        yield Fact("members, and whether an address is in it", "link", SetId(native_names(place.key)[-1]))
    users = view.index.maps.users(place.key)
    if not users:
        yield Fact("no rule names it", "note")
    yield from places(view, users, "looked into by")


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
        yield from pod_facts(view, interface)
    yield map_link(view, place.key, "element of")

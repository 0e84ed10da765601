"""Which element of an nft verdict map a packet meets.

An element is a condition like any other: the words of the map's key, each with its value. So it is
read and tested as the rule `iifname "cali1" …` would be.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from calitop.formats.nft_rule import lead_of_verdict
from calitop.model.rules import VerdictMap
from calitop.model.targets import Target
from calitop.path.conditions import NO, YES, parted, test
from calitop.path.effects import Site
from calitop.path.flight import Condition, Flight
from calitop.path.nft_elements import Elements, condition, near

_CHANCE = frozenset(("numgen", "jhash", "symhash"))


def elements_met(
    target: Target, flight: Flight, site: Site, place: Hashable
) -> Iterator[tuple[Target | None, Flight]]:
    """Each verdict that the packet can meet, with the way on which it does; None where no element fits."""
    options = {option.name: option.values for option in target.options}
    key = " ".join(options.get("key", ()))
    known, whole = _elements(target, site)
    if _CHANCE.intersection(key.split()):
        yield from _by_chance(known, flight, place)
        return
    left = [flight]
    for at, (name, verdict) in enumerate(near(known, key, flight.packet)):
        asked, untaken = condition(key, name), []
        for one in left:
            taken, past = parted(one, test(asked, one, site.node.world, (place, at)))
            yield from ((_target(verdict), fitting) for fitting in taken)
            untaken += past
        left = untaken
    for one in left:
        yield from [(None, one)] if whole else _unread(target, one, site)


def _elements(target: Target, site: Site) -> tuple[Elements, bool]:
    """The elements and whether these are all."""
    named = next((option.values[0] for option in target.options if option.name == "map"), None)
    if named is None:
        found = [option.values for option in target.options if option.name == "element"]
        return [(values[0], values[1]) for values in found if len(values) > 1], True
    key = site.key._replace(chain=named.removeprefix("@"))
    one: VerdictMap | None = site.node.world.nft_sets.get(key)
    return (one.elements, one.complete is True) if one is not None else ((), False)


def _target(verdict: str | None) -> Target | None:
    lead = lead_of_verdict(verdict)
    if lead is None or lead.target == "CONTINUE":
        return None
    return Target(lead.target, lead.verb)


def _by_chance(known: Elements, flight: Flight, place: Hashable) -> Iterator[tuple[Target | None, Flight]]:
    for at, (_name, verdict) in enumerate(known):
        words = f"chance takes {at + 1} of {len(known)}"
        yield _target(verdict), flight.assuming(Condition(("chance", place), at, len(known), words))


def _unread(target: Target, flight: Flight, site: Site) -> Iterator[tuple[Target | None, Flight]]:
    """Both readings where elements of the map were not captured."""
    asked = ("map", site.node.name, site.key, " ".join(target.words))
    missing = "nft list ruleset"
    words = "an element of the map that was not captured takes it"
    decided = flight.assuming(Condition(asked, YES, 2, words, missing))
    yield Target("elements that were not captured", words=target.words), decided
    yield None, flight.assuming(Condition(asked, NO, 2, "no element of the map takes it", missing))

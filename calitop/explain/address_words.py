"""One address on one node: whose it is, where packets to it go, which sets hold it, which rules name it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from calitop.cni.address_book import AddressBook
from calitop.cni.index import NodeIndex, RuleRef
from calitop.cni.map_index import native_names
from calitop.explain.network_words import explain_route
from calitop.model.network import Route
from calitop.model.values import Address
from calitop.path.nft_elements import as_ipset
from calitop.path.routing import RouteAnswer, lookup
from calitop.path.world import World
from calitop.report.text import printable
from calitop.set_question import SetAnswer, SetQuestion

_Pairs = tuple[tuple[str, str], ...]
_Found = list[tuple[str, str]]
_NOT_READ = "where packets to it go is not known: the routes were not read (ip -j route show table all)"


@dataclass(frozen=True, slots=True)
class AddressWords:
    """One address in words; lines of plain text."""

    who: str | None
    """Whose it is (`pod default/web`); None where nobody is known."""
    way: str
    """Where an unmarked packet of this node to it goes, in one sentence."""
    route: Route | None
    """The route that decides; None where that is not certain, or none does."""
    sets: tuple[tuple[str, str], ...]
    """The sets that hold it, each with the member that does; of several dimensions the first is looked at."""
    open_sets: tuple[tuple[str, str], ...]
    """The sets of which it is not known, with the reason."""
    rules: tuple[RuleRef, ...]
    """The rules that name this very address."""

    def lines(self) -> tuple[str, ...]:
        """What is known, line by line, without the rules."""
        who = f"it belongs to: {self.who}" if self.who else "nobody here is known to have it"
        held = (f"in the set {name}, by {member}" for name, member in self.sets)
        unknown = (f"in the set {name}? {why}" for name, why in self.open_sets)
        return (who, self.way, *held, *unknown)


def explain_address(index: NodeIndex, address: Address) -> AddressWords:
    """The address in words. It looks into every set: for a thread where those are large."""
    answer = lookup(World(index.state), address)
    way = answer.way
    held, unknown = _sets(index, str(address))
    return AddressWords(
        who=AddressBook(index).who(str(address)),
        way=printable(_way(index, answer)),
        route=None if way is None else way.route,
        sets=held,
        open_sets=unknown,
        rules=tuple(_rules(index, str(address))),
    )


def _way(index: NodeIndex, answer: RouteAnswer) -> str:
    way = answer.way
    if not index.state.routes:
        return _NOT_READ
    if way is None:
        depends = "; ".join(dict.fromkeys(words for each in answer.ways for words in each.depends))
        return f"where packets to it go depends on more: {depends or 'what was not read'}"
    if way.route is not None:
        return explain_route(index, way.route)
    return way.because or f"packets to it meet {way.type.replace('_', ' ')}"


def _sets(index: NodeIndex, address: str) -> tuple[_Pairs, _Pairs]:
    """The sets that hold it with the member that does, and those of which it is not known with the reason."""
    held: list[tuple[str, str]] = []
    unknown: list[tuple[str, str]] = []
    for one in index.state.sets:
        if one.members is None:
            unknown.append((one.name, f"its members were not read: ipset save {one.name}"))
            continue
        question = SetQuestion(one, index.sets_by_name.get)
        _sort(one.name, question.ask(address), held, unknown)
    for key, native in index.maps.maps.items():
        if (made := as_ipset(native)) is not None:
            question = SetQuestion(made, is_complete=native.complete is True)
            _sort(native_names(key)[-1], question.ask(address), held, unknown)
    return _printable(held), _printable(unknown)


def _sort(name: str, answer: SetAnswer | None, held: _Found, unknown: _Found) -> None:
    """Into what holds it, or what may; an open answer with a member is one whose first dimension holds it."""
    if answer is None or answer.answer in ("out", "excepted"):
        return
    if answer.member is not None and "nomatch" not in answer.member.split():
        held.append((name, answer.member))
    else:
        unknown.append((name, answer.words))


def _printable(pairs: Iterable[tuple[str, str]]) -> _Pairs:
    return tuple((printable(name), printable(words)) for name, words in pairs)


def _rules(index: NodeIndex, address: str) -> Iterator[RuleRef]:
    """The rules that hold the address as a word of its own, with the length of one address or without."""
    word = re.compile(rf"(?<![\w.:]){re.escape(address)}(?:/32|/128)?(?![\w.:/])")
    for key, chain in index.chains.items():
        for at, rule in enumerate(chain.rules if chain.may_hold(address) else ()):
            if word.search(rule.text):
                yield RuleRef(key, at)

"""Find in a node's rules, chains, routes, links and pods, as fast as one types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from calitop.cni.index import NodeIndex
from calitop.cni.pods import pod_name
from calitop.model.network import Link, Route
from calitop.model.node import IpSet, NodeState, Pod
from calitop.model.rules import ChainKey, MapKey
from calitop.outline.order import reach_order

HitKind = Literal["route", "link", "pod", "chain", "rule", "map", "element", "set"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found."""

    kind: HitKind
    text: str
    """What was found, in the source's words."""
    key: ChainKey | None = None
    """Of a chain or rule."""
    rule_index: int | None = None
    """Of a rule, from 0."""
    route: Route | None = None
    link: Link | None = None
    pod: Pod | None = None
    map: MapKey | None = None
    """Of a named nft set or map, and of an element."""
    element: int | None = None
    """Place of an element in its set or map, from 0."""
    ipset: IpSet | None = None


class Finder:
    """The texts of one node, lower-cased once, in the order in which hits are shown.

    Routes, links and pods come first, as the state has them; then the chains in the order
    in which a packet meets them, each followed by its rules; then the named sets and maps,
    each followed by its elements; last the ipsets.
    """

    def __init__(self, state: NodeState, index: NodeIndex) -> None:
        self._network = [*_route_hits(state), *_link_hits(state, index), *_pod_hits(state)]
        self._texts = [hit.text.lower() for hit in self._network]
        self._rules: list[tuple[ChainKey, int | None]] = []
        self._index = index
        for key in reach_order(index):
            chain = index.chains[key]
            self._rules.append((key, None))
            self._rules += [(key, at) for at in range(len(chain.rules))]
            self._texts.append(f"{key.table or ''} {key.chain} {index.role_of_chain(key).words}".lower())
            self._texts += [rule.text.lower() for rule in chain.rules]
        self._maps: list[tuple[MapKey, int | None]] = []
        for map_key, one in index.maps.maps.items():
            self._maps += [(map_key, None), *((map_key, at) for at in range(len(one.elements)))]
            self._texts.append(f"{map_key.table.table or ''} {map_key.name} {one.type}".lower())
            self._texts += [_element_text(index, map_key, at).lower() for at in range(len(one.elements))]
        self._sets = state.sets
        self._texts += [f"set {one.name} {one.type}".lower() for one in state.sets]

    def find(self, words: str, limit: int | None = None) -> list[Hit]:
        """Everything that holds all the words, whatever their case and order.

        Args:
            words: Separated by blanks; nothing is found for none.
            limit: Most hits wanted; None for all.
        """
        wanted = words.lower().split()
        if not wanted:
            return []
        first, *others = wanted
        texts = self._texts
        found = [at for at, text in enumerate(texts) if first in text]
        for word in others:
            found = [at for at in found if word in texts[at]]
        return [self._hit(at) for at in found[:limit]]

    def _hit(self, at: int) -> Hit:
        if at < len(self._network):
            return self._network[at]
        at -= len(self._network)
        if at >= len(self._rules) + len(self._maps):
            found = self._sets[at - len(self._rules) - len(self._maps)]
            return Hit("set", found.name, ipset=found)
        if at >= len(self._rules):
            return self._map_hit(*self._maps[at - len(self._rules)])
        key, rule_index = self._rules[at]
        if rule_index is None:
            return Hit("chain", key.chain, key)
        return Hit("rule", self._index.chains[key].rules[rule_index].text, key, rule_index)

    def _map_hit(self, key: MapKey, element: int | None) -> Hit:
        if element is None:
            return Hit("map", key.name, map=key)
        return Hit("element", _element_text(self._index, key, element), map=key, element=element)


def _element_text(index: NodeIndex, key: MapKey, at: int) -> str:
    name, value = index.maps.maps[key].elements[at]
    return _words(name, value and f": {value}", index.maps.options(key).get(name))


_newest: list[tuple[NodeState, NodeIndex, Finder]] = []
"""The finders last used: one a node, so that a key need not build one."""
_KEPT = 4


def search(state: NodeState, index: NodeIndex, words: str, limit: int | None = None) -> list[Hit]:
    """Everything of a node that holds all the words, in display order; see `Finder`."""
    for at, (known, known_index, finder) in enumerate(_newest):
        if known is state and known_index is index:
            _newest.insert(0, _newest.pop(at))
            return finder.find(words, limit)
    finder = Finder(state, index)
    _newest.insert(0, (state, index, finder))
    del _newest[_KEPT:]
    return finder.find(words, limit)


def _words(*parts: object) -> str:
    return " ".join(str(part) for part in parts if part not in (None, ""))


def _route_hits(state: NodeState) -> Iterator[Hit]:
    for route in state.routes:
        ways = " ".join(_words(hop.gateway and f"via {hop.gateway}", hop.dev) for hop in route.nexthops)
        kind = None if route.type == "unicast" else route.type
        gateway = route.gateway and f"via {route.gateway}"
        dev = route.dev and f"dev {route.dev}"
        table = None if route.table == "main" else f"table {route.table}"
        proto = route.proto and f"proto {route.proto}"
        yield Hit("route", _words(kind, route.dst, gateway, dev, ways, table, proto), route=route)


def _link_hits(state: NodeState, index: NodeIndex) -> Iterator[Hit]:
    for link in state.links:
        pod = index.pod_of_interface(link.name)
        name = pod and pod_name(pod)
        text = _words(link.name, index.role_of_link(link), link.mac, *link.addresses, name)
        yield Hit("link", text, link=link)


def _pod_hits(state: NodeState) -> Iterator[Hit]:
    for pod in state.pods:
        yield Hit("pod", _words(pod_name(pod), pod.ip, pod.node, pod.interface), pod=pod)

"""What somebody asked about by name, found on every node and told in plain words.

One table says what can be asked for: `FINDERS`. A word may mean several things; each is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from calitop.check.facts import NEEDS
from calitop.cni.index import NodeIndex
from calitop.errors import CalitopError, SourceUnavailable, UsageError
from calitop.explain.about_addresses import find_addresses, find_sets
from calitop.explain.about_marks import find_marks
from calitop.explain.about_network import (
    find_interfaces,
    find_ip_rules,
    find_routes,
    is_ip_rule,
    is_prefix,
)
from calitop.explain.about_rules import find_chains, find_maps, find_rules
from calitop.explain.told import Told, ToldKind

Finder = Callable[[NodeIndex, str], Iterable[Told]]
_NEAR = 5
_ALIKE = 0.6
_TELLING = 3
"""Characters that a word needs before it is looked for inside names."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with its answers."""

    what: str
    found: tuple[tuple[str | None, Told], ...]
    """Each with the name of its node."""


FINDERS: Mapping[ToldKind, Finder] = {
    "rule": find_rules,
    "chain": find_chains,
    "map": find_maps,
    "interface": find_interfaces,
    "route": find_routes,
    "address": find_addresses,
    "set": find_sets,
    "ip rule": find_ip_rules,
    "mark": find_marks,
}
"""What can be asked for, each with what finds it on one node by the word that was given."""


def about(nodes: Sequence[NodeIndex], questions: Iterable[str]) -> list[Asked]:
    """Everything that each word means on each of the nodes.

    Raises:
        UsageError: A word means nothing on any of them.
        SourceUnavailable: What would tell was not read.
    """
    asked = [_ask(nodes, what) for what in questions]
    for one in asked:
        if not one.found:
            raise _not_found(nodes, one.what)
    return asked


def _ask(nodes: Sequence[NodeIndex], what: str) -> Asked:
    word = what.strip()
    found = (
        (index.state.name, told) for index in nodes for find in FINDERS.values() for told in find(index, word)
    )
    return Asked(what, tuple(found) if word else ())


def _not_found(nodes: Sequence[NodeIndex], what: str) -> CalitopError:
    missing = _missing(nodes, what)
    if missing is not None:
        return SourceUnavailable(f"nothing is known of '{what}': what would tell was not read", missing)
    near = near_names(nodes, what.strip())
    known = f"near it: {', '.join(near)}" if near else "calitop show lists what was read"
    return UsageError(f"there is no '{what}' among what was read", known)


def _missing(nodes: Sequence[NodeIndex], what: str) -> str | None:
    """What would have to be read to tell of it; None where such things were read."""
    if is_ip_rule(what):
        return None if any(one.state.ip_rules for one in nodes) else "read the policy rules: ip -j rule"
    if is_prefix(what):
        return None if any(one.state.routes for one in nodes) else f"read {NEEDS['routes']}"
    return None if any(one.chains or one.state.links for one in nodes) else f"read {NEEDS['rules']}"


def near_names(nodes: Sequence[NodeIndex], what: str) -> list[str]:
    """Names that were read and are like it: those that hold its last word first."""
    names = list(dict.fromkeys(name for index in nodes for name in _names(index)))
    words = [word for word in what.split("/") if word and not word.isdecimal()]
    wanted = words[-1] if words and not is_prefix(what) else what
    holding = [name for name in names if len(wanted) >= _TELLING and wanted.lower() in name.lower()]
    alike = get_close_matches(wanted, names, _NEAR, _ALIKE)
    return list(dict.fromkeys([*holding[:_NEAR], *alike]))[:_NEAR]


def _names(index: NodeIndex) -> Iterator[str]:
    state = index.state
    yield from (link.name for link in state.links)
    yield from (key.chain for key in index.chains)
    yield from (key.name for key in index.maps.maps)
    yield from (one.name for one in state.sets)
    yield from index.sets.users_by_set
    yield from (route.dst for route in state.routes)
    yield from (route.dev for route in state.routes if route.dev)
    yield from (f"rule {rule.priority}" for rule in state.ip_rules)

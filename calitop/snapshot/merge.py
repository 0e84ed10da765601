"""Many fragments of one node at one moment -> one state: the richest source wins, nothing counts twice.

Texts of different parts of the same kind (one routing table each, one device each) add up.
A cut text (a grep) tells only what no whole text of the same part tells.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar

from calitop.formats.fragment import Fragment
from calitop.model.network import IpRule, Link, LinkCounters, Neighbour, Route
from calitop.model.node import BpfAttachment, ConntrackEntry, IpSet, NodeState, Pod
from calitop.model.rules import Ruleset, Side
from calitop.snapshot.merge_rules import merge_rulesets, two_backends_warning

Item = TypeVar("Item")
Routed = TypeVar("Routed", Route, IpRule)


@dataclass(frozen=True, eq=False)
class Piece:
    """One fragment, with what is known of the text it came from."""

    fragment: Fragment
    cut: bool = False
    """Lines are missing from the text."""
    far: bool = False
    """From a folder above the snapshot: it only fills what the snapshot itself does not tell."""


def merge(pieces: Iterable[Piece]) -> NodeState:
    """The state that the fragments tell together; name, time and files are left to the caller."""
    ranked = sorted(pieces, key=lambda piece: (piece.cut, piece.far, -piece.fragment.richness))
    whole = [piece.fragment for piece in ranked if not piece.cut]
    cut = [piece.fragment for piece in ranked if piece.cut]
    everything = [*whole, *cut]
    rulesets = merge_rulesets(whole, cut)
    warnings = [*two_backends_warning(rulesets), *(text for each in everything for text in each.warnings)]
    return NodeState(
        captured_at=_first(each.captured_at for each in everything),
        kernel=_first(each.kernel for each in everything),
        rulesets=rulesets,
        without_rules=_without_rules(whole, rulesets),
        none_of=frozenset(_none_of(whole)),
        links=_merge_links(everything),
        routes=_by_family(_by_part(whole, cut, lambda each: each.routes, _route_part, _without_line)),
        ip_rules=_by_family(_by_part(whole, cut, lambda each: each.ip_rules, _family_part, _without_line)),
        sets=_merge_sets([each.sets for each in everything if each.sets]),
        sysctls=_union([each.sysctls for each in everything if each.sysctls]),
        stats=_union([each.stats for each in everything if each.stats]),
        neighbours=_by_part(whole, cut, lambda each: each.neighbours, _neighbour_part, _neighbour_identity),
        conntrack=_by_part(whole, cut, lambda each: each.conntrack, _conntrack_part, _flow_identity),
        bpf=_merge_bpf([each.bpf for each in everything if each.bpf]),
        pods=merge_pods([each.pods for each in everything if each.pods]),
        pod_signs=tuple(dict.fromkeys(sign for each in everything for sign in each.pod_signs or ())),
        cni_configs=tuple(dict.fromkeys(name for each in everything for name in each.cni_configs or ())),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _without_rules(whole: Sequence[Fragment], rulesets: Sequence[Ruleset]) -> frozenset[Side]:
    """What whole texts tell to hold no rules, where no text shows some."""
    told = {side for each in whole for side in each.without_rules}
    return frozenset(told - {(each.family, each.backend) for each in rulesets if each.tables})


def _none_of(whole: Sequence[Fragment]) -> Iterator[Literal["sets", "cni_configs"]]:
    """What whole texts tell that there is none of, and no text shows one."""
    if any(each.sets == () for each in whole) and not any(each.sets for each in whole):
        yield "sets"
    if any(each.cni_configs == () for each in whole) and not any(each.cni_configs for each in whole):
        yield "cni_configs"


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)


# -- parts ------------------------------------------------------------------------------


def _by_part(
    whole: Sequence[Fragment],
    cut: Sequence[Fragment],
    told_by: Callable[[Fragment], tuple[Item, ...] | None],
    part_of: Callable[[Item], Hashable],
    identity: Callable[[Item], Hashable],
) -> tuple[Item, ...]:
    """Each part (a table, a family) from the richest whole text that tells it, else all cut texts."""
    out: list[Item] = []
    told: set[Hashable] = set()
    for items in filter(None, map(told_by, whole)):
        parts = {part_of(item) for item in items} - told
        out += [item for item in items if part_of(item) in parts]
        told |= parts
    seen: set[Hashable] = set()
    for item in (item for each in cut for item in told_by(each) or ()):
        if part_of(item) not in told and identity(item) not in seen:
            seen.add(identity(item))
            out.append(item)
    return tuple(out)


def _by_family(items: Iterable[Routed]) -> tuple[Routed, ...]:
    """IPv4 first, whatever file was read first."""
    return tuple(sorted(items, key=lambda item: item.family))


def _route_part(route: Route) -> Hashable:
    return route.family, route.table


def _without_line(item: Route | IpRule) -> Hashable:
    return replace(item, line=None)


def _family_part(rule: IpRule) -> Hashable:
    return rule.family


def _neighbour_part(entry: Neighbour) -> Hashable:
    return ":" in entry.address


def _neighbour_identity(entry: Neighbour) -> Hashable:
    return entry.address, entry.dev


def _conntrack_part(entry: ConntrackEntry) -> Hashable:
    return ":" in (entry.original.src or "")


def _flow_identity(entry: ConntrackEntry) -> Hashable:
    return entry.protocol, entry.original, entry.reply, entry.zone


# -- by name ----------------------------------------------------------------------------


def _merge_links(fragments: Sequence[Fragment]) -> tuple[Link, ...]:
    """Links by name; what the richer text leaves open is filled from the others."""
    links: dict[str, Link] = {}
    for link in (link for each in fragments for link in each.links or ()):
        links[link.name] = _filled(links[link.name], link) if link.name in links else link
    return tuple(links.values())


_Record = TypeVar("_Record", Link, LinkCounters, Pod, BpfAttachment)


def _filled(known: _Record, other: _Record) -> _Record:
    """The known record with its open fields taken from another one of the same thing."""
    changes: dict[str, Any] = {}
    for field in fields(known):
        mine, theirs = getattr(known, field.name), getattr(other, field.name)
        if isinstance(mine, LinkCounters):
            changes[field.name] = _filled(mine, theirs)
        elif mine is None or mine == ():
            changes[field.name] = theirs
    return replace(known, **changes)


def _merge_sets(told: Sequence[tuple[IpSet, ...]]) -> tuple[IpSet, ...]:
    sets: dict[str, IpSet] = {}
    for each in (each for items in told for each in items):
        known = sets.get(each.name)
        if known is None or (known.members is None and each.members is not None):
            sets[each.name] = each
    return tuple(sets.values())


def merge_pods(told: Sequence[tuple[Pod, ...]]) -> tuple[Pod, ...]:
    """Pods by namespace and name; what the richer list leaves open is filled from the others."""
    pods: dict[tuple[str | None, str], Pod] = {}
    for pod in (pod for items in told for pod in items):
        key = (pod.namespace, pod.name)
        pods[key] = _filled_pod(pods[key], pod) if key in pods else pod
    return tuple(pods.values())


def _filled_pod(known: Pod, other: Pod) -> Pod:
    sources = tuple(dict.fromkeys([*known.known_from, *other.known_from]))
    return replace(_filled(known, other), known_from=sources)


def _merge_bpf(told: Sequence[tuple[BpfAttachment, ...]]) -> tuple[BpfAttachment, ...]:
    """Programs and filters; one that two texts name by its id on a device stands once."""
    found: dict[Hashable, BpfAttachment] = {}
    for place, items in enumerate(told):
        for at, each in enumerate(items):
            key = _bpf_identity(each, place, at)
            found[key] = _filled(found[key], each) if key in found else each
    return tuple(found.values())


def _bpf_identity(each: BpfAttachment, place: int, at: int) -> Hashable:
    if each.id is not None and each.dev is not None:
        return each.dev, each.direction, each.id
    if each.text is not None:
        return each.dev, each.direction, each.kind, each.text
    return place, at


_Value = TypeVar("_Value", str, int)


def _union(told: Sequence[Mapping[str, _Value]]) -> dict[str, _Value]:
    out: dict[str, _Value] = {}
    for each in reversed(told):
        out.update(each)
    return out

"""All ends that a packet can meet -> one predicted path.

Ends at the same place are one end. Where only one is left it is the verdict; otherwise the verdict is
`undecided` and each end is a branch with what decides it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from calitop.model.place import Where
from calitop.path.condition_words import words_of
from calitop.path.flight import End, Trail
from calitop.path.joining import common_trail, simplified
from calitop.path.steps import Branch, Path, PathVerdict, Step

_COSTS = (
    "sysctl",
    "net.",
    "ip rule",
    "ip route",
    "ip ",
    "ipset",
    "iptables-save",
    "nft ",
    "conntrack",
    "ipvsadm",
    "tc ",
    "bpftool",
    "ss ",
    "link counters",
    "counters",
    "cilium",
)
"""What is asked for, cheapest first, by how it begins."""

_Place = tuple[PathVerdict, Where | None, str]


def path_of(ends: Sequence[End]) -> Path:
    """The path that the ends make, at least one of them."""
    groups: dict[_Place, list[End]] = {}
    for end in ends:
        groups.setdefault(place_of(end), []).append(end)
    assumed = tuple(dict.fromkeys(words for end in ends for words in end.flight.assumed))
    if len(groups) == 1:
        return _decided(ends, assumed)
    common = reduce(common_trail, (end.flight.trail for end in ends))
    branches = tuple(sorted((_branch(group, common) for group in groups.values()), key=_first_on_the_way))
    places = dict.fromkeys(_told(one) for one in branches if one.where is not None)
    because = f"what was read leaves {len(branches)} ends open, among them: {'; '.join(places)}"
    return Path("undecided", None, because, _steps(common, None), branches, _missing(ends), assumed)


def place_of(end: End) -> _Place:
    """What tells ends apart: where no place is named, the reason."""
    return end.verdict, end.where, end.because if end.where is None else ""


def _decided(ends: Sequence[End], assumed: tuple[str, ...]) -> Path:
    shown = min(ends, key=lambda end: len(end.flight.conditions))
    missing = _missing(ends) if shown.verdict == "undecided" else ()
    steps = _on_all_ways(shown.flight.steps(), ends)
    return Path(shown.verdict, shown.where, shown.because, steps, (), missing, assumed)


def _branch(group: Sequence[End], common: Trail | None) -> Branch:
    shown = min(group, key=lambda end: len(end.flight.conditions))
    condition = words_of(simplified(end.flight.conditions for end in group))
    steps = _on_all_ways(_steps(shown.flight.trail, common), group)
    return Branch(condition, shown.verdict, shown.where, shown.because, steps)


def _on_all_ways(steps: Sequence[Step], group: Sequence[End]) -> tuple[Step, ...]:
    """The steps that are made on every way to the same end."""
    if len(group) == 1:
        return tuple(steps)
    made = [{step.stop for step in end.flight.steps()} for end in group]
    return tuple(step for step in steps if all(step.stop in stops for stops in made))


def _first_on_the_way(branch: Branch) -> tuple[int, int]:
    return len(branch.steps), len(branch.condition)


def _told(branch: Branch) -> str:
    """A branch in few words: `dropped at rp_filter on tunl0 of work1`."""
    where = branch.where
    if where is None:
        return branch.verdict
    named = where.chain or where.name or ("BPF" if where.kind == "bpf" else "")
    words = (branch.verdict, f"at {named}" if named else "", f"on {where.device}" if where.device else "")
    return " ".join(word for word in (*words, f"of {where.node}") if word)


def _steps(trail: Trail | None, stop: Trail | None) -> tuple[Step, ...]:
    found = []
    while trail is not None and trail is not stop:
        found.append(trail.step)
        trail = trail.before
    return tuple(reversed(found))


def _missing(ends: Iterable[End]) -> tuple[str, ...]:
    wanted = [one.missing for end in ends for one in end.flight.conditions if one.missing]
    wanted += [words for end in ends for words in end.missing]
    return tuple(sorted(dict.fromkeys(wanted), key=_cost))


def _cost(words: str) -> int:
    return next((at for at, start in enumerate(_COSTS) if words.startswith(start)), len(_COSTS))

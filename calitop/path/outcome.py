"""All ends that a packet can meet -> one predicted path.

Ends at the same place are one end. Where only one is left it is the verdict; otherwise the verdict is
`undecided` and each end is a branch with what decides it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from calitop.model.place import Where
from calitop.path.flight import Condition, End, Trail
from calitop.path.joining import Conditions, common_trail, simplified
from calitop.path.steps import Branch, Path, PathVerdict, Step

_MOST_WORDS = 3
"""Alternatives of one branch that are told; the rest is counted."""
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
"""What is asked for, cheapest first, by how it begins."""  # fmt: skip

_Place = tuple[PathVerdict, Where | None]


def path_of(ends: Sequence[End]) -> Path:
    """The path that the ends make, at least one of them."""
    groups: dict[_Place, list[End]] = {}
    for end in ends:
        groups.setdefault((end.verdict, end.where), []).append(end)
    assumed = tuple(dict.fromkeys(words for end in ends for words in end.flight.assumed))
    if len(groups) == 1:
        return _decided(ends, assumed)
    common = reduce(common_trail, (end.flight.trail for end in ends))
    branches = sorted((_branch(group, common) for group in groups.values()), key=_likeliest_first)
    because = "it depends: " + "; ".join(f"{one.verdict} if {one.condition}" for one in branches[:2])
    return Path("undecided", None, because, _steps(common, None), tuple(branches), _missing(ends), assumed)


def _decided(ends: Sequence[End], assumed: tuple[str, ...]) -> Path:
    shown = min(ends, key=lambda end: len(end.flight.conditions))
    missing = _missing(ends) if shown.verdict == "undecided" else ()
    return Path(shown.verdict, shown.where, shown.because, shown.flight.steps(), (), missing, assumed)


def _branch(group: Sequence[End], common: Trail | None) -> Branch:
    shown = min(group, key=lambda end: len(end.flight.conditions))
    condition = _words(simplified(end.flight.conditions for end in group))
    steps = _steps(shown.flight.trail, common)
    return Branch(condition, shown.verdict, shown.where, shown.because, steps)


def _likeliest_first(branch: Branch) -> tuple[int, int]:
    return len(branch.condition), -len(branch.steps)


def _steps(trail: Trail | None, stop: Trail | None) -> tuple[Step, ...]:
    found = []
    while trail is not None and trail is not stop:
        found.append(trail.step)
        trail = trail.before
    return tuple(reversed(found))


def _words(alternatives: Sequence[Conditions]) -> str:
    told = [" and ".join(_terse(one)) for one in sorted(alternatives, key=len)]
    if not told or "" in told:
        return "always"
    rest = len(told) - _MOST_WORDS
    return " or ".join(told[:_MOST_WORDS]) + (f" or {rest} more" if rest > 0 else "")


def _terse(conditions: Conditions) -> list[str]:
    """The conditions in words, without those that another one implies and with few of many alike."""
    equal = {one.key[:2] for one in conditions if _is_mark(one) and one.answer == 1}
    told = [one for one in conditions if not (_is_mark(one) and one.answer == 0 and one.key[:2] in equal)]
    alike: dict[object, list[Condition]] = {}
    for one in told:
        alike.setdefault(one.key[:2] if _is_mark(one) and one.answer == 0 else one, []).append(one)
    return [_all_of(group) for group in alike.values()]


def _is_mark(one: Condition) -> bool:
    return one.key[0] in ("mark", "connmark")


def _all_of(group: Sequence[Condition]) -> str:
    first = group[0].words
    return first if len(group) == 1 else f"{first} (and {len(group) - 1} more values)"


def _missing(ends: Iterable[End]) -> tuple[str, ...]:
    wanted = [one.missing for end in ends for one in end.flight.conditions if one.missing]
    wanted += [words for end in ends for words in end.missing]
    return tuple(sorted(dict.fromkeys(wanted), key=_cost))


def _cost(words: str) -> int:
    return next((at for at, start in enumerate(_COSTS) if words.startswith(start)), len(_COSTS))

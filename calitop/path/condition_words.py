"""Alternatives of conditions in few words and bits.

What all alternatives share is said once; what another condition implies is left out; that nothing which
was not captured interferes is one clause however many files are missing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from calitop.path.conditions import MARKS, NO
from calitop.path.flight import Condition
from calitop.path.joining import Conditions, simplified

UNREAD = frozenset(("unread", "rules", "map"))
"""Kinds of the questions whether something that was not captured decides."""
_NOTHING_ELSE = "nothing that was not captured stops it before"
_MOST = 3
"""Alternatives that are told; the rest is counted."""


def words_of(alternatives: Iterable[Conditions]) -> str:
    """The disjunction in words; `always` where one of them asks nothing.

    Args:
        alternatives: Conditions that hold together, for each way that leads to one end.
    """
    given = list(alternatives)
    bare = simplified(tuple(one for one in way if not _is_harmless(one)) for way in given)
    shared = [one for one in bare[0] if all(_has(way, one) for way in bare)] if bare else []
    rests = [tuple(one for one in way if not _has(shared, one)) for way in bare]
    told = _terse(shared)
    if rests and all(rests):
        told.insert(0, _either(rests, in_brackets=bool(told)))
    if any(_is_harmless(one) for way in given for one in way):
        told.append(_NOTHING_ELSE)
    return " and ".join(told) or "always"


def _is_harmless(one: Condition) -> bool:
    return one.key[0] in UNREAD and one.answer == NO


def _has(conditions: Iterable[Condition], wanted: Condition) -> bool:
    return any((one.key, one.answer) == (wanted.key, wanted.answer) for one in conditions)


def _either(alternatives: Sequence[Conditions], in_brackets: bool) -> str:
    told = list(dict.fromkeys(" and ".join(_terse(one)) for one in sorted(alternatives, key=len)))
    rest = len(told) - _MOST
    words = " or ".join(told[:_MOST]) + (f" or {rest} more" if rest > 0 else "")
    return f"({words})" if in_brackets and len(told) > 1 else words


def _terse(conditions: Iterable[Condition]) -> list[str]:
    """The conditions in words, without those that another one implies and with few of many alike."""
    distinct = dict.fromkeys(conditions)
    equal = {_asked_of(one) for one in distinct if _is_mark(one) and one.answer != NO}
    alike: dict[Hashable, list[Condition]] = {}
    for one in distinct:
        is_unequal = _is_mark(one) and one.answer == NO
        if not (is_unequal and _asked_of(one) in equal):
            alike.setdefault(_asked_of(one) if is_unequal else one, []).append(one)
    # Bits first: they tell two ends of one device apart, where a line is cut.
    return [_all_of(group) for group in sorted(alike.values(), key=lambda group: not _is_mark(group[0]))]


def _is_mark(one: Condition) -> bool:
    return one.key[0] in MARKS


def _asked_of(one: Condition) -> Hashable:
    """The bits that a question about a mark is about, at a time when they were the same."""
    name, mask, _value, epoch = one.key
    return name, mask, epoch


def _all_of(group: Sequence[Condition]) -> str:
    first = group[0].words
    return first if len(group) == 1 else f"{first} (nor {len(group) - 1} other values)"

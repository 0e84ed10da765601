"""A rule in nft's words -> its matches in order, its targets, its comment.

Every word belongs to exactly one match or target. A word that nothing here knows begins
an `Unknown`, which goes on to the next word that can begin a statement.
"""

from __future__ import annotations

from dataclasses import replace

from calitop.formats.iptables_modules import rate_per_day
from calitop.formats.iptables_values import number
from calitop.formats.nft_fields import Cursor, Relation, take_relation
from calitop.formats.nft_matches import protocol_of, typed
from calitop.formats.nft_targets import set_target, take_target, vmap_target
from calitop.formats.nft_words import BEGINNINGS, unquoted
from calitop.model.matches import Always, Comment, Limit, Match, Protocol, Unknown
from calitop.model.spec import RuleSpec
from calitop.model.targets import Target

_AFTER_STATEFUL = frozenset(("over", "until", "rate", "name", "used", "burst"))


def nft_spec(text: str) -> RuleSpec:
    """What an nft rule says, as far as calitop knows; never raises.

    Addresses of one family and ports of one protocol never match packets of another, also
    where the match is negated: `ip saddr != 10.0.0.1` holds for no IPv6 packet.

    Args:
        text: The rule in the words of `nft list ruleset`, without handle.
    """
    cursor = Cursor(text)
    matches: list[Match] = []
    targets: list[Target] = []
    while cursor.peek():
        target = take_target(cursor)
        if target is not None:
            targets.append(target)
        else:
            _take_condition(cursor, matches, targets)
    words, _ = cursor.plain(0, len(cursor.words))
    return RuleSpec(words=words, matches=tuple(matches), targets=tuple(targets))


def _take_condition(cursor: Cursor, matches: list[Match], targets: list[Target]) -> None:
    special = _take_special(cursor)
    if special is not None:
        matches.append(_in_time(special, targets))
        return
    relation = take_relation(cursor)
    if relation is None:
        matches.append(_unknown(cursor, cursor.at))
    elif cursor.peek() == "vmap":
        key, _ = cursor.plain(relation.start)
        targets.append(vmap_target(cursor, relation.start, key))
    elif cursor.peek() == "set" and not relation.value:
        targets.append(set_target(cursor, relation.start, relation.field))
    else:
        matches += (_in_time(match, targets) for match in _matches(cursor, relation))


def _in_time(match: Match, targets: list[Target]) -> Match:
    """The match, not understood where something was done before it: that is done in any case."""
    if not targets or isinstance(match, (Comment, Always)):
        return match
    return Unknown(words=match.words, at=match.at, negated=match.negated, module=match.words[0])


def _matches(cursor: Cursor, relation: Relation) -> list[Match]:
    """One condition as one match, or as two where its field belongs to a protocol."""
    found = typed(relation)
    if found is None:
        words, places = cursor.plain(relation.start, relation.end)
        return [Unknown(words=words, at=places, module=words[0])]
    protocol = protocol_of(relation)
    if protocol is None:
        return [_placed(cursor, found, relation.start, relation.end)]
    first = _placed(cursor, Protocol(numbers=(protocol,)), relation.start, relation.start + 1)
    return [first, _placed(cursor, found, relation.start + 1, relation.end)]


def _placed(cursor: Cursor, match: Match, start: int, end: int) -> Match:
    words, places = cursor.plain(start, end)
    return replace(match, words=words, at=places)


def _take_special(cursor: Cursor) -> Match | None:
    """Conditions that are no comparison: comment, counter, limit, quota, meter, xt; None for others."""
    start, word = cursor.at, cursor.peek()
    if word == "comment":
        return _comment(cursor, start)
    if word in ("counter", "last"):
        return _counting(cursor, start)
    if word == "limit":
        return _limit(cursor, start)
    if word == "xt":
        names = cursor.take(3)[2:]
        words, places = cursor.plain(start)
        return Unknown(words=words, at=places, module=unquoted(names[0]) if names else None)
    if word in ("quota", "meter", "add", "update") or (word, cursor.peek(1)) == ("ct", "count"):
        return _unknown(cursor, start)
    return None


def _comment(cursor: Cursor, start: int) -> Match:
    _, *text = cursor.take(2)
    words, places = cursor.plain(start)
    return Comment(text=unquoted(text[0]) if text else "", words=words, at=places)


def _counting(cursor: Cursor, start: int) -> Match:
    """`counter`, `counter name "x"`, `last used 3s`: counts, and every packet goes on."""
    word = cursor.take()[0]
    if cursor.peek() == "packets" and cursor.peek(2) == "bytes":
        cursor.take(4)
    elif cursor.peek() in ("name", "used"):
        cursor.take()
        relation = take_relation(cursor)
        if relation is None:
            cursor.take()
        elif cursor.take_if("map") is not None:
            cursor.group()
    words, places = cursor.plain(start)
    return Always(words=words, at=places, module=word)


def _limit(cursor: Cursor, start: int) -> Match:
    """`limit rate over 5/minute burst 7 packets`; a rate in bytes stays unknown."""
    cursor.take()
    if cursor.take_if("rate") is None:
        return _unknown(cursor, start)
    is_over = cursor.take_if("over", "until") == "over"
    word = "".join(cursor.take())
    rate = rate_per_day(word) if "/" in word else None
    burst: int | None = 5
    if cursor.take_if("burst") is not None:
        burst = number("".join(cursor.take()))
        rate = rate if cursor.take_if("packets") is not None else None
    if rate is None or burst is None:
        return _unknown(cursor, start)
    words, places = cursor.plain(start)
    return Limit(per_day=rate, burst=burst, negated=is_over, words=words, at=places)


def _unknown(cursor: Cursor, start: int) -> Match:
    """Everything up to the next word that can begin a statement; at least one word."""
    if cursor.at == start:
        cursor.group()
    while cursor.peek() and (cursor.peek() not in BEGINNINGS or _is_value(cursor)):
        cursor.group()
    words, places = cursor.plain(start)
    return Unknown(words=words, at=places, module=words[0])


def _is_value(cursor: Cursor) -> bool:
    """Whether the word stands where a value must: `ct count over 20`, `quota name "x"`."""
    return cursor.words[cursor.at - 1] in _AFTER_STATEFUL

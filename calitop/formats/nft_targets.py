"""A statement of an nft rule -> target, with what it does to the packet where calitop knows.

Source: nft(8) "STATEMENTS".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from calitop.formats import iptables_values as read
from calitop.formats.iptables_targets import nat_range
from calitop.formats.nft_fields import Cursor, take_changes, take_fields, take_operand
from calitop.formats.nft_names import DSCP
from calitop.formats.nft_words import elements, key_and_value, unquoted
from calitop.model import targets
from calitop.model.rules import Verb
from calitop.model.targets import Action, Target
from calitop.model.values import Option

Taker = Callable[[Cursor], "Action | None"]

_FULL = 0xFFFFFFFF
_VERDICTS = ("accept", "drop", "return", "continue")
_NAT_FLAGS = {"random": "random", "fully-random": "random-fully", "persistent": "persistent"}
_LOG_OPTIONS = ("prefix", "level", "group", "snaplen", "queue-threshold", "flags")
_OPERATORS = {"&": "and", "|": "or", "^": "xor"}
_SIDES = {"ip saddr": "src", "ip6 saddr": "src", "ip daddr": "dst", "ip6 daddr": "dst"}
_SET_NAMES: Mapping[tuple[str, ...], str] = {
    ("meta", "mark"): "MARK",
    ("mark",): "MARK",
    ("ct", "mark"): "CONNMARK",
    ("meta", "priority"): "CLASSIFY",
    ("meta", "nftrace"): "TRACE",
    ("ct", "helper"): "CT",
    ("ct", "zone"): "CT",
    ("ct", "timeout"): "CT",
    ("ip", "dscp"): "DSCP",
    ("ip6", "dscp"): "DSCP",
    ("ip", "ttl"): "TTL",
    ("ip6", "hoplimit"): "HL",
    ("tcp", "option", "maxseg", "size"): "TCPMSS",
}


def take_target(cursor: Cursor) -> Target | None:
    """The statement that begins here; None, nothing taken, where none does."""
    start, word = cursor.at, cursor.peek()
    if word in _VERDICTS:
        cursor.take()
        return _target(cursor, start, word.upper())
    if word in ("jump", "goto"):
        return _chain(cursor, start)
    if word in ("add", "update", "delete") and cursor.peek(1).startswith("@"):
        return None if _is_condition(cursor) else _change_set(cursor, start)
    if word == "xt" and cursor.peek(1) == "target":
        return _target(cursor, start, unquoted("".join(cursor.take(3)[2:])))
    taker = _TAKERS.get(word)
    if taker is None:
        return None
    cursor.take()
    action = taker(cursor)
    return _target(cursor, start, _OTHER_NAMES.get(word, word.upper()), action)


def set_target(cursor: Cursor, start: int, field: tuple[str, ...]) -> Target:
    """`… set …`: the cursor stands on `set`, the field began at `start`."""
    cursor.take()
    at = cursor.at
    action = _set_action(cursor, field)
    if cursor.at == at or cursor.peek() == "map":
        action = None
        take_fields(cursor)
        _take_map(cursor)
    return _target(cursor, start, _SET_NAMES.get(field, "SET"), action, (Option("field", field),))


def vmap_target(cursor: Cursor, start: int, key: tuple[str, ...]) -> Target:
    """`… vmap @name` or `… vmap { key : verdict }`: the cursor stands on `vmap`.

    Options: the words of the `key`, then the `map` by name or one `element` for each entry.
    """
    cursor.take()
    group = cursor.group()
    options = [Option("key", key)]
    if len(group) == 1:
        options.append(Option("map", group))
    else:
        pairs = (key_and_value(one) for one in elements(" ".join(group[1:-1])))
        options += [Option("element", (name, verdict or "")) for name, verdict in pairs]
    return _target(cursor, start, "VMAP", None, tuple(options))


def _target(
    cursor: Cursor, start: int, name: str, action: Action | None = None, options: tuple[Option, ...] = ()
) -> Target:
    found, places = cursor.plain(start)
    return Target(name, options=options, action=action, words=found, at=places)


def _chain(cursor: Cursor, start: int) -> Target:
    verb: Verb = "goto" if cursor.take()[0] == "goto" else "jump"
    name = " ".join(unquoted(word) for word in cursor.group())
    found, places = cursor.plain(start)
    return Target(name, verb, words=found, at=places)


def _is_condition(cursor: Cursor) -> bool:
    """Whether the element carries a limit: then the rule ends here while the limit does not hold."""
    ahead = Cursor("")
    ahead.words, ahead.at = cursor.words, cursor.at + 2
    return not {"limit", "quota", "count"}.isdisjoint(ahead.group())


def _change_set(cursor: Cursor, start: int) -> Target:
    verb, name = cursor.take(2)
    group = cursor.group()
    side = _SIDES.get(" ".join(group[1:3])) if "." not in group else None
    return _target(
        cursor, start, "SET", targets.ChangeSet(name[1:], (side,) if side else (), verb != "delete")
    )


# --- marks and other fields


def _set_action(cursor: Cursor, field: tuple[str, ...]) -> Action | None:
    of = _MARKS.get(field)
    if of is not None:
        return _mark(cursor, of)
    if field in _FIELDS:
        name = _FIELDS[field]
        word = _value(cursor)
        value = DSCP.get(word, read.number(word))
        if name == "mss" and word == "rt mtu":
            return targets.SetField("mss")
        return None if value is None else targets.SetField(name, value)
    if field == ("ct", "zone"):
        return targets.Track(zone=_value(cursor))
    if field == ("ct", "helper"):
        return targets.Track(helper=unquoted(_value(cursor)))
    _value(cursor)
    return None


def _value(cursor: Cursor) -> str:
    """What a field is set to, operators and maps included, as one text."""
    start = cursor.at
    if not take_fields(cursor):
        take_operand(cursor)
    take_changes(cursor)
    _take_map(cursor)
    return " ".join(cursor.words[start : cursor.at])


def _take_map(cursor: Cursor) -> None:
    if cursor.take_if("map") is not None:
        cursor.group()


def _mark(cursor: Cursor, of: Literal["packet", "connection"]) -> Action | None:
    source = take_fields(cursor)
    first = "" if source else take_operand(cursor)
    changes = take_changes(cursor)
    if " " in first:
        source, changes = _inside(first, changes)
    if not source:
        value = read.number(first)
        return None if value is None or changes or value > _FULL else targets.SetMark(of, value, _FULL)
    source = tuple(("meta", "mark") if one == ("mark",) else one for one in source)
    if source == (("ct", "mark") if of == "connection" else ("meta", "mark"),):
        return _linear(changes, of)
    return _copy(of, source, changes)


def _inside(
    first: str, changes: tuple[tuple[str, str], ...]
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, str], ...]]:
    """Field and operators of `(meta mark & 0xff) | 0x1`."""
    inner = Cursor(first)
    source = take_fields(inner)
    return source, take_changes(inner) + changes


def _linear(changes: tuple[tuple[str, str], ...], of: Literal["packet", "connection"]) -> Action | None:
    """new = (old & ~mask) ^ value, for any row of and, or, xor from left to right."""
    kept, value = _FULL, 0
    for operator, word in changes:
        number = read.number(word)
        name = _OPERATORS.get(operator, operator)
        if number is None or number > _FULL or name not in ("and", "or", "xor"):
            return None
        if name == "and":
            kept, value = kept & number, value & number
        elif name == "or":
            kept, value = kept & ~number, value | number
        else:
            value ^= number
    return targets.SetMark(of, value, ~kept & _FULL) if changes else None


def _copy(
    of: Literal["packet", "connection"],
    source: tuple[tuple[str, ...], ...],
    changes: tuple[tuple[str, str], ...],
) -> Action | None:
    """`meta mark set ct mark & 0xff`: from one mark to the other, all bits of the goal rewritten."""
    other = ("ct", "mark") if of == "packet" else ("meta", "mark")
    if source != (other,) or len(changes) > 1:
        return None
    mask = read.number(changes[0][1]) if changes else _FULL
    if mask is None or (changes and changes[0][0] not in ("&", "and")):
        return None
    if of == "packet":
        return targets.CopyMark(restore=True, connection_mask=mask)
    return targets.CopyMark(restore=False, packet_mask=mask)


_MARKS: Mapping[tuple[str, ...], Literal["packet", "connection"]] = {
    ("meta", "mark"): "packet",
    ("mark",): "packet",
    ("ct", "mark"): "connection",
}
_FIELDS: Mapping[tuple[str, ...], Literal["dscp", "ttl", "mss"]] = {
    ("ip", "dscp"): "dscp",
    ("ip6", "dscp"): "dscp",
    ("ip", "ttl"): "ttl",
    ("ip6", "hoplimit"): "ttl",
    ("tcp", "option", "maxseg", "size"): "mss",
}


# --- NAT


def _nat(kind: Literal["dnat", "snat", "masquerade", "redirect"]) -> Taker:
    def taker(cursor: Cursor) -> Action | None:
        goal, is_plain = _goal(cursor)
        flags = _nat_flags(cursor)
        if not goal:
            return targets.Nat(kind, flags=flags) if is_plain else None
        found = nat_range(goal)
        return targets.Nat(kind, (found,), flags=flags) if found is not None else None

    return taker


def _goal(cursor: Cursor) -> tuple[str, bool]:
    """Address and port behind `to`; empty and False where a map or a prefix chooses them."""
    family = cursor.peek() in ("ip", "ip6", "inet") and cursor.peek(1) in ("to", "prefix", "addr", "interval")
    if family:
        cursor.take()
    is_plain = cursor.take_if("prefix", "interval", "addr") is None
    if cursor.take_if("to", ":to") is None:
        return "", is_plain
    start = cursor.at
    word = _value(cursor)
    return (word, True) if is_plain and cursor.at == start + 1 else ("", False)


def _nat_flags(cursor: Cursor) -> frozenset[str]:
    names = cursor.peek().split(",")
    if not all(name in _NAT_FLAGS for name in names):
        return frozenset()
    cursor.take()
    return frozenset(_NAT_FLAGS[name] for name in names)


def _tproxy(cursor: Cursor) -> Action | None:
    goal, _ = _goal(cursor)
    found = nat_range(goal) if goal else None
    if found is None or found.first != found.last:
        return None
    return targets.Tproxy(found.first, found.ports.first if found.ports else None)


# --- the others


def _reject(cursor: Cursor) -> Action | None:
    if cursor.take_if("with") is None:
        return targets.Reject()
    kind = "".join(cursor.take())
    if kind == "tcp":
        cursor.take_if("reset")
        return targets.Reject("tcp-reset")
    cursor.take_if("type")
    answer = "".join(cursor.take())
    return targets.Reject(f"{kind}-{answer}" if answer else None)


def _log(cursor: Cursor) -> Action | None:
    found: dict[str, str] = {}
    while cursor.peek() in _LOG_OPTIONS:
        name, *values = cursor.take(3 if cursor.words[cursor.at : cursor.at + 2] in _FLAGS_OF else 2)
        found[name] = unquoted(values[-1]) if values else ""
    group = read.number(found.get("group", ""))
    return targets.Log(found.get("prefix"), found.get("level"), group)


_FLAGS_OF = (("flags", "tcp"), ("flags", "ip"))


def _queue(cursor: Cursor) -> Action | None:
    """`queue num 1-3 bypass,fanout`, `queue flags bypass to 3`, `queue`."""
    flags = "".join(cursor.take()) if cursor.take_if("flags") is not None else ""
    word = "0"
    if cursor.take_if("num", "to") is not None:
        word = _value(cursor)
    if not flags and any(name in ("bypass", "fanout") for name in cursor.peek().split(",")):
        flags = "".join(cursor.take())
    numbers = read.number_range(word, 65535, "-")
    return numbers and targets.Queue(numbers, "bypass" in flags.split(","))


def _notrack(_: Cursor) -> Action | None:
    return targets.Track(notrack=True)


def _synproxy(cursor: Cursor) -> Action | None:
    while cursor.peek() in ("mss", "wscale", "name", "timestamp", "sack-perm"):
        cursor.take(1 if cursor.peek() in ("timestamp", "sack-perm") else 2)
    return None


def _forward(cursor: Cursor) -> Action | None:
    """fwd and dup: `to "eth0"`, `ip to 10.0.0.1 device "eth0"`."""
    cursor.take_if("ip", "ip6")
    if cursor.take_if("to") is not None:
        _value(cursor)
    if cursor.take_if("device") is not None:
        _value(cursor)
    return None


def _two_words(cursor: Cursor) -> Action | None:
    cursor.take(2)
    return None


_OTHER_NAMES = {"dup": "TEE", "flow": "FLOWOFFLOAD"}
_TAKERS: dict[str, Taker] = {
    "snat": _nat("snat"),
    "dnat": _nat("dnat"),
    "masquerade": _nat("masquerade"),
    "redirect": _nat("redirect"),
    "tproxy": _tproxy,
    "reject": _reject,
    "log": _log,
    "queue": _queue,
    "notrack": _notrack,
    "synproxy": _synproxy,
    "fwd": _forward,
    "dup": _forward,
    "flow": _two_words,
}

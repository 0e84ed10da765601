"""Statements of `nft -j` in the words of `nft list ruleset`.

Source: libnftables-json(5); the spelling is that of nftables 1.0. An unknown statement is
kept as compact JSON. `counter` is printed without its numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from calitop.formats.json_reading import Json, JsonObject, mapping
from calitop.formats.nft_expression import (
    compact,
    elements_or_name,
    expression,
    kind_of,
    quoted,
    span,
)
from calitop.model.rules import Family

_BITMASKS = {"ct": ("state", "status", "label"), "payload": ("flags",)}
_DEFAULT_BURST = 5
"""Packets; nft prints the burst only where it differs (statement.c, limit_stmt_print)."""


def statement(one: Json, family: Family) -> str:
    """One statement or match of a rule in nft's words.

    Args:
        one: An element of a rule's `expr`.
        family: The table's; it decides what nft leaves out as the default.
    """
    if isinstance(one, str):
        return _plain(one)
    if not isinstance(one, dict) or len(one) != 1:
        return compact(one)
    name, inner = next(iter(one.items()))
    if name == "reject":
        return _reject(inner, family)
    printer = _PRINTERS.get(name)
    return compact(one) if printer is None else printer(inner)


def _plain(words: str) -> str:
    """A statement that nft has no JSON for, given as text over several lines: an anonymous chain."""
    head, *rules = [line.strip() for line in words.strip().split("\n")]
    return f"{head} {'; '.join(rules[:-1])} {rules[-1]}" if len(rules) > 1 else " ".join((head, *rules))


def _match(inner: Json) -> str:
    field = mapping(inner)
    left, right, operator = field.get("left"), field.get("right"), field.get("op")
    kind = kind_of(left)
    flags = _flag_mask(left)
    if flags is not None:
        name, mask = flags
        sign = "" if operator in ("==", "in") else f"{operator} "
        return f"{expression(name)} {sign}{expression(right)} / {expression(mask)}"
    silent = operator == "in" or (operator == "==" and not _prints_equal(left, right))
    sign = " " if silent else f" {operator} "
    return f"{expression(left)}{sign}{expression(right, kind)}"


def _flag_mask(left: Json) -> tuple[Json, Json] | None:
    """Field and mask of `tcp flags syn / fin,syn`, which JSON gives as a list after `&`."""
    sides = mapping(left).get("&")
    if isinstance(sides, list) and len(sides) == 2 and isinstance(sides[1], list):
        return sides[0], sides[1]
    return None


def _prints_equal(left: Json, right: Json) -> bool:
    """Whether nft writes `==` out: after an operator, and for one exact value of a bit mask."""
    name = next(iter(mapping(left)), "")
    if name in ("&", "|", "^", "<<", ">>"):
        return True
    field = mapping(mapping(left).get(name))
    key = field.get("key", field.get("field"))
    return key in _BITMASKS.get(name, ()) and isinstance(right, (str, int)) and not str(right).startswith("@")


def _mangle(inner: Json) -> str:
    field = mapping(inner)
    key = field.get("key")
    return f"{expression(key)} set {expression(field.get('value'), kind_of(key))}"


def _vmap(inner: Json) -> str:
    field = mapping(inner)
    key = field.get("key")
    return f"{expression(key)} vmap {elements_or_name(field.get('data'), kind_of(key))}"


def _counter(inner: Json) -> str:
    if inner is None or (isinstance(inner, dict) and "map" not in inner):
        return "counter"
    return f"counter name {_object_name(inner)}"


def _object_name(inner: Json) -> str:
    if isinstance(inner, dict):
        return expression(inner, "name")
    return quoted(inner)


def _named(words: str) -> Callable[[Json], str]:
    """Printer of a reference to a named object: `ct helper set "h"`."""
    return lambda inner: f"{words} {_object_name(inner)}"


def _limit(inner: Json) -> str:
    if not isinstance(inner, dict):
        return f"limit name {quoted(inner)}"
    over = "over " if inner.get("inv") else ""
    unit = inner.get("rate_unit", "packets")
    rate = f"{inner.get('rate')}" if unit == "packets" else f"{inner.get('rate')} {unit}"
    burst, burst_unit = inner.get("burst", 0), inner.get("burst_unit", "packets")
    default = _DEFAULT_BURST if unit == "packets" else 0
    tail = f" burst {burst} {burst_unit}" if burst != default and burst else ""
    return f"limit rate {over}{rate}/{inner.get('per')}{tail}"


def _quota(inner: Json) -> str:
    if not isinstance(inner, dict):
        return f"quota name {quoted(inner)}"
    over = "over " if inner.get("inv") else ""
    used = f" used {inner['used']} {inner.get('used_unit', 'bytes')}" if inner.get("used") else ""
    return f"quota {over}{inner.get('val')} {inner.get('val_unit', 'bytes')}{used}"


def _ct_count(inner: Json) -> str:
    field = mapping(inner)
    return f"ct count {'over ' if field.get('inv') else ''}{field.get('val')}"


def _log(inner: Json) -> str:
    field = mapping(inner)
    words = ["log"]
    words += [f"prefix {quoted(field['prefix'])}"] if "prefix" in field else []
    words += [
        f"{name} {field[name]}" for name in ("group", "snaplen", "queue-threshold", "level") if name in field
    ]
    return " ".join((*words, *_log_flags(field.get("flags"))))


def _log_flags(flags: Json) -> list[str]:
    """`tcp sequence,options`, `ip options`, `skuid`, `ether` or `all`, each behind `flags`."""
    found = [str(one) for one in flags] if isinstance(flags, list) else [str(flags)] if flags else []
    tcp = [one.removeprefix("tcp ") for one in found if one.startswith("tcp ")]
    others = [one for one in found if not one.startswith("tcp ")]
    return [f"flags {one}" for one in ([f"tcp {','.join(tcp)}"] if tcp else []) + others]


def _reject(inner: Json, family: Family) -> str:
    field = mapping(inner)
    kind, answer = field.get("type"), field.get("expr")
    usual = "icmpx" if family in ("inet", "bridge", "netdev") else {"ipv6": "icmpv6"}.get(family, "icmp")
    if kind is None or (kind == usual and answer == "port-unreachable"):
        return "reject"
    return f"reject with {kind}" if answer is None else f"reject with {kind} {expression(answer)}"


def _nat(word: str) -> Callable[[Json], str]:
    """Printer of snat, dnat, masquerade, redirect and tproxy."""

    def words(inner: Json) -> str:
        field = mapping(inner)
        parts = [word, *(str(field[name]) for name in ("family", "type_flags") if field.get(name))]
        goal = _goal(field)
        parts += ["to", goal] if goal else []
        parts += [expression(field["flags"])] if field.get("flags") else []
        return " ".join(parts)

    return words


def _goal(field: JsonObject) -> str:
    """Address and port as `10.0.0.1:80`, `[fe80::1]:80`, `:80` or either alone."""
    addr, port = field.get("addr"), field.get("port")
    if port is None:
        return "" if addr is None else expression(addr)
    return f"{_bracketed(addr)}:{expression(port)}"


def _bracketed(addr: Json) -> str:
    if addr is None:
        return ""
    ends = mapping(addr).get("range")
    if isinstance(ends, list):
        return "-".join(_bracketed(end) for end in ends)
    words = expression(addr)
    return f"[{words}]" if isinstance(addr, str) and ":" in words else words


def _dup(inner: Json) -> str:
    field = mapping(inner)
    addr = field.get("addr")
    is_device = isinstance(addr, str) and not any(mark in addr for mark in ".:@")
    goal = expression(addr, "name" if is_device else None)
    return f"dup to {goal}" + (f" device {quoted(field['dev'])}" if "dev" in field else "")


def _fwd(inner: Json) -> str:
    field = mapping(inner)
    device = expression(field.get("dev"), "name")
    if "addr" not in field:
        return f"fwd to {device}"
    return f"fwd {field.get('family')} to {expression(field['addr'])} device {device}"


def _queue(inner: Json) -> str:
    field = mapping(inner)
    flags = f" flags {expression(field['flags'])}" if field.get("flags") else ""
    return f"queue{flags} to {expression(field.get('num', 0))}"


def _synproxy(inner: Json) -> str:
    if isinstance(inner, str):
        return f"synproxy name {quoted(inner)}"
    field = mapping(inner)
    words = [f"{name} {field[name]}" for name in ("mss", "wscale") if name in field]
    flags = field.get("flags", [])
    return " ".join(
        ("synproxy", *words, *(str(one) for one in (flags if isinstance(flags, list) else [flags])))
    )


def _change(what: str) -> Callable[[Json], str]:
    """Printer of `add @set { … }` and `add @map { key : value }`."""

    def words(inner: Json) -> str:
        field = mapping(inner)
        inside = [_changed_element(field), *_inner_statements(field.get("stmt"))]
        data = f" : {expression(field['data'])}" if "data" in field else ""
        return f"{field.get('op')} {field.get(what)} {{ {' '.join(inside)}{data} }}"

    return words


def _changed_element(field: JsonObject) -> str:
    one = mapping(field.get("elem")).get("elem")
    if not isinstance(one, dict):
        return expression(field.get("elem"))
    timeout = f" timeout {span(one['timeout'])}" if "timeout" in one else ""
    return f"{expression(one.get('val'))}{timeout}"


def _inner_statements(found: Json) -> list[str]:
    listed = found if isinstance(found, list) else [found] if found else []
    return [statement(one, "inet") for one in listed]


def _meter(inner: Json) -> str:
    field = mapping(inner)
    size = f" size {field['size']}" if "size" in field else ""
    inside = " ".join((expression(field.get("key")), *_inner_statements(field.get("stmt"))))
    return f"meter {field.get('name')}{size} {{ {inside} }}"


def _flow(inner: Json) -> str:
    field = mapping(inner)
    return f"flow {field.get('op')} {field.get('flowtable')}"


def _last(inner: Json) -> str:
    used = mapping(inner).get("used")
    return f"last used {'never' if used is None else used}"


def _reset(inner: Json) -> str:
    return f"reset {expression(inner)}"


def _xt(inner: Json) -> str:
    field = mapping(inner)
    return " ".join(("xt", *(str(field[name]) for name in ("type", "name") if name in field)))


def _word(word: str) -> Callable[[Json], str]:
    return lambda inner: word


def _expression(name: str) -> Callable[[Json], str]:
    return lambda inner: expression({name: inner})


_PRINTERS: dict[str, Callable[[Json], str]] = {
    "match": _match,
    "counter": _counter,
    "mangle": _mangle,
    "vmap": _vmap,
    "jump": _expression("jump"),
    "goto": _expression("goto"),
    **{word: _word(word) for word in ("accept", "drop", "return", "continue", "notrack")},
    **{word: _nat(word) for word in ("snat", "dnat", "masquerade", "redirect", "tproxy")},
    "log": _log,
    "limit": _limit,
    "quota": _quota,
    "queue": _queue,
    "dup": _dup,
    "fwd": _fwd,
    "flow": _flow,
    "set": _change("set"),
    "map": _change("map"),
    "meter": _meter,
    "synproxy": _synproxy,
    "last": _last,
    "reset": _reset,
    "xt": _xt,
    "ct count": _ct_count,
    "ct helper": _named("ct helper set"),
    "ct timeout": _named("ct timeout set"),
    "ct expectation": _named("ct expectation set"),
    "secmark": _named("meta secmark set"),
}

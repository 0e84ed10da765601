"""Expressions of `nft -j` in the words of `nft list ruleset`.

Source: libnftables-json(5), the spelling is that of nftables 1.0. What is not known here
is kept as compact JSON: nothing is lost and nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

from calitop.formats.json_reading import Json, JsonObject, mapping

Kind: TypeAlias = "str | tuple[Kind, ...] | None"
"""How values beside a field are spelled; a tuple for each of many.

`name` in quotes, `device` in quotes too but for the number of one that is not there (`oif 0`),
`mark` and `raw` in hex.
"""

_BARE_META = frozenset(("iif", "oif", "iifname", "oifname", "iifgroup", "oifgroup"))
_NAMES = {
    "meta": frozenset(
        (
            *("iifname", "oifname", "ibrname", "obrname", "sdifname"),
            *("iifkind", "oifkind", "iifgroup", "oifgroup", "time", "hour", "day"),
        )
    ),
    "ct": frozenset(("helper",)),
    "fib": frozenset(("oifname",)),
    "socket": frozenset(("cgroupv2",)),
    "osf": frozenset(("name", "version")),
}
"""Fields whose values nft prints in quotes."""
_DEVICES = {"meta": frozenset(("iif", "oif", "sdif")), "fib": frozenset(("oif",))}
"""Fields that hold the number of a device, which nft prints as its name."""

_TYPE_KINDS = {"ifname": "name", "iface_index": "device", "mark": "mark", "string": "name"}
_BINDS = {"<<": 1, ">>": 1, "&": 2, "^": 3, "|": 4}
"""Operators by how tightly they bind, tightest first."""

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def expression(value: Json, kind: Kind = None) -> str:
    """An expression or a value in nft's words.

    Args:
        value: Any part of a rule's `expr`.
        kind: What it stands beside (see `kind_of`); it decides quotes and hexadecimal numbers.
    """
    if isinstance(value, dict) and len(value) == 1:
        name, inner = next(iter(value.items()))
        if name in _BINDS and isinstance(inner, list):
            return _operation(name, inner, kind)
        printer = _PRINTERS.get(name)
        if printer is not None:
            return printer(inner, kind)
    if isinstance(value, list):
        return ",".join(expression(one, kind) for one in value)
    return compact(value) if isinstance(value, dict) else _scalar(value, kind)


def kind_of(value: Json) -> Kind:
    """How values beside this field are spelled."""
    if not isinstance(value, dict) or not value:
        return None
    name, inner = next(iter(value.items()))
    if name in _BINDS and isinstance(inner, list) and inner:
        return kind_of(inner[0])
    if name == "concat" and isinstance(inner, list):
        return tuple(kind_of(one) for one in inner)
    field = mapping(inner)
    key = field.get("key", field.get("result"))
    if key == "mark":
        return "mark"
    if name == "payload" and "base" in field:
        return "raw"
    if key in _DEVICES.get(name, ()):
        return "device"
    return "name" if key in _NAMES.get(name, ()) else None


def kind_of_type(kind: Json) -> Kind:
    """How the elements of a set of that type are spelled."""
    if isinstance(kind, list):
        return tuple(kind_of_type(one) for one in kind)
    if isinstance(kind, dict):
        return kind_of(kind.get("typeof"))
    return _TYPE_KINDS.get(kind) if isinstance(kind, str) else None


def element(value: Json, key_kind: Kind, value_kind: Kind = None) -> str:
    """One element of a set, or of a map as `key : value`."""
    if isinstance(value, list) and len(value) == 2:
        return f"{expression(value[0], key_kind)} : {expression(value[1], value_kind)}"
    return expression(value, key_kind)


def elements_or_name(data: Json, key_kind: Kind, value_kind: Kind = None) -> str:
    """The right-hand side of `map` and `vmap`: `@name` or `{ … }`."""
    found = mapping(data).get("set")
    if not isinstance(found, list):
        return expression(data, key_kind)
    return "{ " + ", ".join(element(one, key_kind, value_kind) for one in found) + " }"


def compact(value: Json) -> str:
    """A part that has no words here, as JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def quoted(value: Json) -> str:
    """A name in quotes."""
    return f'"{value}"'


def span(seconds: Json) -> str:
    """A time in nft's words: 3660 is `1h1m`."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
        return f"{seconds}s"
    words = ""
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        words += f"{count}{unit}" if count else ""
    return words


def _scalar(value: Json, kind: Kind) -> str:
    if isinstance(value, str):
        is_name = kind == "name" or (kind == "device" and not value.isdecimal())
        return quoted(value) if is_name and value != "*" and value[:1] != "@" else value
    if isinstance(value, bool):
        return "exists" if value else "missing"
    if isinstance(value, int) and kind in ("mark", "raw"):
        return f"0x{value:08x}" if kind == "mark" else f"0x{value:x}"
    return compact(value)


def _operation(operator: str, sides: list[Json], kind: Kind) -> str:
    return f" {operator} ".join(_operand(operator, side, kind or kind_of(sides[0])) for side in sides)


def _operand(operator: str, side: Json, kind: Kind) -> str:
    words = expression(side, kind)
    inner = next(iter(side)) if isinstance(side, dict) and side else ""
    return f"({words})" if _BINDS.get(inner, 0) > _BINDS[operator] else words


def _payload(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    if "base" in field:
        return f"@{field['base']},{field.get('offset')},{field.get('len')}"
    return _words(field.get("tunnel"), field.get("protocol"), field.get("field"))


def _meta(inner: Json, _: Kind) -> str:
    key = mapping(inner).get("key")
    return str(key) if key in _BARE_META else f"meta {key}"


def _ct(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    return _words("ct", field.get("dir"), field.get("family"), field.get("key"))


def _fib(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    flags = field.get("flags")
    joined = " . ".join(str(one) for one in flags) if isinstance(flags, list) else flags
    return _words("fib", joined, field.get("result"))


def _rt(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    return _words("rt", field.get("family"), field.get("key"))


def _socket(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    level = field.get("level")
    return _words("socket", field.get("key"), None if level is None else f"level {level}")


def _osf(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    ttl = field.get("ttl")
    return _words("osf", None if ttl is None else f"ttl {ttl}", field.get("key"))


def _ipsec(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    spnum = f"spnum {field['spnum']}" if field.get("spnum") else None
    return _words("ipsec", field.get("dir"), spnum, field.get("family"), field.get("key"))


def _header(prefix: str) -> Callable[[Json, Kind], str]:
    """Printer of an extension header or option: `tcp option maxseg size`, `exthdr frag`."""

    def words(inner: Json, _: Kind) -> str:
        field = mapping(inner)
        if "base" in field:
            return f"{prefix} @{field['base']},{field.get('offset')},{field.get('len')}"
        if prefix == "exthdr" and "field" in field:
            return _words(field.get("name"), field["field"])
        return _words(prefix, field.get("name"), field.get("field"))

    return words


def _numgen(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    return _words("numgen", field.get("mode"), "mod", field.get("mod"), _offset(field))


def _jhash(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    seed = f"seed {expression(field['seed'], 'raw')}" if field.get("seed") else None
    return _words("jhash", expression(field.get("expr")), "mod", field.get("mod"), seed, _offset(field))


def _symhash(inner: Json, _: Kind) -> str:
    field = mapping(inner)
    return _words("symhash mod", field.get("mod"), _offset(field))


def _offset(field: JsonObject) -> str | None:
    return f"offset {field['offset']}" if field.get("offset") else None


def _prefix(inner: Json, kind: Kind) -> str:
    field = mapping(inner)
    return f"{expression(field.get('addr'), kind)}/{field.get('len')}"


def _range(inner: Json, kind: Kind) -> str:
    ends = inner if isinstance(inner, list) else [inner]
    return "-".join(expression(end, kind) for end in ends)


def _concat(inner: Json, kind: Kind) -> str:
    parts = inner if isinstance(inner, list) else [inner]
    kinds: tuple[Kind, ...] = (
        kind if isinstance(kind, tuple) and len(kind) == len(parts) else (None,) * len(parts)
    )
    return " . ".join(expression(part, one) for part, one in zip(parts, kinds, strict=True))


def _set(inner: Json, kind: Kind) -> str:
    return elements_or_name({"set": inner if isinstance(inner, list) else [inner]}, kind)


def _map(inner: Json, kind: Kind) -> str:
    field = mapping(inner)
    key = field.get("key")
    return f"{expression(key)} map {elements_or_name(field.get('data'), kind_of(key), kind)}"


def _element(inner: Json, kind: Kind) -> str:
    field = mapping(inner)
    words = [expression(field.get("val"), kind)]
    words += [_element_counter(mapping(field["counter"]))] if "counter" in field else []
    words += [f"timeout {span(field['timeout'])}"] if "timeout" in field else []
    words += [f"comment {quoted(field['comment'])}"] if "comment" in field else []
    return " ".join(words)


def _element_counter(field: JsonObject) -> str:
    packets, octets = field.get("packets"), field.get("bytes")
    return "counter" if packets is None or octets is None else f"counter packets {packets} bytes {octets}"


def _chain(verb: str) -> Callable[[Json, Kind], str]:
    return lambda inner, _: f"{verb} {mapping(inner).get('target')}"


def _verdict(word: str) -> Callable[[Json, Kind], str]:
    return lambda inner, _: word


def _words(*parts: Json) -> str:
    return " ".join(str(part) for part in parts if part is not None)


_PRINTERS: dict[str, Callable[[Json, Kind], str]] = {
    "payload": _payload,
    "meta": _meta,
    "ct": _ct,
    "fib": _fib,
    "rt": _rt,
    "socket": _socket,
    "osf": _osf,
    "ipsec": _ipsec,
    "exthdr": _header("exthdr"),
    "tcp option": _header("tcp option"),
    "ip option": _header("ip option"),
    "sctp chunk": _header("sctp chunk"),
    "dccp option": _header("dccp option"),
    "numgen": _numgen,
    "jhash": _jhash,
    "symhash": _symhash,
    "prefix": _prefix,
    "range": _range,
    "concat": _concat,
    "set": _set,
    "map": _map,
    "elem": _element,
    "jump": _chain("jump"),
    "goto": _chain("goto"),
    "accept": _verdict("accept"),
    "drop": _verdict("drop"),
    "return": _verdict("return"),
    "continue": _verdict("continue"),
}

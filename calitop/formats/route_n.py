"""`route -n`, `netstat -rn`: the kernel's old listing of the IPv4 main table.

It does not tell blackhole from throw (device `*`), nor unreachable from prohibit (gateway
`-`, flag `!`), and it shows one next hop of a multipath route only.

Source: rprint_fib in net-tools' lib/inet_gr.c and /proc/net/route; tried with net-tools 2.10.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from calitop.formats.fragment import Fragment
from calitop.formats.reading import (
    Problems,
    head_lines,
    is_address,
    numbered,
    signed_number,
    told,
    whole_number,
)
from calitop.formats.route_n6 import is_null_entry, read_v6
from calitop.model.network import Route

KIND = "route -n"

_DEFAULT_COLUMNS = ("Destination", "Gateway", "Genmask", "Flags", "Metric", "Ref", "Use", "Iface")
_NETSTAT_COLUMNS = ("Destination", "Gateway", "Genmask", "Flags", "MSS", "Window", "irtt", "Iface")
_LONG_COLUMNS = (*_DEFAULT_COLUMNS, "MSS", "Window", "irtt")
_TITLE = re.compile(r"Kernel IP(v6)? routing (table|cache)")
_MASK = r"(?:\d{1,3}\.){3}\d{1,3}"
_ROW = re.compile(rf"\s*\S+\s+\S+\s+{_MASK}\s+[UGHRDMACI!]+\s+(?:-?\d+|-)\s+(?:-?\d+|-)\s+(?:-?\d+|-)\s+\S+")
_ROW6 = re.compile(r"\s*\S*:\S*/\d+\s+\S*:\S*\s+[!UGHnDRaAeC]+\s+-?\d+\s+\d+\s+\d+\s+\S+")
_METRIC_SIGN = 1 << 32


def looks_like(text: str) -> bool:
    """Whether the text has the title or rows of `route -n`."""
    lines = head_lines(text)
    if any(_TITLE.match(line.strip()) for line in lines[:3]):
        return True
    rows = sum(1 for line in lines if _ROW.match(line) or _ROW6.match(line))
    return rows > 0 and 2 * rows > len(lines)


def parse(text: str) -> Fragment:
    """The routes of the listing; a line with other columns is a problem."""
    problems = Problems()
    routes: list[Route] = []
    columns: Sequence[str] = ()
    for number, line in numbered(text):
        words = line.partition(" #")[0].split()
        if not words or _TITLE.match(line.strip()):
            continue
        if words[0] == "Destination":
            columns = words
            continue
        if is_null_entry(words):
            continue
        route = read_v6(words, number) if ":" in words[0] else _row(words, columns, number)
        if isinstance(route, Route):
            routes.append(route)
        else:
            problems.add(number, line.strip(), route)
    return Fragment(problems.all(), routes=told(routes, problems), richness=1)


def _row(words: Sequence[str], columns: Sequence[str], number: int) -> Route | str:
    """The route of one row, or why it is none."""
    known = _columns_of(words, columns)
    if known is None:
        return "has not the columns of 'route -n'"
    cell = dict(zip(known, words, strict=False))
    dst = _destination(cell["Destination"], cell["Genmask"])
    if dst is None:
        return "has no address and mask as 'route -n' prints them; names are not looked up"
    flags, gateway, dev = cell["Flags"], cell["Gateway"], cell["Iface"]
    if not (gateway in ("-", "*") or is_address(gateway)):
        return "has a name for a gateway, which calitop does not look up"
    metric = signed_number(cell.get("Metric", "0"))
    if metric is None:
        return "has no number for a metric"
    types = _open_types(flags, dev)
    return Route(
        "ipv4",
        dst,
        type=None if types else "unicast",
        types=types,
        gateway=gateway if "G" in flags and gateway != "0.0.0.0" and is_address(gateway) else None,
        dev=None if dev in ("*", "-") else dev,
        metric=metric + _METRIC_SIGN if metric < 0 else metric,
        line=number,
    )


def _columns_of(words: Sequence[str], columns: Sequence[str]) -> Sequence[str] | None:
    """The columns of the header, else those of the shape; None where they do not fit."""
    if columns:
        fits = len(words) == len(columns) and {"Destination", "Genmask", "Flags", "Iface"} <= set(columns)
        return columns if fits and "Gateway" in columns else None
    if len(words) == len(_DEFAULT_COLUMNS):
        return _DEFAULT_COLUMNS if _ROW.match(" ".join(words)) else None
    return _LONG_COLUMNS if len(words) == len(_LONG_COLUMNS) else None


def _open_types(flags: str, dev: str) -> tuple[str, ...]:
    """What the route can be where the listing leaves it open."""
    if "!" in flags:
        return ("unreachable", "prohibit")
    return ("blackhole", "throw") if dev == "*" else ()


def _destination(address: str, mask: str) -> str | None:
    if address == "default":
        address = "0.0.0.0"
    length = _length(mask)
    if length is None or not is_address(address) or ":" in address:
        return None
    return "default" if length == 0 and address == "0.0.0.0" else f"{address}/{length}"


def _length(mask: str) -> int | None:
    """Prefix length of a dotted mask; None for one with holes."""
    octets = mask.split(".")
    numbers = [number for octet in octets if (number := whole_number(octet)) is not None and number < 256]
    if len(numbers) != 4 or len(octets) != 4:
        return None
    value = int.from_bytes(bytes(numbers), "big")
    length = bin(value).count("1")
    return length if value == ((1 << length) - 1) << (32 - length) else None

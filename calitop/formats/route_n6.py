"""A row of `route -n -6`: destination, next hop, flags, metric, references, use, device.

Source: rprint_fib6 in net-tools' lib/inet6_gr.c; tried with net-tools 2.10.
"""

from __future__ import annotations

from collections.abc import Sequence

from calitop.formats.ip_route_words import destination
from calitop.formats.reading import is_address, signed_number
from calitop.model.network import Route

_COLUMNS = 7
_METRIC_SIGN = 1 << 32
_REJECTING = ("blackhole", "unreachable", "prohibit", "throw")


def read_v6(words: Sequence[str], number: int) -> Route | str:
    """The route of one row, or why it is none.

    The listing mixes the tables: an address of the node itself (flags `Un`) is of the local
    table. A refusing route stands there with flag `!` whatever its type.
    """
    if len(words) != _COLUMNS:
        return "has not the columns of 'route -n -6'"
    prefix, gateway, flags, metric_word, _, _, dev = words
    dst, metric = destination(prefix), signed_number(metric_word)
    if dst is None or metric is None or not is_address(gateway):
        return "is not a route"
    types = _open_types(flags)
    multicast = prefix == "ff00::/8"
    return Route(
        "ipv6",
        dst,
        table="local" if multicast or flags.startswith("Un") else "main",
        type=None if types else "multicast" if multicast else "unicast",
        types=types,
        gateway=gateway if "G" in flags and gateway != "::" else None,
        dev=dev,
        metric=metric + _METRIC_SIGN if metric < 0 else metric,
        line=number,
    )


def is_null_entry(words: Sequence[str]) -> bool:
    """Whether the row is the kernel's own last resort, which is in no table (ip6_null_entry)."""
    return len(words) == _COLUMNS and words[0] == "::/0" and "!" in words[2] and words[3:4] == ["-1"]


def _open_types(flags: str) -> tuple[str, ...]:
    if "!" in flags:
        return _REJECTING
    return ("local", "anycast") if flags.startswith("Un") else ()

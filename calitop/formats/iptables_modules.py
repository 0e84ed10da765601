"""Match modules of iptables whose options belong together -> one typed record each.

A reader gets all options of one `-m`; it answers None when it does not understand every
word, and the caller then makes an `Unknown` of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from calitop.formats import iptables_values as read
from calitop.formats.iptables_matches import first_value
from calitop.formats.words import names
from calitop.model import matches
from calitop.model.matches import Match
from calitop.model.values import Option, Way

ModuleReader = Callable[[Sequence[Option]], "Match | None"]

_PER_DAY = {"s": 86400, "m": 1440, "h": 24, "d": 1}
_UNITS = {"second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "day": "d"}


def _once(options: Sequence[Option]) -> dict[str, Option] | None:
    """The options by name; None when one is repeated, which no reader here expects."""
    by_name = {option.name: option for option in options}
    return by_name if len(by_name) == len(options) else None


def _flags_only(options: Sequence[Option], allowed: str) -> frozenset[str] | None:
    by_name = _once(options)
    if by_name is None or not by_name.keys() <= set(allowed.split()):
        return None
    return None if any(option.negated or option.values for option in options) else frozenset(by_name)


def _in_set(options: Sequence[Option]) -> Match | None:
    named = [option for option in options if option.name in ("match-set", "set")]
    if len(named) != 1 or len(named[0].values) != 2:
        return None
    rest = tuple(option for option in options if option is not named[0] and option.name != "return-nomatch")
    nomatch = [option for option in options if option.name == "return-nomatch"]
    name, directions = named[0].values
    return matches.InSet(
        name=name,
        directions=tuple(directions.split(",")),
        return_nomatch=bool(nomatch) and not nomatch[0].negated,
        options=rest,
        negated=named[0].negated,
    )


def _address_type(options: Sequence[Option]) -> Match | None:
    by_name = _once(options)
    if by_name is None or not by_name.keys() & {"src-type", "dst-type"}:
        return None
    if not by_name.keys() <= {"src-type", "dst-type", "limit-iface-in", "limit-iface-out"}:
        return None
    src, dst = by_name.get("src-type"), by_name.get("dst-type")
    limit: Way | None = (
        "in" if "limit-iface-in" in by_name else "out" if "limit-iface-out" in by_name else None
    )
    return matches.AddrType(
        src=frozenset(first_value(src).split(",")) if src else None,
        src_negated=bool(src and src.negated),
        dst=frozenset(first_value(dst).split(",")) if dst else None,
        dst_negated=bool(dst and dst.negated),
        limit=limit,
    )


def _rpfilter(options: Sequence[Option]) -> Match | None:
    flags = _flags_only(options, "loose validmark accept-local invert")
    if flags is None:
        return None
    return matches.RpFilter(
        loose="loose" in flags,
        validmark="validmark" in flags,
        accept_local="accept-local" in flags,
        negated="invert" in flags,
    )


def _socket(options: Sequence[Option]) -> Match | None:
    flags = _flags_only(options, "transparent nowildcard restore-skmark")
    if flags is None:
        return None
    return matches.Socket(
        transparent="transparent" in flags,
        nowildcard="nowildcard" in flags,
        restore_skmark="restore-skmark" in flags,
    )


def _limit(options: Sequence[Option]) -> Match | None:
    by_name = _once(options)
    if by_name is None or any(option.negated for option in options):
        return None
    rate = rate_per_day(first_value(by_name["limit"])) if "limit" in by_name else 3.0 * _PER_DAY["h"]
    burst = read.number(first_value(by_name["limit-burst"])) if "limit-burst" in by_name else 5
    if rate is None or burst is None or not by_name.keys() <= {"limit", "limit-burst"}:
        return None
    return matches.Limit(per_day=rate, burst=burst)


def rate_per_day(word: str) -> float | None:
    """`3/hour`, `10/sec`, `5/s` as a number a day; None for anything else."""
    count, _, unit = word.partition("/")
    number = read.number(count)
    letter = _UNITS.get(unit.lower(), unit.lower() if unit.lower() in _PER_DAY else "") if unit else "s"
    return None if number is None or letter not in _PER_DAY else float(number * _PER_DAY[letter])


def _statistic(options: Sequence[Option]) -> Match | None:
    by_name = _once(options)
    if by_name is None or "mode" not in by_name or by_name["mode"].negated:
        return None
    mode = first_value(by_name["mode"])
    if mode == "random" and by_name.keys() == {"mode", "probability"}:
        chance = _fraction(first_value(by_name["probability"]))
        if chance is not None:
            return matches.Statistic(probability=chance, negated=by_name["probability"].negated)
    if mode == "nth" and "every" in by_name and by_name.keys() <= {"mode", "every", "packet"}:
        every = read.number(first_value(by_name["every"]))
        packet = read.number(first_value(by_name["packet"])) if "packet" in by_name else 0
        if every and packet is not None:
            return matches.Statistic(every=every, packet=packet, negated=by_name["every"].negated)
    return None


def _fraction(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


MODULE_READERS: dict[str, ModuleReader] = {
    "set": _in_set,
    "addrtype": _address_type,
    "rpfilter": _rpfilter,
    "socket": _socket,
    "limit": _limit,
    "statistic": _statistic,
}
"""By module: all options of one `-m` together."""

ALWAYS = names("tcp udp udplite sctp dccp icmp icmp6 icmpv6")
"""Modules that without options add nothing to `-p`."""

"""Numbers in columns that keep their width: grouped while they fit, else `12.3M`."""

from __future__ import annotations

from widgets.signs import Signs

_UNITS = ((10**18, "E"), (10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def grouped(number: int, width: int) -> str:
    """The number with grouped thousands, or shortened to a unit where that needs more than `width` cells."""
    full = f"{number:,}"
    return full if len(full) <= width else scaled(number, width)


def scaled(number: int, width: int) -> str:
    """The number with three figures and a decimal unit, as `12.3M`; never rounded up to more than it is."""
    for unit, letter in _UNITS:
        if number >= unit:
            tenths = number * 10 // unit
            short = f"{tenths // 10}.{tenths % 10}{letter}"
            return short if len(short) <= width and tenths < 1000 else f"{number // unit}{letter}"
    return str(number)


def count(number: int | None, width: int, signs: Signs) -> str:
    """A counter; the sign for unknown where the source has none."""
    return signs.unknown if number is None else grouped(number, width)


def since(packets: int | None, exact: bool, width: int, signs: Signs) -> str:
    """A difference since the baseline: `+5`, `≥5` when it may be more, `0`, or unknown."""
    if packets is None:
        return signs.unknown
    if packets == 0:
        return "0" if exact else f"{signs.at_least}0"
    sign = "+" if exact else signs.at_least
    return sign + grouped(packets, width - len(sign))


def per_second(rate: float | None, width: int, signs: Signs) -> str:
    """A rate: whole numbers, one decimal below ten, the still sign for zero."""
    if rate is None:
        return signs.unknown
    if rate == 0:
        return signs.still
    if rate < 0.1:
        return "<0.1"
    if rate < 9.95 and abs(rate - round(rate)) >= 0.05:
        return f"{rate:.1f}"
    return grouped(round(rate), width)


def age(seconds: float) -> str:
    """A time span in one or two units: `8 s`, `4 min`, `2 h 5 min`, `3 d`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d"

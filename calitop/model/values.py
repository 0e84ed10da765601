"""Addresses, numbers and names that the matches and targets of a rule are made of."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, NamedTuple

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Side = Literal["src", "dst"]
Way = Literal["in", "out"]
Direction = Literal["original", "reply"]


class NamePattern(NamedTuple):
    """A device name, or with `prefix` the beginning of one (`cali+` is `cali`, True)."""

    text: str
    prefix: bool = False

    def fits(self, device: str) -> bool:
        """Whether a device of that name is meant."""
        return device.startswith(self.text) if self.prefix else device == self.text


class Range(NamedTuple):
    """Whole numbers from `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last


class Option(NamedTuple):
    """One option with its values, without its leading dashes: (`limit`, (`1/sec`,), False)."""

    name: str
    values: tuple[str, ...] = ()
    negated: bool = False


def in_any(number: int, ranges: Iterable[Range]) -> bool:
    """Whether a number lies in one of the ranges."""
    return any(number in one for one in ranges)

"""What links and kernel statistics have counted; nothing is ever credited below zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import TypeVar

from calitop.counters.counts import LinkRate
from calitop.model.network import LinkCounters

_FIELDS = tuple(field.name for field in fields(LinkCounters))

Links = Mapping[str, LinkCounters]
Told = TypeVar("Told")


class ByLink(Mapping[str, Told]):
    """Something of each link, worked out when it is asked for: of a thousand links few are on screen.

    Args:
        links: The links; never changed afterwards.
        tell: What is told of a link, from its name and its newest counters.
    """

    def __init__(self, links: Links, tell: Callable[[str, LinkCounters], Told]) -> None:
        self._links, self._tell = links, tell

    def __getitem__(self, name: str) -> Told:
        return self._tell(name, self._links[name])

    def __contains__(self, name: object) -> bool:
        return name in self._links

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)


class NetworkLedger:
    """The account of links and statistics from a baseline on.

    Attributes:
        now: Newest counters of each link.
        stats_now: Newest statistics.
        rates: Each link's rates between the two newest readings.
    """

    def __init__(self, links: Links, stats: Mapping[str, int], at: float, late: bool) -> None:
        self._late = late
        self.now, self.stats_now, self._at = dict(links), dict(stats), at
        self._base, self._base_stats = self.now, self.stats_now
        self.rates: Mapping[str, LinkRate] = {}

    def add(self, links: Links, stats: Mapping[str, int], at: float) -> None:
        """Take a reading; an empty one says nothing. With `late` the first one starts the account."""
        if links:
            self.rates = link_rates(self.now, links, at - self._at)
            self.now, self._at = dict(links), at
            self._base = self._base or (self.now if self._late else {})
        if stats:
            self.stats_now = dict(stats)
            self._base_stats = self._base_stats or (self.stats_now if self._late else {})

    def rebase(self) -> None:
        """Count from the newest values on."""
        self._base, self._base_stats = self.now, self.stats_now

    def links(self) -> Links:
        """Each link's counters since the baseline."""
        return link_deltas(self._base, self.now)

    def stats(self) -> dict[str, int]:
        """Each statistic since the baseline."""
        return stat_deltas(self._base_stats, self.stats_now)


def link_deltas(base: Links, now: Links) -> Links:
    """Each link's counters since the baseline; None where either end is unknown.

    A link that is younger than the baseline, or that was made again, counts from zero.
    """
    made_since = LinkCounters(*[0] * len(_FIELDS)) if base else LinkCounters()
    return ByLink(now, lambda name, counters: _since(base.get(name, made_since), counters))


def link_rates(was: Links, now: Links, elapsed_s: float) -> Mapping[str, LinkRate]:
    """Each link's packets and bytes per second between two readings."""
    if elapsed_s <= 0:
        return {}
    both = now if was.keys() == now.keys() else {name: now[name] for name in now if name in was}
    return ByLink(both, lambda name, counters: _rate(was[name], counters, elapsed_s))


def stat_deltas(base: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Each statistic since the baseline; those that the baseline does not hold are left out.

    A statistic that fell was restarted and counts from zero.
    """
    return {name: _grown(base[name], value) for name, value in now.items() if name in base}


def _grown(was: int, now: int) -> int:
    return now - was if now >= was else now


def _since(base: LinkCounters, now: LinkCounters) -> LinkCounters:
    return LinkCounters(**{name: _difference(getattr(base, name), getattr(now, name)) for name in _FIELDS})


def _difference(was: int | None, now: int | None) -> int | None:
    return None if was is None or now is None else _grown(was, now)


def _rate(was: LinkCounters, now: LinkCounters, elapsed_s: float) -> LinkRate:
    def rate(before: int | None, after: int | None) -> float | None:
        return None if before is None or after is None or after < before else (after - before) / elapsed_s

    return LinkRate(
        rate(was.rx_packets, now.rx_packets),
        rate(was.tx_packets, now.tx_packets),
        rate(was.rx_bytes, now.rx_bytes),
        rate(was.tx_bytes, now.tx_bytes),
    )

"""What this kernel offers beside the programs: readers of counters, single chains, and a sign of change."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from calitop.model.rules import Chain, ChainKey
from calitop.sources import capture
from calitop.sources.capture import Capture
from calitop.sources.legacy_counters import legacy_counters
from calitop.sources.look import IPTABLES_TABLES, Modules, legacy_tables, look
from calitop.sources.nfnetlink import FAMILY_NUMBERS, Nfnetlink
from calitop.sources.nft_changes import Scope
from calitop.sources.nft_counters import NftCounters
from calitop.sources.nft_print import printed_chains
from calitop.sources.programs import Programs
from calitop.sources.rule_counters import RuleCounters


class KernelRules:
    """See `rule_reading.RuleAccess`; for the network namespace of the calling thread."""

    def __init__(self) -> None:
        self._programs = Programs()
        self._ask: Nfnetlink | None = None
        self._sign: tuple[object, ...] = ()

    def close(self) -> None:
        """Give back the socket; may be called twice."""
        if self._ask is not None:
            self._ask.close()
            self._ask = None

    def counters_of(self, wanted: Capture) -> RuleCounters | None:
        """See `rule_reading.RuleAccess`. Nothing that is absent is asked for."""
        seen = look()
        if wanted.need in seen.missing or wanted.need in seen.denied:
            return None
        if wanted.backend == "legacy":
            return legacy_counters(wanted.family)
        scope = _scope(wanted) if seen.nft else None
        try:
            return None if scope is None else NftCounters.opened(scope)
        except OSError:
            return None

    def chains(self, wanted: Capture, keys: Collection[ChainKey]) -> Mapping[ChainKey, Chain | None] | None:
        """See `rule_reading.RuleAccess`."""
        try:
            return printed_chains(self._programs, wanted, keys) if wanted.backend == "nft" else None
        except OSError:
            return None

    def appeared(self) -> bool:
        """See `rule_reading.RuleAccess`; costs a few files and one question."""
        before, self._sign = self._sign, (*map(_names, _LEGACY_NAMES), self._generation())
        return self._sign != before

    def _generation(self) -> int | None:
        if self._ask is None and not Modules().present("nf_tables"):
            return None
        try:
            self._ask = self._ask or Nfnetlink()
            return self._ask.generation()
        except OSError:
            self.close()
            return None


def _scope(wanted: Capture) -> Scope | None:
    """The tables of nf_tables that a program prints."""
    if wanted is capture.NFT_NATIVE:
        by_iptables = IPTABLES_TABLES if Modules().present("nft_compat") else frozenset()
        return Scope("native", frozenset(FAMILY_NUMBERS), left_out=by_iptables)
    if wanted.backend == "nft" and wanted.family is not None:
        return Scope("nft", frozenset({wanted.family}), named=IPTABLES_TABLES)
    return None


_LEGACY_NAMES = ("ip_tables_names", "ip6_tables_names")


def _names(name: str) -> tuple[str, ...] | None:
    """The legacy tables that are there."""
    try:
        return legacy_tables(name)
    except OSError:
        return None

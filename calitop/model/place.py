"""A place on a packet's way: a rule, a policy, a check of the kernel, a route, a device. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from calitop.model.rules import Backend, ChainKey, Family

PlaceKind = Literal["rule", "policy", "kernel", "route", "link", "bpf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A place at which packets can be lost (interface.md, WHERE)."""

    node: str | None
    """None where it is not known which node."""
    kind: PlaceKind
    family: Family | None = None
    backend: Backend | None = None
    table: str | None = None
    chain: str | None = None
    number: int | None = None
    name: str | None = None
    """Of kind kernel: `rp_filter`, `blackhole`, `mtu` …"""
    device: str | None = None

    @classmethod
    def of_chain(cls, node: str, kind: PlaceKind, key: ChainKey, number: int | None) -> Where:
        """A rule or policy."""
        return cls(
            node=node,
            kind=kind,
            family=key.family,
            backend=key.backend,
            table=key.table,
            chain=key.chain,
            number=number,
        )

    @property
    def key(self) -> ChainKey:
        """The chain of a rule or policy."""
        return ChainKey(self.family, self.backend, self.table, self.chain or "")

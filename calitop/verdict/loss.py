"""Packets that went missing at a place. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from calitop.hits.moved import Way
from calitop.model.place import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Packets that went missing at a place."""

    where: Where
    packets: int
    proven: bool
    """The number is exact, and nothing else on the node explains it as well."""
    says: str
    """The fact, as the beginning of a sentence."""
    evidence: tuple[str, ...] = ()
    flow: bool | None = None
    """Could be of the flow; None when unknown or when none was asked for."""
    ways: frozenset[Way] = frozenset()
    """How packets of the flow can have come there; none where that is not known."""
    condition: str = ""
    """As a mere candidate: what would have to be true."""

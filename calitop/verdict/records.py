"""The answer and what it is made of. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from calitop.model.place import Where

Outcome = Literal["lost", "passed", "undecided"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cause that fits as well as others do."""

    where: Where
    condition: str
    """What would have to be true."""
    collect: str
    """How to find out."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where the packets were lost."""

    outcome: Outcome
    because: str
    """One sentence."""
    where: Where | None = None
    packets: int | None = None
    """Packets lost there, or of a passed flow seen through; None when unknown."""
    evidence: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    missing: tuple[str, ...] = ()

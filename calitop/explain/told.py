"""What is told of one thing that somebody asked about. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ToldKind = Literal["rule", "chain", "map", "interface", "route", "address", "set", "ip rule", "mark"]


@dataclass(frozen=True, slots=True)
class ToldRule:
    """One rule of a chain."""

    number: int | None
    """From 1; None where the chain is known to be cut."""
    ref: str
    """As `calitop check --json` spells it."""
    words: str
    """When it applies, what it does, and where control goes next."""
    text: str
    """In the source's words."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing of one node in plain words."""

    kind: ToldKind
    ref: str
    """What `--about` finds this very thing by."""
    title: str
    lines: tuple[str, ...]
    """The most important first."""
    rules: tuple[ToldRule, ...] = ()
    """Of a chain: each of its rules."""

"""What one text tells of a node: the common result of every format.

Each format is one module of this package with

* `KIND`: its name as the user sees it (`iptables-save`, `ip route (json)`),
* `looks_like(text: str) -> bool`: recognises a text by its content, quickly
  (look at the first few thousand characters, never parse the whole),
* `parse(text: str) -> Fragment`: reads it; it never raises for any input, unknown
  lines become problems.

`calitop.formats.catalogue` lists the modules in the order in which they are asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from calitop.model.network import IpRule, Link, Neighbour, Route
from calitop.model.node import BpfAttachment, ConntrackEntry, IpSet, Pod, PodSign, Problem
from calitop.model.rules import Ruleset, Side

NOTE = "note"
"""In `Fragment.extra`: what is worth knowing of the text, though nothing is wrong with it."""


@dataclass(frozen=True, eq=False)
class Fragment:
    """The part of a node's state that one text tells; None means: says nothing about it.

    An empty tuple is a statement ("there are none"); None is silence.
    """

    problems: tuple[Problem, ...] = ()
    rulesets: tuple[Ruleset, ...] | None = None
    without_rules: tuple[Side, ...] = ()
    """Families and backends of which it tells that they hold no rules at all."""
    links: tuple[Link, ...] | None = None
    routes: tuple[Route, ...] | None = None
    ip_rules: tuple[IpRule, ...] | None = None
    neighbours: tuple[Neighbour, ...] | None = None
    sets: tuple[IpSet, ...] | None = None
    sysctls: Mapping[str, str] | None = None
    stats: Mapping[str, int] | None = None
    conntrack: tuple[ConntrackEntry, ...] | None = None
    bpf: tuple[BpfAttachment, ...] | None = None
    pods: tuple[Pod, ...] | None = None
    pod_signs: tuple[PodSign, ...] | None = None
    cni_configs: tuple[str, ...] | None = None
    node_name: str | None = None
    kernel: str | None = None
    captured_at: str | None = None
    warnings: tuple[str, ...] = ()
    richness: int = 0
    """Of two texts that tell the same fact the richer one is taken (0 poor … 9 rich)."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Facts for one consumer only, by name."""

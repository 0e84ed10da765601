"""What a check is, and what it gives. Data only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from calitop.check.facts import Need, NodeFacts
from calitop.check.together import Together
from calitop.model.network import Link, Route
from calitop.model.rules import ChainKey

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""From the worst down: packets are lost, packets may be lost, worth knowing."""
EvidenceKind = Literal[
    "rule", "policy", "chain", "route", "link", "pod", "set", "sysctl", "statistic", "file"
]
Ref = tuple[ChainKey, int] | ChainKey | Route | Link | str
"""The very thing: a rule by chain and index from 0, a chain, a route, a link, or a name."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line that proves a finding."""

    kind: EvidenceKind
    ref: Ref
    text: str
    """In the source's words where it has any."""
    node: str | None = None
    """Set where the line stands on another node than the finding's."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check function tells; the catalogue adds what is the same for all of a check."""

    title: str
    evidence: tuple[Evidence, ...]
    severity: Severity | None = None
    """None for the check's own."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """What a check function tells where it may not judge although its inputs were read."""

    needs: str
    """What would let it judge, in words: a setting, a command, another moment."""


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A fault that is known from elsewhere, as the documentation lists it."""

    id: str
    severity: Severity
    needs: tuple[Need, ...]
    explain: str
    """Why it is a fault and what it does to packets."""
    fix: str
    """What to do, as text; calitop does nothing itself."""
    source: str
    """The thread or document the fault is known from."""


@dataclass(frozen=True, slots=True)
class Check(KnownFault):
    """One known fault of one node."""

    find: Callable[[NodeFacts], Iterator[Found | Unjudged]]


@dataclass(frozen=True, slots=True)
class CrossCheck(KnownFault):
    """One known fault that only two or more nodes together show; each of them must have the needs."""

    find: Callable[[Together], Iterator[tuple[NodeFacts, Found | Unjudged]]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A known fault, found (interface.md, `check`)."""

    id: str
    severity: Severity
    node: str | None
    title: str
    evidence: tuple[Evidence, ...]
    explain: str
    fix: str
    source: str


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A check that lacked its input, or may not judge what it read."""

    id: str
    node: str | None
    needs: str
    """What would have to be read, with the command that prints it."""


@dataclass(frozen=True, slots=True)
class NodeChecks:
    """How much of a node was checked, so that no finding is not taken for no fault."""

    name: str | None
    done: int
    not_done: int


@dataclass(frozen=True, slots=True)
class Checked:
    """All that the checks tell of the given nodes."""

    findings: tuple[Finding, ...]
    """The worst first."""
    not_checked: tuple[NotChecked, ...]
    nodes: tuple[NodeChecks, ...]
    """As they were given."""

    def waiting(self) -> Mapping[tuple[str | None, str], Sequence[str]]:
        """The checks that wait for one input of one node: ids by the node's name and what it needs."""
        ids: defaultdict[tuple[str | None, str], list[str]] = defaultdict(list)
        for each in self.not_checked:
            ids[each.node, each.needs].append(each.id)
        return ids

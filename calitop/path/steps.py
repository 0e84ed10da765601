"""A predicted path and what it is made of. Data only (interface.md, `trace`)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from calitop.model.place import Where
from calitop.model.rules import Backend, ChainKey, Family
from calitop.path.packet import Packet

StepKind = Literal[
    "rule", "policy", "route", "rp_filter", "encapsulate", "decapsulate", "conntrack", "bpf", "deliver"
]
PathVerdict = Literal["delivered", "dropped", "rejected", "left", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens to the packet on its way."""

    node: str
    kind: StepKind
    hook: str | None = None
    """One of `calitop.model.rules.HOOKS`; None outside of all hooks (routing)."""
    family: Family | None = None
    backend: Backend | None = None
    table: str | None = None
    chain: str | None = None
    number: int | None = None
    """Place of the rule in its chain from 1; None where the chain is cut, and for other kinds."""
    index: int | None = None
    """Place of the rule in `Chain.rules` from 0."""
    action: str = ""
    """What is done, in few words: `ACCEPT`, `jump cali-FORWARD`, `by tunl0 via 172.16.189.101`."""
    text: str = ""
    """The rule's text, or one sentence."""
    packet: Packet
    """The packet as it came to this step."""

    @property
    def stop(self) -> Hashable:
        """What is done where, whatever the packet looks like by then."""
        return self.node, self.kind, self.hook, self.key, self.index, self.action

    @property
    def key(self) -> ChainKey | None:
        """Key of the rule's or policy's chain."""
        if self.chain is None:
            return None
        return ChainKey(self.family, self.backend, self.table, self.chain)


@dataclass(frozen=True, slots=True)
class Branch:
    """One of several ends that the packet may meet, with what decides."""

    condition: str
    """In words and bits: `mark & 0xfff00000 != 0`."""
    verdict: PathVerdict
    where: Where | None
    because: str
    steps: tuple[Step, ...] = ()
    """From where the branches part to the end."""


@dataclass(frozen=True, slots=True)
class Path:
    """The way of one packet as far as what was read decides it."""

    verdict: PathVerdict
    where: Where | None
    because: str
    """One sentence."""
    steps: tuple[Step, ...] = ()
    """What happens on every possible way; of a decided path all of it."""
    branches: tuple[Branch, ...] = ()
    missing: tuple[str, ...] = ()
    """What to collect, cheapest first."""
    assumed: tuple[str, ...] = ()
    """What was taken for given because no file tells it."""

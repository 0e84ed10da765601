"""What moved on a node, hook by hook, with what came into each hook, what went on, and where to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from calitop.hits.flow import Flow
from calitop.hits.moved import Moved, NodeHits
from calitop.model.network import IpFamily
from calitop.model.rules import ChainKey
from calitop.outline.order import base_chains, first_bases
from calitop.report.text import number
from calitop.verdict.gauges import Gauges
from calitop.verdict.legs import Leg, legs
from calitop.verdict.words import packets_words

FAMILIES: tuple[IpFamily, ...] = ("ipv4", "ipv6")


@dataclass(frozen=True, slots=True)
class Through:
    """Packets of one family through one hook; a number is None where the counters do not tell it."""

    family: IpFamily
    entered: int | None
    left: int | None
    taken: int | None = None
    """Behind PREROUTING: packets that reached neither INPUT nor FORWARD."""

    def __str__(self) -> str:
        return f"{self.family} {number(self.entered)} in, {number(self.left)} out"


@dataclass(frozen=True, slots=True)
class BaseHits:
    """What moved in one base chain and below it."""

    base: ChainKey | None
    """None for chains that no hook leads to."""
    priority: int | None
    moved: tuple[Moved, ...]

    def __str__(self) -> str:
        if self.base is None:
            return "chains that no hook leads to"
        return f"{self.base.table or '?'} {self.base.chain}, priority {number(self.priority)}"


@dataclass(frozen=True, slots=True)
class HookHits:
    """What moved in one hook."""

    hook: str | None
    """None for chains that no hook leads to."""
    through: tuple[Through, ...]
    """One for each family of which anything moved on the node."""
    bases: tuple[BaseHits, ...]
    """In order; those in which nothing moved are left out."""
    legs: tuple[Leg, ...] = ()
    """Behind PREROUTING: where the node's routing sends the flow."""

    @property
    def taken(self) -> tuple[str, ...]:
        """What the kernel took while routing, in words."""
        return tuple(
            f"{packets_words(each.taken)} that PREROUTING let through reached neither INPUT nor FORWARD"
            for each in self.through
            if each.taken is not None and each.taken > 0
        )

    def __str__(self) -> str:
        return f"{self.hook or 'NO HOOK'}   {' · '.join(map(str, self.through))}".rstrip()


def by_hook(node: NodeHits, flow: Flow | None) -> tuple[HookHits, ...]:
    """Every hook of the node's rules in the order of reports; those in which nothing moved too.

    Empty where no rule and no policy moved. The places are those of `node.moved`, in its order.

    Args:
        node: What moved on it.
        flow: The flow whose routing is told, where one is known.
    """
    if not node.moved:
        return ()
    gauges = {
        family: Gauges(node, family)
        for family in FAMILIES
        if any(each.key.family in (family, "inet") for each in node.moved)
    }
    groups = dict(_groups(node))
    hooks = dict.fromkeys([*(_hook(node, base) for base in base_chains(node.after)), *groups])
    return tuple(
        HookHits(
            hook,
            tuple(_through(hook, *each) for each in gauges.items()) if hook else (),
            groups.get(hook, ()),
            legs(node, flow) if hook == "PREROUTING" and flow else (),
        )
        for hook in hooks
    )


def _groups(node: NodeHits) -> Iterator[tuple[str | None, tuple[BaseHits, ...]]]:
    below = first_bases(node.index)
    bases = [
        BaseHits(base, node.index.chains[base].priority if base else None, tuple(moved))
        for base, moved in groupby(node.moved, lambda each: below.get(each.key))
    ]
    for hook, found in groupby(bases, lambda each: _hook(node, each.base)):
        yield hook, tuple(found)


def _hook(node: NodeHits, base: ChainKey | None) -> str | None:
    return None if base is None else node.index.chains[base].hook or base.chain


def _through(hook: str, family: IpFamily, gauges: Gauges) -> Through:
    taken = gauges.routing_gap() if hook == "PREROUTING" else None
    return Through(family, gauges.entered(hook), gauges.left(hook), taken)

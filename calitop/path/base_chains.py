"""The base chains that a packet meets at a hook, in the kernel's order.

The kernel calls what is registered at a hook in the order of priorities, whoever registered it:
iptables-nft, iptables-legacy and native tables side by side. The nat chains of all of them stand
behind one hook of nat and are asked for the first packet of a connection only.

Source: nf_hook_slow in net/netfilter/core.c, nf_nat_inet_fn in net/netfilter/nf_nat_core.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from calitop.model.network import IpFamily
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey, Family, builtin_priority

CONNTRACK = -200
"""Priority of conntrack at PREROUTING and OUTPUT (NF_IP_PRI_CONNTRACK)."""


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that the kernel itself calls."""

    key: ChainKey
    priority: int
    is_nat: bool


def base_chains(state: NodeState, family: IpFamily, hook: str) -> list[BaseChain]:
    """The base chains of one hook for packets of a family, in order.

    At equal priority the order is that in which they were registered, which no source tells: then
    it is the order of the sources.
    """
    found = [
        BaseChain(ruleset.key(table).chain(chain.name), priority, _is_nat(table.name, chain, ruleset.backend))
        for ruleset in state.rulesets
        if _sees(ruleset.family, family)
        for table in ruleset.tables
        for chain in table.chains.values()
        if chain.hook == hook and (priority := _priority(table.name, chain)) is not None
    ]
    return sorted(found, key=lambda one: one.priority)


def _sees(own: Family | None, family: IpFamily) -> bool:
    """Whether a table of a family sees IP packets of another; a text that does not tell is taken for IPv4."""
    return own in (family, "inet") or (own is None and family == "ipv4")


def _priority(table: str | None, chain: Chain) -> int | None:
    if chain.priority is not None:
        return chain.priority
    return builtin_priority(table, chain.name)


def _is_nat(table: str | None, chain: Chain, backend: str | None) -> bool:
    return chain.type == "nat" if backend == "native" else table == "nat"


def rules_were_read(state: NodeState, family: IpFamily) -> bool:
    """Whether any rules of this family were captured."""
    return any(_sees(ruleset.family, family) for ruleset in state.rulesets)


def equal_priorities(chains: list[BaseChain]) -> Iterator[tuple[BaseChain, BaseChain]]:
    """Neighbours of the same priority in different backends, whose order is not known."""
    for first, second in pairwise(chains):
        if first.priority == second.priority and first.key.backend != second.key.backend:
            yield first, second

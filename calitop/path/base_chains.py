"""The base chains that a packet meets at a hook, in the kernel's order.

The kernel calls what is registered at a hook in the order of priorities, whoever registered it:
iptables-nft, iptables-legacy and native tables side by side. The nat chains of all of them stand
behind one hook of nat and are asked for the first packet of a connection only.

Source: nf_hook_slow in net/netfilter/core.c, nf_nat_inet_fn in net/netfilter/nf_nat_core.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from calitop.model.network import IpFamily
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey, Family, builtin_priority

CONNTRACK = -200
"""Priority of conntrack at PREROUTING and OUTPUT (NF_IP_PRI_CONNTRACK)."""


IP_FAMILIES: tuple[IpFamily, ...] = ("ipv4", "ipv6")


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that the kernel itself calls."""

    key: ChainKey
    priority: int
    is_nat: bool


def base_chains(state: NodeState) -> dict[tuple[IpFamily, str], list[list[BaseChain]]]:
    """The base chains that packets of a family meet at each hook, in order.

    Those of one priority stand together: they are asked in the order in which they were registered,
    which no source tells.
    """
    found: dict[tuple[IpFamily, str], list[BaseChain]] = {}
    for ruleset in state.rulesets:
        families = [family for family in IP_FAMILIES if _sees(ruleset.family, family)]
        for table in ruleset.tables:
            for chain in table.chains.values():
                priority = _priority(table.name, chain) if chain.hook is not None else None
                if chain.hook is None or priority is None:
                    continue
                key = ruleset.key(table).chain(chain.name)
                base = BaseChain(key, priority, _is_nat(table.name, chain, ruleset.backend))
                for family in families:
                    found.setdefault((family, chain.hook), []).append(base)
    return {place: _by_priority(chains) for place, chains in found.items()}


def _by_priority(chains: list[BaseChain]) -> list[list[BaseChain]]:
    in_order = sorted(chains, key=lambda one: one.priority)
    return [list(same) for _, same in groupby(in_order, key=lambda one: one.priority)]


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

"""One node as its chains are walked: its name, its state's lookups, its chains prepared."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from calitop.model.network import IpFamily
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey
from calitop.path.base_chains import BaseChain, base_chains
from calitop.path.chain_plan import ChainPlan
from calitop.path.excerpts import was_cut
from calitop.path.world import World


class Node:
    """A node of a trace; make one for a state and reuse it.

    Attributes:
        name: As the operator calls it.
        world: Its routes, devices, settings and sets.
    """

    def __init__(self, name: str, state: NodeState) -> None:
        self.name = name
        self.world = World(state)
        self._plans: dict[ChainKey, ChainPlan] = {}
        self._cut: dict[IpFamily, bool] = {}

    @property
    def state(self) -> NodeState:
        """What was read of the node."""
        return self.world.state

    @cached_property
    def chains(self) -> dict[ChainKey, Chain]:
        """Every chain of the node by its key."""
        return self.state.chains()

    def base_chains(self, family: IpFamily, hook: str) -> Sequence[Sequence[BaseChain]]:
        """The base chains that packets of a family meet at a hook, those of one priority together."""
        return self._base_chains.get((family, hook), ())

    @cached_property
    def _base_chains(self) -> dict[tuple[IpFamily, str], list[list[BaseChain]]]:
        return base_chains(self.state)

    def was_cut(self, family: IpFamily) -> bool:
        """Whether only excerpts of a family's rules were captured."""
        found = self._cut.get(family)
        if found is None:
            found = self._cut[family] = was_cut(self.state, family)
        return found

    def plan(self, key: ChainKey) -> ChainPlan:
        """A chain's rules, ready for lookups."""
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = ChainPlan(self.chains[key].rules)
        return found

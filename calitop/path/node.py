"""One node as its chains are walked: its name, its state's lookups, its chains prepared."""

from __future__ import annotations

from functools import cached_property

from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey
from calitop.path.chain_plan import ChainPlan
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

    @property
    def state(self) -> NodeState:
        """What was read of the node."""
        return self.world.state

    @cached_property
    def chains(self) -> dict[ChainKey, Chain]:
        """Every chain of the node by its key."""
        return self.state.chains()

    def plan(self, key: ChainKey) -> ChainPlan:
        """A chain's rules, ready for lookups."""
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = ChainPlan(self.chains[key].rules)
        return found

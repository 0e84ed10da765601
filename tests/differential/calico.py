"""Rulesets as Felix, kube-proxy, Cilium and Docker write them, moved to a router under test.

The lab renders them (`lab/rules.py`); here the names of its devices become those of the router under
test, and its addresses become some that the packets have.
"""

from __future__ import annotations

import random
import re

from lab import rules
from lab.plan import healthy
from tests.differential.networks import DEVICES, Furniture

_DEVICE = re.compile(r"(?<=-[io] )([a-z][\w-]*)(\+?)|(?<=-interface )([a-z][\w-]*)(\+?)")
_ADDRESS = re.compile(r"\b(\d+\.\d+\.\d+\.\d+)(/\d+)?\b")
_KEPT = ("0.0.0.0", "127.")


class Moved:
    """One node of the lab, its names put in place of each other for good.

    Args:
        rng: Chooses the node, and what becomes what.
        network: Where the packets' addresses come from.
    """

    def __init__(self, rng: random.Random, network: Furniture) -> None:
        plans = healthy(rng.choice(("ipvs", "iptables")))
        self._plan = plans[rng.choice(sorted(plans))]
        self._rng, self._network = rng, network
        self._names: dict[str, str] = {}

    def text(self) -> str:
        """Input of iptables-restore."""
        lines = rules.tables(self._plan).restore_text().splitlines()
        if self._rng.random() < 0.7:
            # Nothing tells whether a socket waits for a packet, so that no way is certain with them.
            lines = [line for line in lines if "-m socket" not in line]
        return _DEVICE.sub(self._device, self._addressed("\n".join(lines) + "\n"))

    def sets(self) -> str:
        """Input of `ipset restore`."""
        lines = self._addressed(rules.sets_text(self._plan)).splitlines()
        return "".join(f"{line} -exist\n" if line.startswith("add ") else f"{line}\n" for line in lines)

    def _addressed(self, text: str) -> str:
        return _ADDRESS.sub(self._address, text)

    def _address(self, found: re.Match[str]) -> str:
        if found[1].startswith(_KEPT):
            return found[0]
        if found[2] not in (None, "/32"):
            return self._once(found[0], f"10.0.{self._rng.randrange(4)}.0/24")
        return self._once(found[1], self._network.address()) + (found[2] or "")

    def _device(self, found: re.Match[str]) -> str:
        if found[2] or found[4]:
            return "v+"
        return self._once(found[0], self._rng.choice(DEVICES))

    def _once(self, name: str, new: str) -> str:
        return self._names.setdefault(name, new)

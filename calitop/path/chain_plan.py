"""Which rules of a chain a packet can meet at all.

A chain of kube-proxy has thousands of rules for one address each, a dispatch chain of Felix one for
each interface. Such a rule is only looked at for packets of its address or interface. What is left
out cannot match; what is kept is evaluated in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from calitop.formats.spec import spec
from calitop.model.rules import Rule
from calitop.model.spec import RuleSpec
from calitop.path.devices import beginning, may_be
from calitop.path.packet import Packet

_SMALL = 32
"""Chains up to this length are not worth an index."""
_HOST = re.compile(r"-A \S+ (?:-s \S+ )?-d ([0-9.]+)/32 ")
_DEVICE = re.compile(r"-A \S+ (?:-s \S+ )?(?:-d \S+ )?-([io]) ([^\s+\"]+) ")
"""The order in which iptables-save prints these options; anything else is looked at always."""


class ChainPlan:
    """The rules of one chain with what they say, made when first asked.

    Args:
        rules: The chain's rules in order.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._specs: list[RuleSpec | None] = [None] * len(rules)

    def spec(self, index: int) -> RuleSpec:
        """What a rule says."""
        found = self._specs[index]
        if found is None:
            found = self._specs[index] = spec(self.rules[index])
        return found

    def candidates(self, packets: Iterable[Packet]) -> Iterable[int]:
        """Indexes of the rules that one of the packets can match, in order."""
        if len(self.rules) <= _SMALL:
            return range(len(self.rules))
        found = set(self._always)
        for packet in packets:
            for kind, value in (("d", packet.dst), ("i", packet.iif), ("o", packet.oif)):
                found.update(self._of(kind, None if value is None else str(value)))
        return sorted(found)

    def _of(self, kind: str, value: str | None) -> Iterable[int]:
        """The indexed rules for an address or a device, all that it may be where it is not known whole."""
        places = self._by[kind]
        if value is not None and (kind == "d" or beginning(value) is None):
            return places.get(value, ())
        return (at for name, found in places.items() if value is None or may_be(value, name) for at in found)

    @cached_property
    def _split(self) -> tuple[list[int], dict[str, dict[str, list[int]]]]:
        always: list[int] = []
        by: dict[str, dict[str, list[int]]] = {"d": {}, "i": {}, "o": {}}
        for at, rule in enumerate(self.rules):
            host = _HOST.match(rule.text) if rule.language == "iptables" else None
            device = _DEVICE.match(rule.text) if rule.language == "iptables" and host is None else None
            if host is not None:
                by["d"].setdefault(host[1], []).append(at)
            elif device is not None:
                by[device[1]].setdefault(device[2], []).append(at)
            else:
                always.append(at)
        return always, by

    @property
    def _always(self) -> list[int]:
        return self._split[0]

    @property
    def _by(self) -> dict[str, dict[str, list[int]]]:
        return self._split[1]

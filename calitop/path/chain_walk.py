"""Possible ways of a packet through one base chain and all that it leads to.

Ways go through a chain together and part only where a rule's condition is open; what comes back
from a chain is joined again. So the work grows with the rules, not with the questions.

A goto's chain does not come back to the rule behind the goto but to where this chain was called.
Source: ipt_do_table in net/ipv4/netfilter/ip_tables.c, nft_do_chain in net/netfilter/nf_tables_core.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from calitop.model.place import Where
from calitop.model.rules import Chain, ChainKey, Rule, TableKey
from calitop.model.spec import RuleSpec
from calitop.model.targets import Target
from calitop.path.conditions import NO, YES, Tested, parted, test
from calitop.path.effects import GO_ON, Site, apply, unmarked
from calitop.path.excerpts import last_rule, only_leads
from calitop.path.flight import Condition, End, Flight
from calitop.path.joining import joined
from calitop.path.node import Node
from calitop.path.steps import Step
from calitop.path.verdict_maps import elements_met

_SAVE = "iptables-save -c"


@dataclass(slots=True)
class ChainWalk:
    """One base chain's walk.

    Attributes:
        accepted: Ways that the base chain accepts, in the end.
        ended: Ways that end in it.
    """

    node: Node
    hook: str
    visit: object
    """What tells this walk from every other one on the packet's way."""
    accepted: list[Flight] = field(default_factory=list)
    ended: list[End] = field(default_factory=list)
    _open: list[ChainKey] = field(default_factory=list)

    def base(self, key: ChainKey, flights: Sequence[Flight]) -> None:
        """Send ways through a base chain; what comes to its end meets its policy."""
        chain = self.node.chains[key]
        for flight in self._chain(key, flights):
            self._policy(key, chain, flight)
        self.accepted = joined(self.accepted)

    def perhaps(self, key: ChainKey, guard: RuleSpec | None, flights: Sequence[Flight]) -> None:
        """Send ways through a chain whose callers were not captured, so far as these would call it."""
        taken, past = [], []
        for flight in flights:
            tested = Tested(True) if guard is None else test(guard, flight, self.node.world, self.visit)
            inside, outside = parted(flight, tested)
            taken += inside
            past += outside
        self.accepted = joined([*self.accepted, *past, *self._chain(key, taken)])

    def _policy(self, key: ChainKey, chain: Chain, flight: Flight) -> None:
        where = Where.of_chain(self.node.name, "policy", key, None)
        if chain.policy is None and key.backend != "native":
            asked = ("policy", self.node.name, key)
            words = f"the policy of {key.chain}"
            drops = flight.assuming(Condition(asked, NO, 2, f"{words} is DROP", _SAVE))
            self.ended.append(End(drops, "dropped", where, f"{words} drops it"))
            self.accepted.append(flight.assuming(Condition(asked, YES, 2, f"{words} is ACCEPT", _SAVE)))
            return
        policy = chain.policy or "ACCEPT"
        stepped = flight.took(self._step("policy", key, None, None, policy, f"policy {policy}", flight))
        if policy == "DROP":
            because = (
                f"the policy of {key.table or '?'} {key.chain} on {self.node.name} drops what no rule takes"
            )
            self.ended.append(End(stepped, "dropped", where, because))
        else:
            self.accepted.append(stepped)

    # -- chains

    def _chain(self, key: ChainKey, flights: Sequence[Flight]) -> list[Flight]:
        """The ways that come back from a chain."""
        chain = self.node.chains.get(key)
        if chain is None or not chain.present:
            return self._unread(flights, key, f"what chain {key.chain} does is not in the files")
        if key in self._open:
            self._end_all(flights, key, f"chain {key.chain} leads back to itself")
            return []
        self._open.append(key)
        back: list[Flight] = []
        live = flights
        if chain.complete is False and flights:
            known = last_rule(key.chain)
            why = f"rules of chain {key.chain} are missing in the files{f'; {known}' if known else ''}"
            live = self._unread(flights, key, why)
        plan = self.node.plan(key)
        for index in plan.candidates(flight.packet for flight in flights):
            live = self._rule(key, index, plan.rules[index], plan.spec(index), live, back)
            if not live:
                break
        self._open.pop()
        return joined([*back, *live])

    def _unread(self, flights: Sequence[Flight], key: ChainKey, why: str) -> list[Flight]:
        """The ways on the assumption that nothing is decided where rules were not captured."""
        asked = ("unread", self.node.name, key)
        missing = f"{_SAVE} of {self.node.name}, whole, before and after a ping"
        rule = f"a rule of {key.chain} that was not captured"
        where = Where.of_chain(self.node.name, "rule", key, None)
        back = []
        for flight in flights:
            decided = flight.assuming(Condition(asked, YES, 2, f"{rule} decides", missing))
            self.ended.append(End(decided, "undecided", where, why, (missing,)))
            passed = flight.assuming(Condition(asked, NO, 2, f"no{rule[1:]} decides", missing))
            back.append(passed if only_leads(key.chain) else unmarked(passed))
        return back

    def _end_all(self, flights: Sequence[Flight], key: ChainKey, because: str) -> None:
        where = Where.of_chain(self.node.name, "rule", key, None)
        self.ended += [End(flight, "undecided", where, because) for flight in flights]

    # -- rules

    def _rule(
        self,
        key: ChainKey,
        index: int,
        rule: Rule,
        spec: RuleSpec,
        flights: Sequence[Flight],
        back: list[Flight],
    ) -> list[Flight]:
        """The ways that come to the next rule; those that return from the chain are added to `back`."""
        past: list[Flight] = []
        taken: list[Flight] = []
        table = TableKey(key.family, key.backend, key.table)
        action = ", ".join(_action(target) for target in spec.targets)
        for flight in flights:
            place = (self.visit, key, index, len(flight.conditions))
            tested = test(spec, flight, self.node.world, place, table)
            if tested.truth is None and _changes_nothing(spec):
                past.append(flight)
                continue
            fitting, others = parted(flight, tested)
            past += others
            for one in fitting:
                taken.append(one.took(self._step("rule", key, rule.number, index, action, rule.text, one)))
        for target in spec.targets:
            taken = self._target(target, Site(self.node, self.hook, key, rule.number), taken, back)
        return joined([*past, *taken]) if past and taken else past or taken

    def _step(
        self,
        kind: str,
        key: ChainKey,
        number: int | None,
        index: int | None,
        action: str,
        text: str,
        flight: Flight,
    ) -> Step:
        return Step(
            node=self.node.name,
            kind="rule" if kind == "rule" else "policy",
            hook=self.hook,
            family=key.family,
            backend=key.backend,
            table=key.table,
            chain=key.chain,
            number=number,
            index=index,
            action=action,
            text=text,
            packet=flight.packet,
        )

    def _target(self, target: Target, site: Site, flights: list[Flight], back: list[Flight]) -> list[Flight]:
        """The ways on which the packet goes on behind the target."""
        if not flights:
            return []
        if target.name == "ACCEPT":
            self.accepted += flights
        elif target.name == "RETURN":
            back += flights
        elif target.name in ("DROP", "REJECT"):
            self._lose(target, site, flights)
        elif target.name == "VMAP":
            return self._verdict_map(target, site, flights, back)
        elif (chain := self._chain_of(target, site.key)) is not None:
            returned = self._chain(chain, flights)
            if target.verb == "jump":
                return returned
            back += returned
        else:
            return self._effects(target, site, flights)
        return []

    def _chain_of(self, target: Target, key: ChainKey) -> ChainKey | None:
        """The chain that a target names; also one that is not in the files."""
        named = TableKey(key.family, key.backend, key.table).chain(target.name)
        if named in self.node.chains or target.verb == "goto":
            return named
        is_chain = target.action is None and target.name != target.name.upper()
        return named if is_chain else None

    def _lose(self, target: Target, site: Site, flights: Sequence[Flight]) -> None:
        named = f"{site.key.table or '?'} {site.key.chain} rule {site.number or '?'} on {site.node.name}"
        verdict, word = ("dropped", "drops") if target.name == "DROP" else ("rejected", "rejects")
        for flight in flights:
            self.ended.append(
                End(
                    flight,
                    "dropped" if verdict == "dropped" else "rejected",
                    site.where,
                    f"{named} {word} it",
                )
            )

    def _effects(self, target: Target, site: Site, flights: Sequence[Flight]) -> list[Flight]:
        found = [apply(target, flight, site) for flight in flights]
        self.ended += [one for one in found if isinstance(one, End)]
        behind = [one for one in found if isinstance(one, Flight)]
        if target.name in _ENDING_NAT:
            self.accepted += behind
            return []
        return behind

    def _verdict_map(
        self, target: Target, site: Site, flights: Sequence[Flight], back: list[Flight]
    ) -> list[Flight]:
        """The ways behind a verdict map: each goes where the element that it fits leads."""
        on: list[Flight] = []
        for flight in flights:
            place = (self.visit, site.key, site.number)
            for verdict, found in elements_met(target, flight, site, place):
                on += [found] if verdict is None else self._target(verdict, site, [found], back)
        return joined(on)


_ENDING_NAT = frozenset(("DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP"))


def _changes_nothing(spec: RuleSpec) -> bool:
    """Whether the rule only counts or tells, so that it does not matter whether it takes the packet."""
    return all(target.name in GO_ON for target in spec.targets)


def _action(target: Target) -> str:
    if target.action is None and target.words[:1] in (("-j",), ("-g",)) and not target.options:
        is_verdict = target.name in ("ACCEPT", "DROP", "RETURN", "QUEUE")
        return target.name if is_verdict else f"{target.verb} {target.name}"
    if target.words[:1] == ("-j",):
        return " ".join(target.words[1:])
    return " ".join(target.words) or target.name

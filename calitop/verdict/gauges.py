"""How many packets went into a hook, came out of it, and were taken by the kernel in between.

The kernel counts rules, not hooks; the rules tell it all the same: a rule without matches
counts everything that reaches it, and what reaches the end counts in the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from calitop.counters.counts import Delta
from calitop.formats.spec import counts_early, spec
from calitop.hits.moved import Moved, NodeHits
from calitop.hits.targets import ENDING, LOSING, PASSING, loses, may_lose
from calitop.model.matches import Always, Comment
from calitop.model.network import IpFamily
from calitop.model.rules import Chain, ChainKey, Rule
from calitop.model.spec import RuleSpec
from calitop.outline.order import base_chains

CONNTRACK_PRIORITY = -200
"""enum nf_ip_hook_priorities: raw is before connection tracking, everything else behind it."""


class Gauges:
    """The flow of all packets of one family through one node's hooks.

    Every number is None where the counters do not tell it exactly.
    """

    def __init__(self, hits: NodeHits, family: IpFamily) -> None:
        self._hits, self.family = hits, family

    @cached_property
    def bases(self) -> dict[str, list[ChainKey]]:
        """The base chains that every packet of a hook passes, by hook, in order; without nat."""
        found: dict[str, list[ChainKey]] = {}
        for key in base_chains(self._hits.after):
            chain = self._hits.index.chains[key]
            if key.family in (self.family, "inet") and chain.type != "nat" and key.table != "nat":
                found.setdefault(chain.hook or key.chain, []).append(key)
        return found

    def entered(self, hook: str) -> int | None:
        """Packets that came into the hook."""
        return self._entered_of(self.bases.get(hook, ()))

    def _entered_of(self, bases: Sequence[ChainKey]) -> int | None:
        """What came to the first of some base chains: what came to a later one, and what was lost before."""
        earlier = 0
        for key in bases:
            came, lost = self._entered(key), self.dropped_below(key)
            if came is not None:
                return earlier + came
            if lost is None:
                return None
            earlier += lost
        return None

    def left(self, hook: str) -> int | None:
        """Packets that went on behind the hook."""
        return self._left_of(self.bases.get(hook, ()))

    def _left_of(self, bases: Sequence[ChainKey]) -> int | None:
        """What went on behind the last of some base chains."""
        later = 0
        for key in reversed(bases):
            lost, came = self.dropped_below(key), self._entered(key)
            if lost is None:
                return None
            later += lost
            if came is not None:
                return came - later
        return None

    def untracked_gap(self) -> int | None:
        """Packets that connection tracking took between raw PREROUTING and what follows."""
        return self._conntrack_gap("PREROUTING")

    def routing_gap(self) -> int | None:
        """Packets that the kernel took between PREROUTING and INPUT or FORWARD."""
        came, local, forwarded = self.left("PREROUTING"), self.entered("INPUT"), self.entered("FORWARD")
        return None if came is None or local is None or forwarded is None else came - local - forwarded

    def forwarding_gap(self) -> int | None:
        """Packets that FORWARD or OUTPUT let through and POSTROUTING did not receive."""
        forwarded, sent, went = self.left("FORWARD"), self.left("OUTPUT"), self.entered("POSTROUTING")
        return None if forwarded is None or sent is None or went is None else forwarded + sent - went

    def _conntrack_gap(self, hook: str) -> int | None:
        before = [key for key in self.bases.get(hook, ()) if self._priority(key) < CONNTRACK_PRIORITY]
        behind = [key for key in self.bases.get(hook, ()) if self._priority(key) >= CONNTRACK_PRIORITY]
        came = self._left_of(before)
        went = self._entered_of(behind)
        return None if came is None or went is None else came - went

    def _priority(self, key: ChainKey) -> int:
        return self._hits.index.chains[key].priority or 0

    def _entered(self, key: ChainKey) -> int | None:
        if self._hits.index.chains[key].complete is not True or self._is_mixed(key):
            return None
        total = 0
        for delta, how in self._rules(key):
            if how == "skip" or (delta.packets == 0 and delta.exact):
                continue
            if not delta.exact or delta.packets is None or how == "unsure":
                return None
            total += delta.packets
            if how == "all":
                return total
        return _plus(total, self._hits.counts.policy(key).delta)

    def dropped_below(self, base: ChainKey) -> int | None:
        """Packets that rules and the policy of a base chain dropped; None where another base shares them."""
        if self._drops_uncounted(base) or (self._is_mixed(base) and self._lost_below(base)):
            return None
        total = 0
        for each in self.losing:
            bases = self.bases_of(each.key)
            if base not in bases:
                continue
            if len(bases) > 1 or not each.delta.exact or each.delta.packets is None:
                return None
            total += each.delta.packets
        return total

    def _is_mixed(self, base: ChainKey) -> bool:
        """Whether a chain counts both families: one of `inet`, unless only this family came by."""
        if base.family != "inet":
            return False
        other = "Ip6" if self.family == "ipv4" else "Ip"
        names = (f"{other}.InReceives", f"{other}.OutRequests")
        read = self._hits.after.stats or {}
        return any(name not in read or self._hits.stats.get(name, 0) for name in names)

    def _lost_below(self, base: ChainKey) -> bool:
        return any(base in self.bases_of(each.key) for each in self.losing)

    def _drops_uncounted(self, base: ChainKey) -> bool:
        """Whether a native chain may drop what no counter shows: nft counts only where it is told to."""
        if base.backend != "native":
            return False
        chains = self._hits.index.chains
        below = self._hits.index.rules.reached_from(base)
        return chains[base].policy in LOSING or any(
            may_lose(rule) and (rule.packets is None or not loses(rule))
            for key in below
            for rule in chains[key].rules
        )

    @cached_property
    def losing(self) -> list[Moved]:
        """Everything that dropped or rejected packets of this family, in the order of the hooks."""
        return [
            each
            for each in self._hits.moved
            if each.key.family in (self.family, "inet") and self._loses(each.key, each.index)
        ]

    def _loses(self, key: ChainKey, index: int | None) -> bool:
        chain = self._hits.index.chains[key]
        if index is None:
            return chain.policy in LOSING
        return loses(chain.rules[index])

    def bases_of(self, key: ChainKey) -> frozenset[ChainKey]:
        """The base chains through which packets can have come into a chain."""
        if key not in self._bases_of:
            self._bases_of[key] = self._find_bases(key)
        return self._bases_of[key]

    @cached_property
    def _bases_of(self) -> dict[ChainKey, frozenset[ChainKey]]:
        return {}

    def _find_bases(self, key: ChainKey) -> frozenset[ChainKey]:
        """Upwards through those callers that counted something."""
        seen, pending, found = {key}, [key], set()
        while pending:
            chain = pending.pop()
            if self._hits.index.chains[chain].builtin:
                found.add(chain)
            for ref in self._hits.index.callers(chain):
                moved = self._hits.counts.rule(ref.key, ref.index).delta
                if ref.key not in seen and (moved.packets != 0 or not moved.exact):
                    seen.add(ref.key)
                    pending.append(ref.key)
        return frozenset(found)

    def _rules(self, key: ChainKey) -> Iterable[tuple[Delta, str]]:
        chain: Chain = self._hits.index.chains[key]
        for index, rule in enumerate(chain.rules):
            yield self._hits.counts.rule(key, index).delta, _counting(rule)


def is_unconditional(says: RuleSpec) -> bool:
    """Whether every packet that reaches the rule matches it."""
    return all(isinstance(match, Comment | Always) for match in says.matches)


def _counting(rule: Rule) -> str:
    """What the rule's counter tells of the packets that reach it: all, ended, skip or unsure."""
    says = spec(rule)
    if is_unconditional(says) and rule.packets is not None:
        return "all"
    if rule.target is None or rule.target in PASSING:
        return "skip"
    is_sure = rule.target in ENDING and len(set(rule.targets)) < 2 and not counts_early(rule)
    return "ended" if is_sure else "unsure"


def _plus(total: int, delta: Delta) -> int | None:
    return None if delta.packets is None or not delta.exact else total + delta.packets

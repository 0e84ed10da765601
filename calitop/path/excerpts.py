"""Chains of an excerpt (a `grep` of a listing) whose callers were not captured: where their names put them.

An excerpt rarely holds the kernel's own chains. What it holds is met all the same: the names of
Felix, Cilium and kube-proxy tell from which hook each of their chains is called.

Source: Felix rules/static.go and endpoints.go, Cilium pkg/datapath/iptables, kube-proxy pkg/proxy/iptables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from calitop.cni.marks import infer
from calitop.formats.spec import spec_of_text
from calitop.model.network import IpFamily
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey, Ruleset, Table, builtin_priority
from calitop.model.spec import RuleSpec

_HOOKS = (
    (r"cali-(?:forward|from)-endpoint-mark", ("OUTPUT",)),
    (r"cali-(?:forward-check|set-endpoint-mark)(?:-.+)?", ("INPUT",)),
    (r"cali-(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)", ()),
    (r"cali-(?:from|to)-wl-dispatch(?:-.+)?", ("FORWARD",)),
    (r"cali-cidr-block|cali-(?:from|to)-hep-forward", ("FORWARD",)),
    (r"cali-rpf-skip", ("PREROUTING",)),
    (r"cali-(?:nat-outgoing|fip-snat)", ("POSTROUTING",)),
    (r"cali-fip-dnat", ("PREROUTING", "OUTPUT")),
    (r"(?:CILIUM|KUBE)_?-?(INPUT|FORWARD|OUTPUT|POSTROUTING)(?:_\w+)?", ()),
    (r"CILIUM_PRE_\w+", ("PREROUTING",)),
    (r"CILIUM_POST_\w+|KUBE-POSTROUTING", ("POSTROUTING",)),
    (r"KUBE-SERVICES", ("PREROUTING", "OUTPUT")),
    (r"DOCKER-(?:USER|FORWARD|ISOLATION-STAGE-1)", ("FORWARD",)),
)
"""Names with their hooks, in the order in which chains of one hook are met; a group is the hook itself."""

_LAST = (
    (r"cali-from-endpoint-mark", "its last rule drops what has no interface's mark"),
    (r"cali-(?:from|to)-wl-dispatch(?:-.+)?", "its last rule drops what is of no known interface"),
    (r"cali-(?:fw|tw)-.+", "its last rule drops what no profile accepts"),
)
"""What Felix always puts last into a chain."""
_DISPATCH = re.compile(r"cali-(?:from-wl-dispatch|to-wl-dispatch|set-endpoint-mark)(?:-(.+))?")
_ENDPOINT_MARK = re.compile(r"cali-(?:forward|from)-endpoint-mark")


@dataclass(frozen=True, slots=True)
class Root:
    """A captured chain that a hook calls by way of chains that were not captured."""

    key: ChainKey
    priority: int
    guard: RuleSpec | None = None
    """What the callers ask before they call it; None where they ask nothing."""


def is_excerpt(ruleset: Ruleset) -> bool:
    """Whether rules of a listing are missing: some chain is known to be cut."""
    return ruleset.backend != "native" and any(
        chain.complete is False for table in ruleset.tables for chain in table.chains.values()
    )


def was_cut(state: NodeState, family: IpFamily) -> bool:
    """Whether only excerpts of a family's rules were captured."""
    found = [ruleset for ruleset in state.rulesets if ruleset.family in (family, None)]
    return bool(found) and all(is_excerpt(ruleset) for ruleset in found)


def roots(state: NodeState, family: IpFamily, hook: str) -> list[Root]:
    """The chains that a hook leads to by their names, in the order in which it does."""
    found = [
        (priority, at, ruleset.key(table).chain(chain.name), chain)
        for ruleset in state.rulesets
        if ruleset.family in (family, None) and is_excerpt(ruleset)
        for table in ruleset.tables
        for chain in _uncalled(table)
        for at in _places(chain.name, hook)
        if (priority := builtin_priority(table.name, hook)) is not None
    ]
    found.sort(key=lambda one: one[:2])
    return [Root(key, priority, _guard(state, chain)) for priority, _, key, chain in found]


def _uncalled(table: Table) -> Iterator[Chain]:
    called = {target for chain in table.chains.values() for rule in chain.rules for target in rule.targets}
    for chain in table.chains.values():
        if chain.rules and chain.hook is None and chain.name not in called:
            yield chain


def _places(name: str, hook: str) -> Iterator[int]:
    """The place of a chain's name in the order, where its hook is this one."""
    for at, (pattern, hooks) in enumerate(_patterns()):
        found = pattern.fullmatch(name)
        if found is not None:
            if hook in (hooks or (found[1],)):
                yield at
            return


def last_rule(chain: str) -> str | None:
    """What is known of a chain's last rule by its name, in words."""
    return next((words for pattern, words in _LAST if re.fullmatch(pattern, chain)), None)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    return tuple((re.compile(pattern), hooks) for pattern, hooks in _HOOKS)


def _guard(state: NodeState, chain: Chain) -> RuleSpec | None:
    """What its callers ask: Felix calls a dispatch chain for its interfaces, and by the endpoint mark.

    The rules themselves tell the bits of the mark, and how the interfaces' names begin.
    """
    if _ENDPOINT_MARK.fullmatch(chain.name):
        endpoint = infer(state).endpoint
        return spec_of_text(f"-A {chain.name} -m mark ! --mark 0x0/{endpoint:#x}") if endpoint else None
    found = _DISPATCH.fullmatch(chain.name)
    rest = "" if found is None else found[1] or ""
    if found is None or not all(f" cali{rest}" in rule.text for rule in chain.rules):
        return None
    way = "-o" if "-to-" in chain.name else "-i"
    return spec_of_text(f"-A {chain.name} {way} cali{rest}+")


def only_leads(chain: str) -> bool:
    """Whether a chain of that name only leads to others and marks nothing, whatever its rules are."""
    return bool(_ENDPOINT_MARK.fullmatch(chain) or _DISPATCH.fullmatch(chain))

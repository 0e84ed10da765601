"""What the policy of FORWARD takes from pods."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_link, of_policy
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found
from calitop.model.network import Link
from calitop.model.rules import ChainKey
from calitop.path.bits import NO_MARK
from calitop.path.flight import Flight
from calitop.path.hook_walk import walk
from calitop.path.packet import NEW, Packet

_FORWARD = "FORWARD"


def _drops(facts: NodeFacts) -> Iterator[Found]:
    """One workload of each CNI stands for its others: rules that accept them fit them all."""
    out = _way_out(facts)
    for owner in ("calico", "cilium") if out is not None else ():
        link = _workload(facts, owner)
        key = None if link is None or out is None else _dropping_policy(facts, link.name, out)
        if link is not None and key is not None:
            title = f"{key.chain} drops by its policy what {owner}'s pods send by {out}: no rule accepts it"
            yield Found(title, (of_policy(key, "DROP"), of_link(link)))


def _way_out(facts: NodeFacts) -> str | None:
    """The device towards Calico's other nodes, else that of the default route."""
    ours = [route.dev for route, prefix in facts.routes_of("calico") if route.gateway and prefix.version == 4]
    default = [
        route.dev
        for route in facts.unicast
        if route.dst == "default" and route.family == "ipv4" and route.table == "main"
    ]
    return next(filter(None, (*ours, *default)), None)


def _workload(facts: NodeFacts, owner: str) -> Link | None:
    """A workload whose packets pass FORWARD: not where BPF programs may lead them past it."""
    decided = facts.index.bpf
    if (decided is not None and decided.by == owner) or (owner == "cilium" and not _cilium_wants(facts)):
        return None
    return next(
        (
            link
            for link in facts.state.links
            if link.up and facts.index.role_of_link(link) == "workload"
            if facts.index.owner_of_link(link) == owner
        ),
        None,
    )


def _cilium_wants(facts: NodeFacts) -> bool:
    """Whether Cilium itself counts on rules here: its chain in FORWARD is called."""
    return any(key.chain == "CILIUM_FORWARD" and facts.index.callers(key) for key in facts.index.chains)


def _dropping_policy(facts: NodeFacts, came_in: str, out: str) -> ChainKey | None:
    """The policy in which every first packet ends, whatever its destination; None where one may pass."""
    packet = Packet(family="ipv4", iif=came_in, oif=out, mark=NO_MARK, ct_state=frozenset((NEW,)))
    walked = walk(facts.node, _FORWARD, [Flight(packet)])
    places = [end.where for end in walked.ended if end.verdict == "dropped" and end.where is not None]
    if walked.accepted or len(places) < len(walked.ended):
        return None
    return next((where.key for where in places if where.kind == "policy"), None)


CHECKS = (
    Check(
        "forward-drop",
        "error",
        ("rules", "links", "routes"),
        "Docker sets the policy of FORWARD to DROP. Without a rule that accepts them, first packets of pods "
        "are dropped at the chain's end; kube-proxy's KUBE-FORWARD accepts only packets that it has marked.",
        "Let Felix accept (iptablesFilterAllowAction Accept) and Cilium install its rules "
        "(installIptablesRules), or set the policy to ACCEPT.",
        "projectcalico/calico#2230; kubernetes/kubernetes#39823, #108718",
        _drops,
    ),
)

"""Flows between known pods of two nodes: lost on the way, or answered by another way."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_pod, of_policy, of_route, of_rule, of_setting, on_node
from calitop.check.facts import NodeFacts
from calitop.check.records import CrossCheck, Evidence, Found, Severity, Unjudged
from calitop.check.together import End, Together
from calitop.cni.names import calico_rest, link_owner
from calitop.model.place import Where
from calitop.path.bits import NO_MARK
from calitop.path.flight import Flight
from calitop.path.hook_walk import walk
from calitop.path.packet import INVALID, Packet
from calitop.path.policy import Way
from calitop.path.routing import lookup
from calitop.path.steps import Path, Step

_POLICY = ("fw-", "tw-", "pi-", "po-", "pri-", "pro-", "gi-", "go-")
"""How chains of Calico begin in which a packet is dropped because a policy wants it."""
_OWN_MASQUERADE = ("calico", "cilium", "kube-proxy")
"""Their rules masquerade on purpose; what follows for policies is worth knowing."""
_LOST = ("dropped", "rejected")
_Placed = tuple[NodeFacts, Found | Unjudged]
_NO_PAIRS = "running pods of Calico or Cilium on two named nodes (kubectl get pods -A -o wide, by --pods)"


# -- lost on the way


def _lost(together: Together) -> Iterator[_Placed]:
    """One finding for each place at which flows surely end, with the first pair of pods."""
    if not together.traced:
        yield together.nodes[0], Unjudged(_NO_PAIRS)
    told = set()
    for source, target, path in _losses(together):
        where = path.where
        at = together.by_name.get(where.node or "") if where is not None else None
        if where is not None and at is not None and where not in told:
            told.add(where)
            yield from _loss(at, where, source, target, path)


def _losses(together: Together) -> Iterator[tuple[End, End, Path]]:
    """The packet's decided loss, or the decided loss of the answer to one that surely arrives."""
    for one, other, traced in together.traced:
        forward, reply = traced.forward, traced.reply
        if forward.verdict in _LOST:
            yield one, other, forward
        elif forward.verdict == "delivered" and reply is not None and reply.verdict in _LOST:
            yield other, one, reply


def _loss(facts: NodeFacts, where: Where, source: End, target: End, path: Path) -> Iterator[_Placed]:
    severity = _severity(facts, where)
    if severity is not None:
        title = f"{source.ip} does not reach {target.ip}: {path.because}"
        pods = (of_pod(source.pod), of_pod(target.pod))
        yield facts, Found(title, (*_proofs(facts, where, source, target), *pods), severity)


def _severity(facts: NodeFacts, where: Where) -> Severity | None:
    """None where a policy may want it; a warning where somebody else's rule may."""
    if where.chain is None:
        return "error"
    if (calico_rest(where.chain) or "").startswith(_POLICY):
        return None
    return (
        "error" if where.kind == "policy" or facts.index.owner_of_chain(where.key) == "calico" else "warning"
    )


def _proofs(facts: NodeFacts, where: Where, source: End, target: End) -> Iterator[Evidence]:
    """The rule, policy, settings and routes that decide."""
    chain = facts.index.chains.get(where.key)
    if chain is not None and where.kind == "policy":
        yield of_policy(where.key, chain.policy or "?")
    elif chain is not None and where.number is not None:
        yield of_rule(where.key, where.number - 1, chain.rules[where.number - 1])
    if where.name == "rp_filter" and where.device is not None:
        for dev in ("all", where.device):
            name = facts.world.setting_name(dev, "rp_filter")
            yield of_setting(name, facts.world.sysctl(name))
    far_end = source.ip if where.name == "rp_filter" else target.ip
    way = lookup(facts.world, far_end).way
    if way is not None and way.route is not None and where.chain is None:
        yield of_route(way.route)


# -- with another source


def _masqueraded(together: Together) -> Iterator[_Placed]:
    """One finding for each rule that gives a pod's packets to another pod a new source."""
    if not together.traced:
        yield together.nodes[0], Unjudged(_NO_PAIRS)
    told = set()
    for one, other, traced in together.traced:
        step = _rewriting(traced.forward, one)
        facts = together.by_name.get(step.node) if step is not None else None
        if step is None or step.key is None or step.index is None or facts is None:
            continue
        place = (step.node, step.key, step.index)
        if place not in told:
            told.add(place)
            rule = facts.index.chains[step.key].rules[step.index]
            is_known = facts.index.owner_of_rule(step.key, rule) in _OWN_MASQUERADE
            title = f"what {one.ip} sends to {other.ip} gets another source"
            evidence = (of_rule(step.key, step.index, rule), of_pod(one.pod), of_pod(other.pod))
            yield facts, Found(title, evidence, "info" if is_known else None)


def _rewriting(path: Path, sender: End) -> Step | None:
    """The rule that gives a surely delivered packet another source."""
    if path.verdict != "delivered" or path.steps[-1].packet.src in (None, sender.ip):
        return None
    rules = (step for step in path.steps if step.kind == "rule" and step.packet.src == sender.ip)
    return next((step for step in rules if step.action.startswith(("MASQUERADE", "SNAT"))), None)


# -- answered by another way


def _asymmetric(together: Together) -> Iterator[_Placed]:
    """One finding for each pair of nodes and devices."""
    if not together.pairs:
        yield together.nodes[0], Unjudged(_NO_PAIRS)
    told = set()
    for one, other, there, back in _asymmetric_pairs(together):
        what = frozenset(((one.facts.name, there.dev), (other.facts.name, back.dev)))
        if what not in told:
            told.add(what)
            title = (
                f"{one.ip} and {other.ip}: out of {one.facts.name or '?'} by {there.dev}, "
                f"back out of {other.facts.name or '?'} by {back.dev}"
            )
            yield one.facts, Found(title, _routes(one, other, there, back))


def _asymmetric_pairs(together: Together) -> Iterator[tuple[End, End, Way, Way]]:
    """Pairs of which each node leaves by a device of another owner."""
    for one, other in together.pairs:
        there, back = one.way_to(other), other.way_to(one)
        owners = {link_owner(way.dev) if way and way.dev else None for way in (there, back)}
        if there is not None and back is not None and there.dev and back.dev and len(owners) > 1:
            yield one, other, there, back


def _routes(one: End, other: End, there: Way, back: Way) -> tuple[Evidence, ...]:
    routes = (
        on_node(of_route(way.route), end.facts.name)
        for end, way in ((one, there), (other, back))
        if way.route is not None
    )
    return (*routes, of_pod(one.pod), of_pod(other.pod))


def _invalid(together: Together) -> Iterator[_Placed]:
    """Cilium's pods whose packets this node's rules see, but not the answers, and a drop of INVALID."""
    if not together.pairs:
        yield together.nodes[0], Unjudged(_NO_PAIRS)
    told = set()
    for one, other, there, back in _asymmetric_pairs(together):
        hides = one.cni == "cilium" and link_owner(there.dev or "") != "cilium"
        drop = _invalid_drop(one, there.dev) if hides and one.facts.name not in told else None
        if drop is not None:
            told.add(one.facts.name)
            title = f"TCP from {one.ip} to {other.ip}: this node sees only one way, and drops what is INVALID"
            yield one.facts, Found(title, (drop, *_routes(one, other, there, back)))


def _invalid_drop(end: End, out: str | None) -> Evidence | None:
    """kube-proxy's rule in which every packet of the pod ends that conntrack calls INVALID."""
    packet = Packet(
        family="ipv4",
        src=end.ip,
        iif=_interface(end),
        oif=out,
        mark=NO_MARK,
        ct_state=frozenset((INVALID,)),
    )
    walked = walk(end.facts.node, "FORWARD", [Flight(packet)])
    places = {one.where for one in walked.ended}
    where = places.pop() if len(places) == 1 and not walked.accepted else None
    if where is None or where.number is None or end.facts.index.owner_of_chain(where.key) != "kube-proxy":
        return None
    return of_rule(where.key, where.number - 1, end.facts.index.chains[where.key].rules[where.number - 1])


def _interface(end: End) -> str | None:
    """The pod's interface, else one like it: rules do not tell Cilium's interfaces apart."""
    index = end.facts.index
    alike = (
        link.name
        for link in end.facts.state.links
        if index.role_of_link(link) == "workload" and index.owner_of_link(link) == end.cni
    )
    return end.pod.interface or next(alike, None)


CROSS_CHECKS = (
    CrossCheck(
        "pod-flow-lost",
        "error",
        ("links", "routes", "rules", "sysctls", "pods"),
        "From what was read it is certain that packets between these pods end here, whatever their ports; "
        "what policies of Calico drop is not told. One pod of each CNI on each node stands for all.",
        "calitop trace SRC DST --reply shows the whole way; rp_filter: set that of the interface to 2 or 0 "
        "and that of all to 0; a route: see which program should make it.",
        "projectcalico/calico#4630; cilium/cilium#10645; Linux, ip-sysctl.rst",
        _lost,
    ),
    CrossCheck(
        "pods-masqueraded",
        "warning",
        ("links", "routes", "rules", "pods"),
        "The other pod sees a node's address instead of the pod's: policies that know pods by address do not "
        "fit, and the answer may take another way.",
        "Except the pods' ranges from the rule, as destinations too. If it is Calico's or Cilium's own: see "
        "the pools and Cilium's native routing CIDR.",
        "projectcalico/calico#3440, #6235, #12920",
        _masqueraded,
    ),
    CrossCheck(
        "asymmetric-path",
        "info",
        ("routes", "pods"),
        "Between these pods packets take one way and answers another. What tests the way back (rp_filter, "
        "ctstate INVALID) sees half of the packets.",
        "Nothing while it works. If such pods do not reach each other: calitop trace --reply.",
        "projectcalico/calico#7434; kubernetes/kubernetes#94861",
        _asymmetric,
    ),
    CrossCheck(
        "invalid-drop-one-way",
        "warning",
        ("routes", "rules", "pods"),
        "What comes for Cilium's pods is delivered by BPF, so this node's conntrack never sees it: of a TCP "
        "connection from such a pod the third packet is INVALID and dropped here, of one to it the first "
        "answer, and so are answers to pings.",
        "Let both ways take one tunnel, or CILIUM_FORWARD, with its accepts, stand before KUBE-FORWARD; "
        "net.netfilter.nf_conntrack_tcp_be_liberal=1 lets newer releases of kube-proxy leave the rule out.",
        "projectcalico/calico#7434; kubernetes/kubernetes#94861, #120412",
        _invalid,
    ),
)

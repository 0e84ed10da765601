"""Packets of pods that conntrack is told to leave alone."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from calitop.check.evidence import of_route, of_rule
from calitop.check.facts import NodeFacts
from calitop.check.mtu import tunnels
from calitop.check.records import Check, Evidence, Found
from calitop.formats.spec import spec
from calitop.model.matches import IpAddress, Ports, Protocol
from calitop.model.network import Route
from calitop.model.rules import Rule
from calitop.model.spec import RuleSpec
from calitop.model.targets import Track
from calitop.path.bits import NO_MARK
from calitop.path.flight import Flight
from calitop.path.hook_walk import walk
from calitop.path.packet import UNTRACKED, Packet
from calitop.path.steps import Step
from calitop.path.tracking import unseen

_CONNTRACK = -200
"""Priority of conntrack at PREROUTING (NF_IP_PRI_CONNTRACK); what shall spare it comes before."""


def _by_policy(facts: NodeFacts) -> Iterator[Found]:
    """NOTRACK by a policy, beside workload chains that drop what has no connection.

    Felix itself leaves its tunnel's outer packets untracked, and those to a DNS cache on this host.
    """
    drops = any(True for _ in _invalid_drops(facts))
    for key, chain in facts.index.chains.items() if drops else ():
        if facts.index.owner_of_chain(key) != "calico" or not chain.may_hold("NOTRACK", "notrack"):
            continue
        for at, rule in enumerate(chain.rules):
            is_untracking = rule.target in ("NOTRACK", "CT") and "notrack" in rule.text.lower()
            if is_untracking and not _is_of_this_host(facts, spec(rule)):
                yield Found(
                    f"rule {rule.number or '?'} of {key.chain} turns tracking off", (of_rule(key, at, rule),)
                )


def _is_of_this_host(facts: NodeFacts, told: RuleSpec) -> bool:
    """Whether only packets of this host itself fit: a VXLAN tunnel's outer ones, or by its own address."""
    own = {int(address) for address in facts.world.owners}
    for match in told.find(IpAddress):
        ends = {int(network.network_address) for network in match.networks if network.num_addresses == 1}
        if not match.negated and ends and ends <= own:
            return True
    udp = any(match.numbers == (17,) and not match.negated for match in told.find(Protocol))
    ports = [match for match in told.find(Ports) if not match.negated and match.side == "dst"]
    return udp and any({one.first for one in match.ranges} <= _vxlan_ports(facts) for match in ports)


def _vxlan_ports(facts: NodeFacts) -> set[int]:
    """UDP ports of the VXLAN devices here, and Calico's own before its device stands."""
    told = (dict(link.info).get("port", "") for link in facts.state.links if link.kind == "vxlan")
    return {_CALICO_VXLAN, *(int(port) for port in told if port.isdecimal())}


_CALICO_VXLAN = 4789


def _invalid_drops(facts: NodeFacts) -> Iterator[Rule]:
    for name in facts.index.rules.workload_interfaces:
        for key in facts.index.chains_of_interface(name):
            for rule in facts.index.chains[key].rules:
                if rule.target in ("DROP", "drop") and "INVALID" in rule.text.upper():
                    yield rule


def _one_way(facts: NodeFacts) -> Iterator[Found]:
    """One finding for each of Calico's tunnels; one pod stands for all."""
    pod = next(_pod_routes(facts), None) if any(True for _ in _invalid_drops(facts)) else None
    if pod is None or pod.dev is None:
        return
    address = ip_address(pod.dst.split("/")[0])
    answer = Packet(family="ipv4", src=address, iif=pod.dev, mark=NO_MARK)
    for link, _ in tunnels(facts):
        to_pod = Packet(family="ipv4", dst=address, iif=link.name, mark=NO_MARK)
        proof = next(_untracked_by(facts, to_pod), None)
        if proof is not None and not any(True for _ in _untracked_by(facts, answer)):
            title = f"what comes to pods by {link.name} is not tracked, their answers are: they are INVALID"
            yield Found(title, (proof, of_route(pod)))


def _pod_routes(facts: NodeFacts) -> Iterator[Route]:
    """The IPv4 routes of Calico's own pods here."""
    for route, prefix in facts.routes_of("calico"):
        is_workload = route.dev in facts.index.rules.workload_interfaces
        if is_workload and (prefix.version, prefix.prefixlen) == (4, 32):
            yield route


def _untracked_by(facts: NodeFacts, packet: Packet) -> Iterator[Evidence]:
    """The rules that spare such packets conntrack, whatever else is in them; nothing unread decides it."""
    walked = walk(facts.node, "PREROUTING", [Flight(unseen(packet))], below=_CONNTRACK)
    for flight in walked.accepted:
        is_certain = all(one.missing is None for one in flight.conditions)
        if flight.packet.ct_state == {UNTRACKED} and is_certain:
            yield from (proof for step in flight.steps() if (proof := _proof(facts, step)) is not None)


def _proof(facts: NodeFacts, step: Step) -> Evidence | None:
    if step.key is None or step.index is None:
        return None
    rule = facts.index.chains[step.key].rules[step.index]
    actions = (target.action for target in spec(rule).targets)
    is_it = any(isinstance(action, Track) and action.notrack for action in actions)
    return of_rule(step.key, step.index, rule) if is_it else None


CHECKS = (
    Check(
        "untracked-policy",
        "warning",
        ("rules",),
        "What this rule leaves untracked reaches a pod, but the pod's answer belongs to no connection, and "
        "the chains of workloads drop that (ctstate INVALID).",
        "Use doNotTrack only in policies whose traffic ends on the host itself.",
        "projectcalico/felix#2021",
        _by_policy,
    ),
    Check(
        "untracked-one-way",
        "warning",
        ("links", "routes", "rules"),
        "Such packets reach the pod without an entry in conntrack, so the pod's answer belongs to no "
        "connection, and the chains of workloads drop that (ctstate INVALID).",
        "See who made the rule; let it spare what comes by Calico's tunnel, or leave the answers untracked "
        "too.",
        "felix rules/endpoints.go; Linux, nf_conntrack_in; projectcalico/felix#2021",
        _one_way,
    ),
)

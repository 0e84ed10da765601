"""One node's state as the JSON object that interface.md lays down under `show`.

Every key is always there: null where no source tells it, an empty list where there are none.
"""

from __future__ import annotations

from dataclasses import asdict

from calitop.cni.index import NodeIndex
from calitop.cni.pod_ends import PodEnds
from calitop.cni.pods import pod_name
from calitop.formats.spec import comments
from calitop.model.network import IpRule, Link, Neighbour, NextHop, Route
from calitop.model.node import BpfAttachment, ConntrackEntry, IpSet, NodeState, Pod, Problem, SourceFile
from calitop.model.rules import Chain, Counter, Rule, Ruleset, Table, VerdictMap

Json = dict[str, object]


def show_json(state: NodeState, index: NodeIndex | None = None) -> Json:
    """Everything that is known of one node at one moment, without the envelope.

    Args:
        state: The node.
        index: What its names mean; made here when it is not at hand.
    """
    names = index if index is not None else NodeIndex(state)
    pods = {pod.interface: pod for pod in state.pods if pod.interface}
    return {
        "node": {"name": state.name, "captured_at": state.captured_at, "kernel": state.kernel},
        "warnings": list(state.warnings),
        "files": [_file(each) for each in state.files],
        "rulesets": [_ruleset(each) for each in state.rulesets],
        "links": [_link(link, names, pods.get(link.name)) for link in state.links],
        "routes": [_route(route, names) for route in state.routes],
        "ip_rules": [_ip_rule(rule, names) for rule in state.ip_rules],
        "sets": [_set(each) for each in state.sets],
        "sysctls": dict(state.sysctls),
        "stats": dict(state.stats),
        "neighbours": [_neighbour(each) for each in state.neighbours],
        "conntrack": [_conntrack(each) for each in state.conntrack],
        "bpf": [_bpf(each) for each in state.bpf],
        "pods": [_pod(pod) for pod in state.pods],
        "pod_signs": _pod_signs(state),
        "cni_configs": list(state.cni_configs),
    }


def _file(each: SourceFile) -> Json:
    problems = [_problem(problem) for problem in each.problems]
    return {
        "file": each.file,
        "kind": each.kind,
        "lines": each.lines,
        "problems": problems,
        "note": each.note,
    }


def _problem(problem: Problem) -> Json:
    return {"line": problem.line, "text": problem.text, "why": problem.why}


# -- rules ------------------------------------------------------------------------------


def _ruleset(ruleset: Ruleset) -> Json:
    tables = [_table(table) for table in ruleset.tables]
    return {
        "family": ruleset.family,
        "backend": ruleset.backend,
        "program": ruleset.program,
        "tables": tables,
    }


def _table(table: Table) -> Json:
    return {
        "name": table.name,
        "maps": [_map(each) for each in table.maps],
        "chains": [_chain(chain) for chain in table.chains.values()],
    }


def _map(each: VerdictMap) -> Json:
    counters = dict(each.counters)
    return {
        "name": each.name,
        "type": each.type,
        "is_map": each.is_map,
        "complete": each.complete,
        "elements": [_element(key, value, counters.get(key)) for key, value in each.elements],
        "targets": list(each.targets),
    }


def _element(key: str, value: str | None, counter: Counter | None) -> Json:
    packets, octets = counter or (None, None)
    return {"key": key, "value": value, "packets": packets, "bytes": octets}


def _chain(chain: Chain) -> Json:
    return {
        "name": chain.name,
        "builtin": chain.builtin,
        "hook": chain.hook,
        "priority": chain.priority,
        "policy": chain.policy,
        "packets": chain.packets,
        "bytes": chain.bytes,
        "present": chain.present,
        "complete": chain.complete,
        "rules": [_rule(rule) for rule in chain.rules],
    }


def _rule(rule: Rule) -> Json:
    return {
        "number": rule.number,
        "packets": rule.packets,
        "bytes": rule.bytes,
        "text": rule.text,
        "comments": list(comments(rule)),
        "target": rule.target,
        "targets": list(rule.targets),
        "verb": rule.verb,
    }


# -- network ----------------------------------------------------------------------------


def _link(link: Link, names: NodeIndex, pod: Pod | None) -> Json:
    counters = link.counters
    return {
        "name": link.name,
        "kind": link.kind,
        "role": names.role_of_link(link),
        "mtu": link.mtu,
        "up": link.up,
        "peer": link.peer,
        "addresses": list(link.addresses),
        "pod": pod_name(pod) if pod else None,
        "owner": names.owner_of_link(link),
        "rx_packets": counters.rx_packets,
        "tx_packets": counters.tx_packets,
        "rx_dropped": counters.rx_dropped,
        "tx_dropped": counters.tx_dropped,
        "rx_bytes": counters.rx_bytes,
        "tx_bytes": counters.tx_bytes,
        "index": link.index,
        "operstate": link.operstate,
        "mac": link.mac,
        "master": link.master,
        "flags": list(link.flags),
    }


def _route(route: Route, names: NodeIndex) -> Json:
    return {
        "family": route.family,
        "table": route.table,
        "type": route.type,
        "types": list(route.types),
        "dst": route.dst,
        "gateway": route.gateway,
        "dev": route.dev,
        "src": route.src,
        "proto": route.proto,
        "scope": route.scope,
        "metric": route.metric,
        "flags": list(route.flags),
        "nexthops": [_nexthop(each) for each in route.nexthops],
        "owner": names.owner_of_route(route),
        "nhid": route.nhid,
        "mtu": route.mtu,
        "tos": route.tos,
    }


def _nexthop(each: NextHop) -> Json:
    return {"gateway": each.gateway, "dev": each.dev, "weight": each.weight, "flags": list(each.flags)}


def _ip_rule(rule: IpRule, names: NodeIndex) -> Json:
    return {
        "family": rule.family,
        "priority": rule.priority,
        "src": rule.src,
        "dst": rule.dst,
        "iif": rule.iif,
        "oif": rule.oif,
        "fwmark": rule.fwmark,
        "fwmask": rule.fwmask,
        "not": rule.inverted,
        "table": rule.table,
        "action": rule.action,
        "goto": rule.goto,
        "other": list(rule.other),
        "owner": names.owner_of_ip_rule(rule),
    }


def _set(each: IpSet) -> Json:
    members = len(each.members) if each.members is not None else each.size
    return {"name": each.name, "type": each.type, "members": members}


def _neighbour(each: Neighbour) -> Json:
    return {"address": each.address, "dev": each.dev, "mac": each.mac, "state": list(each.state)}


def _conntrack(each: ConntrackEntry) -> Json:
    return {
        "family": each.family,
        "protocol": each.protocol,
        "state": each.state,
        "original": asdict(each.original),
        "reply": asdict(each.reply),
        "flags": list(each.flags),
        "mark": each.mark,
        "zone": each.zone,
        "timeout_s": each.timeout_s,
    }


def _bpf(each: BpfAttachment) -> Json:
    return {
        "dev": each.dev,
        "direction": each.direction,
        "kind": each.kind,
        "name": each.name,
        "id": each.id,
        "text": each.text,
    }


def _pod(pod: Pod) -> Json:
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "ip": pod.ip,
        "node": pod.node,
        "interface": pod.interface,
        "status": pod.status,
        "host_network": pod.host_network,
        "uid": pod.uid,
        "known_from": [{"what": known.what, "source": known.source} for known in pod.known_from],
        "conflicts": list(pod.conflicts),
        "remarks": list(pod.remarks),
    }


def _pod_signs(state: NodeState) -> list[Json]:
    """What each source on the node tells of its pods, also where nothing tells a name."""
    ends = PodEnds(state)
    return [
        {
            "kind": sign.kind,
            "source": sign.source,
            "namespace": sign.namespace,
            "name": sign.name,
            "uid": sign.uid,
            "addresses": list(sign.addresses),
            "interfaces": [sign.interface] if sign.interface else ends.behind(sign),
            "hostnames": [{"name": name, "source": where} for name, where in sign.hostnames],
        }
        for sign in state.pod_signs
    ]

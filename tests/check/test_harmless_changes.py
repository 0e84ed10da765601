"""What an administrator changes on a healthy node without breaking anything gives no error and no warning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from calitop.check.catalogue import check
from calitop.counters.compare import compare
from calitop.model.network import IpRule, Link, NextHop
from calitop.model.node import ConntrackEntry, FlowTuple, IpSet, NodeState
from calitop.model.rules import Chain, Rule, Ruleset, Table
from tests.check import states
from tests.check.test_machines import alarms

WIRE = "ens160"
Change = Callable[[NodeState], NodeState]


def _accepted(state: NodeState) -> NodeState:
    return states.with_rule(state, "filter", "INPUT", "-A INPUT -p tcp -m tcp --dport 9100 -j ACCEPT")


def _logged(state: NodeState) -> NodeState:
    return states.with_rule(state, "filter", "FORWARD", "-A FORWARD -m limit --limit 1/min -j LOG", 0)


def _marked(state: NodeState) -> NodeState:
    """Bits that nobody here uses."""
    rule = "-A PREROUTING -i ens161 -j MARK --set-xmark 0x1/0xff"
    return states.with_rule(state, "mangle", "PREROUTING", rule)


def _with_veth(state: NodeState) -> NodeState:
    return states.with_link(state, "veth7a6b5c4", kind="veth", mtu=1500)


def _with_second_uplink(state: NodeState) -> NodeState:
    """A faster network for storage, and a worse way out."""
    state = states.with_link(state, "ens192", mtu=9000, addresses=("198.51.100.2/24",))
    state = states.with_route(state, "198.51.100.0/24", "ens192", proto="kernel", scope="link")
    return states.with_route(state, "default", "ens192", gateway="198.51.100.1", metric=200)


def _with_better_uplink(state: NodeState) -> NodeState:
    """The default route leaves by a smaller wire than the tunnel does."""
    state = states.with_link(state, "wwan0", mtu=1400, addresses=("203.0.113.2/24",))
    kept = tuple(replace(route, metric=500) if route.dst == "default" else route for route in state.routes)
    state = replace(state, routes=kept)
    return states.with_route(state, "default", "wwan0", gateway="203.0.113.1", metric=10)


def _with_dead_way(state: NodeState) -> NodeState:
    """Two ways out by one route, one of them switched off."""
    state = states.with_link(state, "ens192", up=False)
    hops = (NextHop("172.16.189.2", WIRE), NextHop("198.51.100.1", "ens192"))
    return states.with_route(state, "198.18.0.0/15", nexthops=hops)


def _without_rp_filter(state: NodeState) -> NodeState:
    off = {name: "0" for name in state.sysctls if name.endswith(".rp_filter")}
    return replace(state, sysctls={**state.sysctls, **off})


def _docker_stopped(state: NodeState) -> NodeState:
    """The kernel takes a device's routes with it."""
    state = states.with_link(state, "docker0", up=False)
    return replace(state, routes=tuple(route for route in state.routes if route.dev != "docker0"))


def _libvirt_stopped(state: NodeState) -> NodeState:
    """Its bridge without guests, and its chains."""
    state = states.with_link(state, "virbr0", kind="bridge", up=False, mtu=1500)
    rules = tuple(
        Rule(f"-A LIBVIRT_FWI {words}", number, target="REJECT", verb="jump")
        for number, words in enumerate(("-o virbr0 -j REJECT",), 1)
    )
    return states.with_chain(state, "filter", Chain("LIBVIRT_FWI", rules))


def _pod_gone(state: NodeState) -> NodeState:
    """Connections of a pod that ended."""
    flow = FlowTuple("10.222.219.77", "192.0.2.9", 40000, 443)
    back = FlowTuple("192.0.2.9", "10.222.219.77", 443, 40000)
    left = ConntrackEntry("tcp", "TIME_WAIT", flow, back, timeout_s=60)
    return replace(state, conntrack=(*state.conntrack, left))


def _private_ranges_blackholed(state: NodeState) -> NodeState:
    """Every pod and network has a longer prefix, and kube-ipvs0 has the services' addresses.

    Without it `blackhole-over-services` is right (tests/kernel/test_machines.py).
    """
    services = ("10.96.0.1/32", "10.96.0.10/32")
    state = states.with_link(state, "kube-ipvs0", kind="dummy", up=False, addresses=services)
    for address in services:
        state = states.with_route(state, address, "kube-ipvs0", table="local", type="local", scope="host")
    for dst in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"):
        state = states.with_route(state, dst, type="blackhole", proto="static", metric=1024)
    return state


def _with_set(state: NodeState) -> NodeState:
    return replace(state, sets=(*state.sets, IpSet("f2b-sshd", "hash:ip", ("198.51.100.7",))))


def _large_wires(state: NodeState) -> NodeState:
    """All that is not a pod's or a tunnel's; pods and tunnels keep what Calico gave them."""
    small = ("cali", "lxc", "cilium", "tunl")
    links = (link if link.name.startswith(small) else replace(link, mtu=9000) for link in state.links)
    return replace(state, links=tuple(links))


def _other_vxlan(state: NodeState) -> NodeState:
    """A plain tunnel of somebody's, on a port of its own."""
    info = (("id", "42"), ("port", "4789"), ("external", "false"))
    return states.with_link(state, "vxlan42", kind="vxlan", info=info, mtu=1450)


def _with_lxc_bridge(state: NodeState) -> NodeState:
    link = Link("lxcbr0", kind="bridge", up=True, mtu=1500, addresses=("10.0.3.1/24",))
    state = replace(state, links=(*state.links, link))
    name = "net.ipv4.conf.lxcbr0.rp_filter"
    return replace(state, sysctls={**state.sysctls, name: "2"})


def _with_firewalld(state: NodeState) -> NodeState:
    """Its own tables; its reverse path test is of IPv6 alone."""
    words = "meta nfproto ipv6 fib saddr . mark . iif oif missing drop"
    rule = Rule(words, 1, target="DROP", verb="jump", language="nft")
    chain = Chain("filter_PREROUTING", (rule,), True, "PREROUTING", 10, "filter", policy="ACCEPT")
    found = Ruleset("inet", "native", (Table("firewalld", {chain.name: chain}),))
    return replace(state, rulesets=(*state.rulesets, found))


def _kubelets_own_backend(state: NodeState) -> NodeState:
    words = "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP"
    chain = Chain("KUBE-FIREWALL", (Rule(words, 1, target="DROP", verb="jump"),))
    found = Ruleset("ipv4", "legacy", (Table("filter", {chain.name: chain}),))
    return replace(state, rulesets=(*state.rulesets, found))


def _own_policy_rule(state: NodeState) -> NodeState:
    state = replace(
        state, ip_rules=(*state.ip_rules, IpRule("ipv4", 1000, src="198.51.100.2/32", table="77"))
    )
    return states.with_route(state, "default", WIRE, gateway="172.16.189.2", table="77")


CHANGES: dict[str, Change] = {
    "an accept more": _accepted,
    "a rule that logs first": _logged,
    "a mark in free bits": _marked,
    "a veth more": _with_veth,
    "a second uplink, larger": _with_second_uplink,
    "a better uplink, smaller": _with_better_uplink,
    "a dead way beside a live one": _with_dead_way,
    "rp_filter 0 everywhere": _without_rp_filter,
    "docker0 down": _docker_stopped,
    "libvirt stopped": _libvirt_stopped,
    "connections of a pod that ended": _pod_gone,
    "blackholes of private ranges": _private_ranges_blackholed,
    "a set more": _with_set,
    "large wires": _large_wires,
    "a tunnel of somebody's": _other_vxlan,
    "LXC's bridge": _with_lxc_bridge,
    "firewalld": _with_firewalld,
    "the kubelet in the other backend": _kubelets_own_backend,
    "a policy rule of somebody's": _own_policy_rule,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_on_one_node(change: Change) -> None:
    assert alarms(check([change(states.lab())])) == []


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_on_one_of_two_nodes_and_on_both(change: Change) -> None:
    one, other = states.lab(), states.lab("k8s-work2")
    assert alarms(check([change(one), other])) == []
    assert alarms(check([change(one), change(other)])) == []


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_between_two_moments(change: Change) -> None:
    before, after = states.lab(), change(states.lab())
    assert alarms(check([after], [compare(before, after)])) == []

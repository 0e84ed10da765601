"""Where a check cannot judge it says so: nothing found never stands for not looked at."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from calitop.check.catalogue import check
from calitop.check.records import Checked
from calitop.model.network import IpRule
from calitop.model.node import IpSet, NodeState, Pod, Problem, SourceFile
from calitop.model.rules import Chain, Rule, Ruleset, Side, Table
from tests.check import states
from tests.check.test_faults import POD

COMMENT = re.compile(r' -m comment --comment ("[^"]*"|\S+)')


def needs(checked: Checked, fault: str) -> list[str]:
    return [each.needs for each in checked.not_checked if each.id == fault]


def found(checked: Checked, fault: str) -> list[str]:
    return [each.title for each in checked.findings if each.id == fault]


def without_comments(state: NodeState) -> NodeState:
    """As where somebody has taken the comments out of the text."""

    def bare(rule: Rule) -> Rule:
        return replace(rule, text=COMMENT.sub("", rule.text))

    def table(one: Table) -> Table:
        chains = (replace(chain, rules=tuple(map(bare, chain.rules))) for chain in one.chains.values())
        return replace(one, chains={chain.name: chain for chain in chains})

    rulesets = (replace(each, tables=tuple(map(table, each.tables))) for each in state.rulesets)
    return replace(state, rulesets=tuple(rulesets))


def test_pods_behind_policy_rules_of_somebody() -> None:
    state = states.without_route(states.lab(), f"{POD}/32")
    state = replace(state, ip_rules=(*state.ip_rules, IpRule("ipv4", 50, dst=f"{POD}/32", table="77")))
    checked = check([state])
    assert not found(checked, "blackhole-over-pod")
    assert "ip route get" in needs(checked, "blackhole-over-pod")[0]


def test_pods_where_the_policy_rules_were_not_read() -> None:
    state = replace(states.without_route(states.lab(), f"{POD}/32"), ip_rules=())
    checked = check([state])
    assert not found(checked, "blackhole-over-pod")
    assert needs(checked, "blackhole-over-pod") == ["the policy rules (ip -j rule)"]


@pytest.mark.parametrize(
    "fault", ["duplicate-felix-rule", "foreign-rule-in-calico-chain", "edited-felix-chain"]
)
def test_a_text_without_any_hash(fault: str) -> None:
    checked = check([without_comments(states.lab())])
    assert not found(checked, fault)
    assert "carries a signature" in needs(checked, fault)[0]


def test_one_backend_says_nothing_of_both() -> None:
    state = replace(states.lab(), without_rules=frozenset())
    assert "both backends" in needs(check([state]), "both-backends")[0]
    assert "both backends" in needs(check([state]), "rules-in-other-backend")[0]
    assert not needs(check([states.lab()]), "both-backends")


def test_a_listing_of_rules_that_failed() -> None:
    problem = Problem(None, "iptables-legacy-save -c", "exit status 1")
    lost = SourceFile("iptables-legacy-save.txt", "iptables-save", 0, (problem,))
    state = replace(states.lab(), files=(*states.lab().files, lost))
    assert "whole ruleset" in needs(check([state]), "foreign-rule-in-calico-chain")[0]


def test_no_rules_read_is_not_no_rules() -> None:
    """One backend without rules says nothing of the others."""
    legacy: frozenset[Side] = frozenset({("ipv4", "legacy"), ("ipv6", "legacy")})
    state = replace(states.lab(), rulesets=(), without_rules=legacy)
    assert "whole ruleset" in needs(check([state]), "forward-drop")[0]


def test_a_pod_list_of_other_nodes() -> None:
    pods = (Pod("default", "far", "10.222.160.6/32", "k8s-work9", status="Running"),)
    checked = check([replace(states.lab(), pods=pods)])
    assert "pods of this node" in needs(checked, "pod-without-route")[0]


def test_members_that_were_not_read() -> None:
    state = states.with_members(states.lab(), "cali40all-hosts-net", ["name-of-a-host"])
    checked = check([state, states.lab("k8s-work2")])
    assert "members of cali40all-hosts-net" in needs(checked, "ipip-peer-unknown")[0]
    assert "members of cali40all-hosts-net" in needs(checked, "ipip-sender-unknown")[0]


def test_services_whose_addresses_were_not_read() -> None:
    state = states.with_route(states.lab(), "10.96.0.0/12", type="blackhole", proto="bird")
    others = tuple(one for one in state.sets if one.name != "KUBE-CLUSTER-IP")
    state = replace(state, sets=(*others, IpSet("KUBE-CLUSTER-IP", "hash:ip,port")))
    assert "KUBE-CLUSTER-IP" in needs(check([state]), "blackhole-over-services")[0]


def test_settings_of_one_interface_that_were_not_read() -> None:
    name = "net.ipv4.conf.tunl0.rp_filter"
    state = states.lab()
    state = replace(state, sysctls={key: value for key, value in state.sysctls.items() if key != name})
    assert needs(check([state]), "rp-filter-on-tunnel") == [name]


def test_a_tunnel_whose_size_was_not_read() -> None:
    checked = check([states.with_link(states.lab(), "tunl0", mtu=None), states.lab("k8s-work2")])
    assert all(needs(checked, fault) for fault in ("tunnel-mtu", "pod-mtu", "mtu-between-nodes"))


def test_nodes_without_known_pods() -> None:
    far = (Pod("default", "far", "10.1.2.3/32", "elsewhere", status="Running"),)
    nodes = [replace(states.lab(name), pods=far) for name in ("k8s-work1", "k8s-work2")]
    checked = check(nodes)
    for fault in ("pod-flow-lost", "pods-masqueraded", "asymmetric-path", "invalid-drop-one-way"):
        assert "running pods" in needs(checked, fault)[0]


def test_a_tunnel_whose_port_was_not_read() -> None:
    checked = check([states.with_link(states.lab(), "vxlan.calico", kind=None)])
    assert needs(checked, "vxlan-same-port") == ["the port of vxlan.calico (ip -d link)"]


def test_flannel_without_interfaces_may_be_in_use() -> None:
    """Host-gw beside Calico's policies: no route of Calico leads to another node."""
    rule = Rule("-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE", 1, target="MASQUERADE")
    state = states.with_chain(states.lab(), "nat", Chain("FLANNEL-POSTRTG", (rule,)))
    state = states.with_rule(state, "nat", "POSTROUTING", "-A POSTROUTING -j FLANNEL-POSTRTG")
    assert found(check([state]), "flannel-masquerade-left")
    kept = tuple(route for route in state.routes if route.dev != "tunl0")
    checked = check([replace(state, routes=kept)])
    assert not found(checked, "flannel-masquerade-left")
    assert "host-gw" in needs(checked, "flannel-masquerade-left")[0]


def test_signatures_of_nftables_mode() -> None:
    chain = Chain("filter-cali-FORWARD", (Rule("accept", 1, language="nft"),))
    native = Ruleset("ipv4", "native", (Table("calico", {chain.name: chain}),))
    checked = check([replace(states.lab(), rulesets=(native,))])
    assert "nftables mode" in needs(checked, "edited-felix-chain")[0]

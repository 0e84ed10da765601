"""Each check: a state that triggers it, and a healthy twin that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calitop.check import across
from calitop.check.catalogue import CROSS_CHECKS, NODE_CHECKS, check
from calitop.check.records import KnownFault
from calitop.model.network import IpRule, NextHop
from calitop.model.node import NodeState
from calitop.model.rules import Chain, Rule
from tests.check import states
from tests.check.case import Case
from tests.check.row_cases import ROWS

HASHED = '-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD'
SIGNED = '-A cali-PREROUTING -p udp -m comment --comment "cali:0123456789abcdef"'
POD = "10.222.219.6"
CALI = "calicbd8d7879b8"


def _forward(policy: str, *targets: str) -> NodeState:
    """A node whose FORWARD has only Docker's rules and these."""
    lab = states.lab()
    docker = Rule("-A FORWARD -i docker0 -o docker0 -j ACCEPT", 1, target="ACCEPT", verb="jump")
    rules = tuple(
        Rule(f"-A FORWARD -j {target}", at, target=target, verb="jump")
        for at, target in enumerate(targets, 2)
    )
    chain = replace(states.chain_of(lab, "filter", "FORWARD"), policy=policy, rules=(docker, *rules))
    return states.with_chain(lab, "filter", chain)


def _cilium_unaccepted() -> NodeState:
    """FORWARD drops by its policy, and CILIUM_FORWARD is called and empty."""
    return states.with_chain(states.lab(), "filter", Chain("CILIUM_FORWARD"))


def _flannel(*, called: bool) -> NodeState:
    text = "-A FLANNEL-POSTRTG -s 10.222.0.0/16 -j MASQUERADE"
    chain = Chain("FLANNEL-POSTRTG", (Rule(text, 1, target="MASQUERADE", verb="jump"),))
    state = states.with_chain(states.lab(), "nat", chain)
    if not called:
        return state
    return states.with_rule(state, "nat", "POSTROUTING", "-A POSTROUTING -j FLANNEL-POSTRTG")


def _ports(ours: str, theirs: str) -> NodeState:
    state = states.with_link(states.lab(), "vxlan.calico", kind="vxlan", info=(("port", ours),))
    return states.with_link(state, "cilium_vxlan", kind="vxlan", info=(("port", theirs),))


def _cni(*names: str) -> NodeState:
    return replace(states.lab(), cni_configs=names)


def _connections(count: int) -> NodeState:
    return states.with_sysctl(states.lab(), "net.netfilter.nf_conntrack_count", count)


def _rp(dev: str, value: int) -> NodeState:
    return states.with_sysctl(states.lab(), f"net.ipv4.conf.{dev}.rp_filter", value)


def _hosts(*members: str) -> NodeState:
    return states.with_members(states.lab(), "cali40all-hosts-net", members)


def _legacy(*rules: Rule) -> NodeState:
    chain = Chain("KUBE-FORWARD", rules)
    return states.with_backend(states.lab(), "legacy", chain)


def _rule(table: str, chain: str, text: str, at: int | None = None) -> NodeState:
    return states.with_rule(states.lab(), table, chain, text, at)


def _undispatched() -> NodeState:
    """Felix's dispatch to one pod's chain is gone; its endpoint mark still leads there."""
    state = states.lab()
    for key, chain in state.chains().items():
        if "from-wl-dispatch" in key.chain:
            kept = tuple(rule for rule in chain.rules if rule.target != f"cali-fw-{CALI}")
            state = states.with_chain(state, "filter", replace(chain, rules=kept))
    return state


def _multipath(dev: str) -> NodeState:
    hops = tuple(NextHop(gateway, dev) for gateway in ("172.16.189.100", "172.16.189.102"))
    return states.with_route(states.lab(), "10.222.77.0/26", nexthops=hops, proto="bird")


def _no_endpoint_marks() -> NodeState:
    """As with kube-proxy in iptables mode."""
    state = states.lab()
    for key in state.chains():
        if key.chain.startswith(("cali-from-endpoint-mark", "cali-sm-")):
            state = states.with_chain(state, "filter", Chain(key.chain))
    return state


CASES = (
    Case(
        "route-dead-interface",
        lambda: states.with_link(states.lab(), "tunl0", up=False),
        "tunl0, which is down",
    ),
    Case(
        "route-dead-interface",
        lambda: states.with_route(states.lab(), "10.222.219.77/32", "cali0123456789a"),
        "cali0123456789a, which does not exist",
    ),
    Case(
        "duplicate-pod-route",
        lambda: states.with_route(states.lab(), f"{POD}/32", "tunl0", gateway="172.16.189.102", metric=5),
        f"{POD}/32 is routed to {CALI} and to tunl0",
        lambda: states.with_route(states.lab(), "192.0.2.9/32", "tunl0", gateway="172.16.189.102"),
    ),
    Case(
        "blackhole-over-pod",
        lambda: states.without_route(states.lab(), f"{POD}/32"),
        f"{POD} of a running pod",
    ),
    Case(
        "leaked-address",
        states.lab,
        "10.222.0.18/32 is Cilium's",
        lambda: states.without_route(states.lab(), "10.222.0.18/32", "10.222.2.80/32"),
    ),
    Case(
        "overlapping-ranges",
        lambda: states.with_route(
            states.lab(), "10.222.0.64/26", "tunl0", gateway="172.16.189.100", proto="bird"
        ),
        "Calico's 10.222.0.64/26 and Cilium's 10.222.0.0/24 overlap",
    ),
    Case(
        "block-multipath",
        lambda: _multipath("tunl0"),
        "10.222.77.0/26 is at 172.16.189.100 and at 172.16.189.102",
        lambda: _multipath("ens160"),
    ),
    Case(
        "asymmetric-ranges",
        states.lab,
        "Calico's ranges leave by tunl0, those to Cilium's by cilium_host",
        lambda: states.without_route(states.lab(), "10.222.12.0/24", "10.222.160.0/24"),
    ),
    Case(
        "untracked-policy",
        lambda: _rule("raw", "cali-PREROUTING", f"{SIGNED} -j NOTRACK"),
        "cali-PREROUTING turns tracking off",
        lambda: _rule("raw", "PREROUTING", "-A PREROUTING -p udp -j NOTRACK"),
    ),
    Case(
        "pool-holds-cilium",
        states.lab,
        "pool 10.222.0.0/16",
        lambda: states.with_members(states.lab(), "cali40all-ipam-pools", ["10.222.128.0/17"]),
    ),
    Case(
        "interface-without-chains",
        lambda: states.with_link(states.lab(), "cali0123456789a"),
        "cali0123456789a has no chains",
    ),
    Case("chain-without-dispatch", _undispatched, f"no dispatch rule leads to cali-fw-{CALI}"),
    Case("chains-without-interface", lambda: states.without_link(states.lab(), CALI), f"chains of {CALI}"),
    Case(
        "vxlan-same-port",
        lambda: _ports("4789", "4789"),
        "share UDP port 4789",
        lambda: _ports("4789", "8473"),
    ),
    Case(
        "pod-without-route", lambda: states.without_route(states.lab(), f"{POD}/32"), f"no route leads {POD}"
    ),
    Case(
        "rule-missing-set",
        lambda: states.without_set(states.lab(), "cali40this-host"),
        "cali40this-host",
    ),
    Case(
        "ipip-peer-unknown",
        lambda: _hosts("172.16.189.101", "172.16.189.100"),
        "IPIP peer 172.16.189.102",
        lambda: _hosts("172.16.189.0/24"),
    ),
    Case(
        "host-address-autodetected-wrong",
        lambda: _hosts("172.16.189.100", "172.16.189.102", "10.222.1.160"),
        "10.222.1.160 of cilium_host",
    ),
    Case(
        "both-backends",
        lambda: _legacy(Rule("-A KUBE-FORWARD -j ACCEPT", 1, target="ACCEPT", verb="jump")),
        "kube-proxy has rules in both",
        _legacy,
    ),
    Case(
        "rules-in-other-backend",
        lambda: _legacy(Rule("-A KUBE-FORWARD -p icmp -j DROP", 1, target="DROP", verb="jump")),
        "Calico is in the nft backend, others have rules in legacy",
        _legacy,
    ),
    Case(
        "duplicate-felix-rule",
        lambda: _rule("filter", "FORWARD", HASHED),
        "FORWARD holds one rule of Felix 2 times",
    ),
    Case(
        "foreign-rule-in-calico-chain",
        lambda: _rule("filter", "cali-FORWARD", "-A cali-FORWARD -s 192.0.2.1/32 -j DROP", 2),
        "rule 3 of cali-FORWARD",
        lambda: _rule("filter", "FORWARD", "-A FORWARD -s 192.0.2.1/32 -j DROP", 2),
    ),
    Case(
        "forward-drop",
        lambda: _forward("DROP", "KUBE-FORWARD"),
        "FORWARD drops by its policy what calico's pods send by tunl0",
        lambda: _forward("DROP", "ACCEPT"),
    ),
    Case("forward-drop", lambda: _forward("DROP"), "FORWARD drops", lambda: _forward("ACCEPT")),
    Case("forward-drop", _cilium_unaccepted, "FORWARD drops by its policy what cilium's pods send by tunl0"),
    Case(
        "flannel-masquerade-left",
        lambda: _flannel(called=True),
        "FLANNEL-POSTRTG",
        lambda: _flannel(called=False),
    ),
    Case(
        "foreign-rpfilter",
        lambda: _rule("mangle", "PREROUTING", "-A PREROUTING -m rpfilter --validmark --invert -j DROP"),
        "PREROUTING tests the reverse path",
    ),
    Case(
        "jump-order",
        lambda: _rule("filter", "FORWARD", "-A FORWARD -j CILIUM_FORWARD", 0),
        "in filter FORWARD cilium comes before Calico",
    ),
    Case("rp-filter-on-cilium", lambda: _rp("all", 2), "rp_filter is 2 on cilium_"),
    Case("rp-filter-on-tunnel", lambda: _rp("tunl0", 1), "strict on tunl0", lambda: _rp("tunl0", 2)),
    Case(
        "rp-filter-on-tunnel",
        lambda: states.with_link(_rp("tunl0", 2), "tunl0", addresses=()),
        "loose on tunl0, which has no address",
        lambda: states.with_link(states.lab(), "tunl0", addresses=()),
    ),
    Case(
        "no-route-to-pod",
        lambda: states.without_route(states.lab(), "10.222.160.0/24", "default"),
        "no route at all leads to 10.222.160.6 of a running pod and of 5 more",
        lambda: states.without_route(states.lab(), "10.222.160.0/24"),
    ),
    Case(
        "untracked-one-way",
        lambda: _rule("raw", "PREROUTING", "-A PREROUTING -i tunl0 -p icmp -j CT --notrack", 0),
        "what comes to pods by tunl0 is not tracked",
        lambda: _rule("raw", "PREROUTING", "-A PREROUTING -p icmp -j CT --notrack", 0),
    ),
    Case(
        "untracked-one-way",
        lambda: _rule("raw", "PREROUTING", "-A PREROUTING -i tunl0 -j NOTRACK", 0),
        "what comes to pods by tunl0 is not tracked",
        lambda: _rule("raw", "PREROUTING", "-A PREROUTING -d 169.254.20.10/32 -p udp -j NOTRACK", 0),
    ),
    Case("tunnel-mtu", lambda: states.with_link(states.lab(), "tunl0", mtu=1500), "exceeds ens160 with 1500"),
    Case(
        "pod-mtu",
        lambda: states.with_link(states.lab(), CALI, mtu=1500),
        "up to 1500 bytes, tunl0 takes 1480",
    ),
    Case(
        "foreign-mark",
        lambda: _rule("mangle", "PREROUTING", "-A PREROUTING -i wg0 -j MARK --set-xmark 0x10000/0x10000"),
        "bits of Calico accept",
        lambda: _rule("mangle", "PREROUTING", "-A PREROUTING -i wg0 -j MARK --set-xmark 0x1/0xff"),
    ),
    Case("identity-meets-endpoint", states.lab, "0xfff00000", _no_endpoint_marks),
    Case("conntrack-full", lambda: _connections(250_000), "250000 of 262144", lambda: _connections(200_000)),
    Case(
        "several-cni-configs",
        lambda: _cni("10-calico.conflist", "05-cilium.conflist", "calico-kubeconfig"),
        "new pods get 05-cilium.conflist; 10-calico.conflist is not used",
        lambda: _cni("05-cilium.conflist", "calico-kubeconfig"),
    ),
)


@pytest.mark.parametrize("case", (*CASES, *ROWS), ids=lambda case: case.id)
def test_the_fault_is_found(case: Case) -> None:
    found = case.found(case.sick())
    assert any(case.words in each.title for each in found), [each.title for each in found]
    assert all(each.evidence and each.explain and each.fix and each.source for each in found)


@pytest.mark.parametrize("case", (*CASES, *ROWS), ids=lambda case: case.id)
def test_the_healthy_twin_is_not(case: Case) -> None:
    assert not case.found(case.healthy())


def test_every_check_has_its_fault() -> None:
    assert {case.id for case in (*CASES, *ROWS)} == {one.id for one in NODE_CHECKS}


def _both(*second: NodeState) -> set[str]:
    ids = {one.id for one in across.CHECKS}
    return {each.id for each in check([states.lab(), *second]).findings} & ids


def test_nodes_of_a_healthy_cluster_claim_nothing_twice() -> None:
    assert not _both(states.lab("k8s-work2"))


def test_one_block_on_two_nodes() -> None:
    other = states.with_route(states.lab("k8s-work2"), "10.222.219.0/24", type="blackhole", proto="bird")
    assert _both(other) == {"block-on-two-nodes"}


def test_one_address_on_two_nodes() -> None:
    other = states.with_route(states.lab("k8s-work2"), f"{POD}/32", "cali0123456789a")
    assert _both(other) == {"address-on-two-nodes"}


def test_a_range_of_cilium_that_leaves_by_calico_s_tunnel() -> None:
    """As BIRD exports it where Cilium's range lies in a pool (lab fault `route-back`)."""
    by_tunnel = states.without_route(states.lab(), "10.222.2.0/24")
    gateway = "172.16.189.102"
    by_tunnel = states.with_route(by_tunnel, "10.222.2.0/24", "tunl0", gateway=gateway, proto="bird")
    found = check([by_tunnel, states.lab("k8s-work2")]).findings
    assert [(each.severity, each.node, each.title) for each in found if each.id == "leaked-range"] == [
        ("info", "k8s-work1", "10.222.2.0/24 is Cilium's on k8s-work2, but leaves here by tunl0")
    ]


def test_one_blackhole_over_many_pods_is_one_finding() -> None:
    hole = states.with_route(
        states.without_route(states.lab(), "10.222.160.0/24"), "10.222.160.0/24", type="blackhole"
    )
    titles = [each.title for each in check([hole]).findings if each.id == "blackhole-over-pod"]
    assert titles == ["10.222.160.6 of a running pod and 5 more fall into blackhole 10.222.160.0/24"]


def test_no_route_is_not_told_where_not_every_table_was_read() -> None:
    """A list of table main alone, as `route -n` prints it: another table may lead there."""
    state = states.without_route(states.lab(), "10.222.160.0/24", "default")
    state = replace(
        state, routes=tuple(route for route in state.routes if route.table == "main"), ip_rules=()
    )
    assert not [each for each in check([state]).findings if each.id == "no-route-to-pod"]


def test_a_full_table_of_connections_is_an_error() -> None:
    found = [each for each in check([_connections(262_144)]).findings if each.id == "conntrack-full"]
    assert [each.severity for each in found] == ["error"]


def test_cilium_s_own_policy_rules_do_not_hide_a_blackhole() -> None:
    state = states.without_route(states.lab(), f"{POD}/32")
    proxy = IpRule("ipv4", 9, fwmark=0x200, fwmask=0xF00, table="2004")
    state = replace(state, ip_rules=(*state.ip_rules, proxy))
    assert [each for each in check([state]).findings if each.id == "blackhole-over-pod"]


def test_a_blackhole_behind_a_policy_rule_is_not_judged() -> None:
    """Another table may lead to the pod."""
    state = states.without_route(states.lab(), f"{POD}/32")
    state = replace(state, ip_rules=(*state.ip_rules, IpRule("ipv4", 50, dst=f"{POD}/32", table="77")))
    assert not [each for each in check([state]).findings if each.id == "blackhole-over-pod"]


def test_only_the_chain_without_dispatch_is_named() -> None:
    found = [each.title for each in check([_undispatched()]).findings if each.severity == "error"]
    assert found == [f"no dispatch rule leads to cali-fw-{CALI}"]


_COLUMNS = 6
"""Of the table of checks; the document has others."""


def test_the_table_of_checks_is_complete() -> None:
    """Each check with its severity and source, in order."""
    text = (states.SNAPSHOTS.parent / "docs" / "checks.md").read_text()
    lines = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in cells] for cells in lines if len(cells) == _COLUMNS]
    told = [(row[0].strip("`"), row[1], row[-1]) for row in rows]
    faults: tuple[KnownFault, ...] = (*NODE_CHECKS, *CROSS_CHECKS)
    assert told == [(one.id, one.severity, one.source) for one in faults]
    assert all(all(row) for row in rows)

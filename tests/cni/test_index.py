"""What names and places say about chains, links, routes and pods."""

from __future__ import annotations

import pytest

from calitop.cni.index import NodeIndex
from calitop.cni.pod_identity import with_identities
from calitop.cni.pods import fits, interface_name, local_pods, node_of_list
from calitop.cni.rule_index import RuleRef
from calitop.model.network import IpRule, Link, NextHop, Route
from calitop.model.node import NodeState, Pod
from calitop.model.rules import Chain, ChainKey, Language, Rule, Ruleset, Table

POD = Pod("default", "calico-python3-daemon-2jlc5", "10.222.160.3/32", "k8s-work2")
IFACE = "cali7cd4eff55c7"


def _rule(text: str, target: str | None = None, language: Language = "iptables") -> Rule:
    return Rule(text, 1, target=target, verb="jump" if target else None, language=language)


def _state(chains: dict[str, list[Rule]], pods: tuple[Pod, ...] = ()) -> NodeState:
    made = {
        name: Chain(name, tuple(rules), name.isupper() and name in ("FORWARD", "INPUT"), name)
        for name, rules in chains.items()
    }
    rulesets = (Ruleset("ipv4", "nft", (Table("filter", made),)),)
    return NodeState(rulesets=rulesets, pods=pods)


def _key(chain: str, table: str = "filter") -> ChainKey:
    return ChainKey("ipv4", "nft", table, chain)


def test_calico_names_a_pods_interface_by_hash() -> None:
    assert interface_name("default", "calico-python3-daemon-2jlc5") == IFACE


@pytest.mark.parametrize(
    ("chain", "group", "interface"),
    [
        (f"cali-fw-{IFACE}", "from workload", IFACE),
        (f"cali-tw-{IFACE}", "to workload", IFACE),
        (f"filter-cali-tw-{IFACE}", "to workload", IFACE),
        (f"cali-sm-{IFACE}", "calico other", IFACE),
        ("cali-from-wl-dispatch-7", "dispatch", None),
        ("cali-set-endpoint-mark", "dispatch", None),
        ("cali-pi-_abc", "policy", None),
        ("cali-pro-kns.default", "profile", None),
        ("cali-pri-ksa.default.default", "profile", None),
        ("cali-fh-eth0", "host endpoint", "eth0"),
        ("cali-thfw-eth0", "host endpoint", "eth0"),
        ("califw-cali12345", "from workload", "cali12345"),
        ("cali-wl-to-host", "calico other", None),
        ("CILIUM_POST_nat", "cilium", None),
        ("OLD_CILIUM_FORWARD", "cilium", None),
        ("KUBE-SVC-ABC", "kube-proxy", None),
        ("DOCKER-USER", "docker", None),
        ("ufw-before-input", "other", None),
    ],
)
def test_a_chains_role_is_read_from_its_name(chain: str, group: str, interface: str | None) -> None:
    index = NodeIndex(_state({"FORWARD": [_rule("-j", chain)], chain: []}))
    role = index.role_of_chain(_key(chain))
    assert (role.group, role.interface) == (group, interface)


def test_direction_is_said_in_words_with_the_pods_name() -> None:
    state = _state({f"cali-fw-{IFACE}": [], f"cali-tw-{IFACE}": []}, pods=(POD,))
    index = NodeIndex(with_identities(state))
    name = "default/calico-python3-daemon-2jlc5"
    assert index.role_of_chain(_key(f"cali-fw-{IFACE}")).words == f"from the pod {name} (egress)"
    assert index.role_of_chain(_key(f"cali-tw-{IFACE}")).words == f"to the pod {name} (ingress)"


def test_an_orphan_is_a_user_chain_that_nobody_calls() -> None:
    chains = {"FORWARD": [_rule("-j", "a")], "a": [], "b": [], "KUBE-PROXY-CANARY": []}
    index = NodeIndex(_state(chains))
    groups = {key.chain: index.role_of_chain(key).group for key in index.chains}
    assert groups == {"FORWARD": "built-in", "a": "other", "b": "orphan", "KUBE-PROXY-CANARY": "kube-proxy"}


def test_in_a_cut_text_nobody_is_an_orphan() -> None:
    table = Table("filter", {"a": Chain("a", complete=False), "b": Chain("b")})
    index = NodeIndex(NodeState(rulesets=(Ruleset("ipv4", "nft", (table,)),)))
    assert index.role_of_chain(_key("b")).group == "other"


def test_an_interfaces_own_chains_come_from_workload_first() -> None:
    names = [f"cali-sm-{IFACE}", f"cali-tw-{IFACE}", f"cali-fw-{IFACE}", "cali-fw-calidead"]
    index = NodeIndex(_state({name: [] for name in names}))
    assert [key.chain for key in index.chains_of_interface(IFACE)] == [names[2], names[1], names[0]]
    assert index.chains_of_interface("eth0") == []
    assert index.interface_of_chain(_key(names[0])) == IFACE


@pytest.mark.parametrize(
    ("text", "language", "names", "others"),
    [
        ("-A X -i cali+ -j Y", "iptables", ["cali1", "cali"], ["lxc1"]),
        ("-A X -o tunl0 -j Y", "iptables", ["tunl0"], ["tunl01", "tunl"]),
        ("-A X ! -o cilium_+ -j Y", "iptables", ["eth0"], ["cilium_host"]),
        ("-A X -i ! lo -j Y", "iptables", ["eth0"], ["lo"]),
        ("-A X -i + -j Y", "iptables", ["anything"], []),
        ("-A X --in-interface eth0 -j Y", "iptables", ["eth0"], ["eth1"]),
        ('-A X -m comment --comment "not -i eth0 here" -j Y', "iptables", [], ["eth0"]),
        ("-A X -p tcp -j Y", "iptables", [], ["eth0"]),
        ('iifname "cali*" counter jump Y', "nft", ["cali1"], ["eth0"]),
        ('oifname != "lo" accept', "nft", ["eth0"], ["lo"]),
        ('iifname { "eth0", "eth1" } accept', "nft", ["eth0", "eth1"], ["eth2"]),
        ('iifname vmap { "cali1" : goto a, "cali2" : drop }', "nft", ["cali1", "cali2"], ["eth0", "drop"]),
        ("iifname vmap @dispatch", "nft", [], ["vmap", "@dispatch", "eth0"]),
        ("iif lo accept", "nft", ["lo"], ["eth0"]),
        ('meta mark 1 accept comment "x iifname "', "nft", [], ["eth0"]),
    ],
)
def test_rules_are_found_by_the_interfaces_they_test(
    text: str, language: Language, names: list[str], others: list[str]
) -> None:
    index = NodeIndex(_state({"X": [_rule("-A X -p udp"), _rule(text, language=language)]}))
    for name in names:
        assert index.rules_for_interface(name) == [RuleRef(_key("X"), 1)]
    for name in others:
        assert index.rules_for_interface(name) == []


def test_callers_know_the_table() -> None:
    index = NodeIndex(_state({"FORWARD": [_rule("-j", "ACCEPT"), _rule("-j", "a")], "a": []}))
    assert index.callers(_key("a")) == [RuleRef(_key("FORWARD"), 1)]
    assert index.callers(_key("a", "nat")) == []


def test_an_index_of_the_same_rules_is_shared() -> None:
    state = _state({"a": []})
    first = NodeIndex(state)
    assert NodeIndex(NodeState(rulesets=state.rulesets), first).rules is first.rules
    assert NodeIndex(_state({"a": []}), first).rules is not first.rules


@pytest.mark.parametrize(
    ("name", "kind", "role", "owner"),
    [
        ("tunl0", "tun", "ipip", "calico"),
        (IFACE, "veth", "workload", "calico"),
        ("lxc3bb87f85aff5", "veth", "workload", "cilium"),
        ("cilium_host", "veth", "cilium host", "cilium"),
        ("cilium_vxlan", None, "vxlan", "cilium"),
        ("vxlan.calico", "vxlan", "vxlan", "calico"),
        ("docker0", "bridge", "bridge", "docker"),
        ("lo", None, "loopback", "kernel"),
        ("ens160", None, "physical", None),
        ("flannel.1", "vxlan", "vxlan", "flannel"),
        ("kube-ipvs0", "dummy", "ipvs", "kube-proxy"),
        ("mystery", None, None, None),
    ],
)
def test_links_by_name_and_kind(name: str, kind: str | None, role: str | None, owner: str | None) -> None:
    link = Link(name, kind=kind, addresses=("10.0.0.1/32",))
    index = NodeIndex(NodeState(links=(link,)))
    assert (index.role_of_link(link), index.owner_of_link(link)) == (role, owner)


def test_an_unused_tunl0_is_the_kernels() -> None:
    assert NodeIndex(NodeState()).owner_of_link(Link("tunl0")) == "kernel"


@pytest.mark.parametrize(
    ("route", "owner"),
    [
        (Route("ipv4", "10.222.160.3/32", dev=IFACE, scope="link"), "calico"),
        (Route("ipv4", "10.222.219.0/24", gateway="172.16.189.101", dev="tunl0", proto="bird"), "calico"),
        (Route("ipv4", "10.222.160.0/24", type="blackhole", proto="bird"), "calico"),
        (Route("ipv4", "10.222.160.0/26", type="blackhole", proto="80"), "calico"),
        (Route("ipv4", "10.222.160.0/24", type=None, types=("blackhole", "throw")), "calico"),
        (Route("ipv4", "10.223.160.0/24", type="blackhole"), None),
        (Route("ipv4", "some.net", type=None), None),
        (Route("ipv4", "some.net", dev="ens160"), None),
        (Route("ipv4", "10.222.1.0/24", dev="cilium_host", proto="kernel"), "cilium"),
        (Route("ipv4", "172.16.189.0/24", dev="ens160", proto="kernel", scope="link"), "kernel"),
        (Route("ipv4", "172.16.189.0/24", dev="ens160"), "kernel"),
        (Route("ipv4", "172.17.0.0/16", dev="docker0", proto="kernel"), "docker"),
        (Route("ipv4", "10.222.2.80/32", table="local", type="local", dev="cilium_host"), "kernel"),
        (Route("ipv4", "default", gateway="172.16.189.2", dev="ens160", proto="static"), None),
        (Route("ipv4", "10.0.0.0/8", nexthops=(NextHop("1.2.3.4", "tunl0"),)), "calico"),
    ],
)
def test_routes_by_device_and_protocol(route: Route, owner: str | None) -> None:
    links = (Link("ens160", addresses=("172.16.189.102/24",)), Link(IFACE))
    pod_route = Route("ipv4", "10.222.160.3/32", dev=IFACE)
    index = NodeIndex(NodeState(links=links, routes=(pod_route, route)))
    assert index.owner_of_route(route) == owner


def test_routes_and_interfaces_find_each_other() -> None:
    many = Route("ipv4", "10.0.0.0/8", nexthops=(NextHop("1.2.3.4", "eth0"), NextHop("1.2.3.5", "eth1")))
    hole = Route("ipv4", "10.222.160.0/24", type="blackhole")
    index = NodeIndex(NodeState(routes=(many, hole)))
    assert index.routes_of_interface("eth1") == [many]
    assert index.interface_of_route(many) == "eth0"
    assert index.interface_of_route(hole) is None


@pytest.mark.parametrize(
    ("chain", "text", "target", "owner"),
    [
        (
            "FORWARD",
            '-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD',
            "cali-FORWARD",
            "calico",
        ),
        ("FORWARD", '-A FORWARD -m comment --comment "cilium-feeder: CILIUM_FORWARD" -j X', "X", "cilium"),
        ("FORWARD", '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j X', "X", "kube-proxy"),
        ("FORWARD", "-A FORWARD -j DOCKER-USER", "DOCKER-USER", "docker"),
        ("FORWARD", "-A FORWARD -j ACCEPT", "ACCEPT", None),
        ("KUBE-SEP-A", "-A KUBE-SEP-A -j DNAT", "DNAT", "kube-proxy"),
        ("cali-INPUT", "-A cali-INPUT -j ACCEPT", "ACCEPT", None),
        ("FORWARD", '-A FORWARD -m comment --comment "see cali:wUHhoiAYhphO9Mso" -j LOG', "LOG", None),
    ],
)
def test_rules_by_their_signature(chain: str, text: str, target: str, owner: str | None) -> None:
    state = _state({chain: [_rule(text, target)], "other": []})
    index = NodeIndex(state)
    key = _key(chain)
    assert index.owner_of_rule(key, index.chains[key].rules[0]) == owner


@pytest.mark.parametrize(
    ("rule", "owner"),
    [
        (IpRule("ipv4", 0, table="local"), "kernel"),
        (IpRule("ipv4", 32766, table="main"), "kernel"),
        (IpRule("ipv4", 100, table="local"), "cilium"),
        (IpRule("ipv4", 9, fwmark=0x200, fwmask=0xF00, table="2004"), "cilium"),
        (IpRule("ipv4", 99, fwmark=0x200000, fwmask=0x200000, inverted=True, table="1"), "calico"),
        (IpRule("ipv4", 1000, src="10.0.0.0/8", table="5"), None),
        (IpRule("ipv4", 32767, table="default"), "kernel"),
        (IpRule("ipv4", 1000, other=("l3mdev",)), "kernel"),
        (IpRule("ipv4", 0, src="10.0.0.0/8", table="local"), None),
        (IpRule("ipv4", 1, fwmark=0xE00, fwmask=0xF00, table="201"), "cilium"),
        (IpRule("ipv4", 10, fwmark=0xA00, fwmask=0xF00, table="2005"), "cilium"),
        (IpRule("ipv4", 109, fwmark=0x80, fwmask=0x80, table="main"), "cilium"),
        (IpRule("ipv4", 112, dst="10.1.0.0/24", table="202"), "cilium"),
        (IpRule("ipv4", 110, src="10.1.0.7/32", table="11"), None),
        (IpRule("ipv4", 5210, fwmark=0x80000, fwmask=0xFF0000, table="main"), "tailscale"),
        (IpRule("ipv4", 5250, fwmark=0x80000, fwmask=0xFF0000, action="unreachable"), "tailscale"),
        (IpRule("ipv4", 5270, table="52"), "tailscale"),
        (IpRule("ipv4", 1024, fwmark=0x80, fwmask=0x80, table="main"), "aws-vpc-cni"),
        (IpRule("ipv4", 32764, src="10.1.0.0/24", table="kube-router"), "kube-router"),
        (
            IpRule("ipv4", 32765, fwmark=51820, fwmask=0xFFFFFFFF, inverted=True, table="51820"),
            "wg-quick",
        ),
        (IpRule("ipv4", 32764, table="main", suppress_prefixlength=0), None),
    ],
)
def test_policy_rules_by_priority_and_table(rule: IpRule, owner: str | None) -> None:
    assert NodeIndex(NodeState()).owner_of_ip_rule(rule) == owner


def test_priorities_that_others_use_too_are_ciliums_where_cilium_is() -> None:
    index = NodeIndex(NodeState(links=(Link("cilium_host"),)))
    assert index.owner_of_ip_rule(IpRule("ipv4", 20, dst="10.1.0.7/32", table="main")) == "cilium"
    assert index.owner_of_ip_rule(IpRule("ipv4", 111, src="10.1.0.7/32", table="11")) == "cilium"
    assert index.owner_of_ip_rule(IpRule("ipv4", 111, table="11")) is None


def test_a_pod_gets_the_interface_that_its_hash_names_whatever_the_prefix() -> None:
    eni = "eni" + IFACE[4:]
    for name in (IFACE, eni):
        state = with_identities(NodeState(links=(Link(name),), pods=(POD, Pod("default", "other"))))
        assert [pod.interface for pod in state.pods] == [name, None]
        assert NodeIndex(state).owner_of_link(state.links[0]) == "calico"
        assert NodeIndex(state).pod_of_interface(name) == state.pods[0]


def test_a_pod_without_namespace_gets_the_one_that_the_hash_proves() -> None:
    state = with_identities(NodeState(links=(Link(IFACE),), pods=(Pod(None, POD.name),)))
    assert state.pods[0] == Pod("default", POD.name, interface=IFACE)


def test_a_cilium_pods_interface_is_known_only_by_a_route() -> None:
    pods = (Pod("default", "a", "10.0.0.7/32", "n"), Pod("default", "b", "10.0.0.8/32", "n"))
    route = Route("ipv4", "10.0.0.7/32", dev="lxc3bb87f85aff5")
    state = with_identities(NodeState(name="n", routes=(route,), pods=pods))
    assert [pod.interface for pod in state.pods] == ["lxc3bb87f85aff5", None]
    assert local_pods(state) == state.pods


def test_a_pod_list_fits_by_name_or_by_addresses() -> None:
    pods = (POD, Pod("default", "far", "10.222.219.6/32", "k8s-work1"))
    route = Route("ipv4", "10.222.160.3/32", dev=IFACE)
    assert node_of_list(NodeState(name="k8s-work1", pods=pods)) == "k8s-work1"
    assert node_of_list(NodeState(name="work2", routes=(route,), pods=pods)) == "k8s-work2"
    assert fits(pods, NodeState(routes=(route,)))
    assert not fits(pods, NodeState(name="elsewhere"))


def test_pods_by_address_with_or_without_length_but_not_on_the_host_network() -> None:
    host = Pod("kube-system", "proxy", "172.16.189.102/32", host_network=True)
    index = NodeIndex(NodeState(pods=(POD, host)))
    assert index.pod_of_address("10.222.160.3") is POD
    assert index.pod_of_address("10.222.160.3/32") is POD
    assert index.pod_of_address("172.16.189.102") is None

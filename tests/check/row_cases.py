"""Faults of public threads that take more than one row of a table, and their healthy twins."""

from __future__ import annotations

from dataclasses import replace

from calitop.model.node import NodeState
from calitop.model.rules import Chain, Rule, Ruleset, Table
from tests.check import states
from tests.check.case import Case

POD = "10.222.219.6"
CALI = "calicbd8d7879b8"
HOST_MARK = "-A CILIUM_OUTPUT -m mark ! --mark 0xe00/0xf00 {more}-j MARK --set-xmark 0xc00/0xf00"


def _edited() -> NodeState:
    """The signature of cali-FORWARD's third rule stays, the rule itself was changed."""
    chain = states.chain_of(states.lab(), "filter", "cali-FORWARD")
    rules = [*chain.rules]
    rules[2] = replace(rules[2], text=rules[2].text.replace("cali+", "cali7+"))
    return states.with_chain(states.lab(), "filter", replace(chain, rules=tuple(rules)))


def _counted(table: str, chain: str, words: str) -> NodeState:
    return states.counted(states.lab(), table, chain, words)


def _kube_invalid(packets: int) -> NodeState:
    text = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"
    rule = Rule(text, 1, packets=packets, bytes=0, target="DROP", verb="jump")
    return states.with_chain(states.lab(), "filter", Chain("KUBE-FORWARD", (rule,)))


def _policy(packets: int) -> NodeState:
    chain = states.chain_of(states.lab(), "filter", "FORWARD")
    counted = replace(chain, packets=(chain.packets or 0) + packets)
    return states.with_chain(states.lab(), "filter", counted)


def _called(table: str, base: str, name: str, **links: str) -> NodeState:
    """A chain with one rule that a built-in chain calls."""
    rule = Rule(f"-A {name} -j RETURN", 1, target="RETURN", verb="jump")
    state = states.with_chain(states.lab(), table, Chain(name, (rule,)))
    for link, kind in links.items():
        state = states.with_link(state, link, kind=kind)
    return states.with_rule(state, table, base, f"-A {base} -j {name}")


def _only_chains() -> NodeState:
    """Calico's chains; its interfaces and routes are gone."""
    state = states.lab()
    kept = tuple(link for link in state.links if not link.name.startswith(("cali", "tunl0")))
    ours = ("tunl0", "cali")
    routes = tuple(
        route
        for route in state.routes
        if not (route.dev or "").startswith(ours) and route.type != "blackhole"
    )
    return replace(state, links=kept, routes=routes)


def _host_endpoint(*, allowed: bool) -> NodeState:
    state = states.with_chain(states.lab(), "filter", Chain("cali-th-ens160"))
    chain = states.chain_of(state, "filter", "cali-OUTPUT")
    rules = tuple(rule for rule in chain.rules if allowed or "Allow IPIP" not in rule.text)
    return states.with_chain(state, "filter", replace(chain, rules=rules))


def _native(table: str) -> NodeState:
    rule = Rule("ip saddr 192.0.2.1 drop", 1, language="nft", target="drop")
    found = Ruleset("ipv4", "native", (Table(table, {"extra": Chain("extra", (rule,))}),))
    state = states.lab()
    return replace(state, rulesets=(*state.rulesets, found))


def _host_mark(more: str) -> NodeState:
    chain = Chain("CILIUM_OUTPUT", (Rule(HOST_MARK.format(more=more), 1, target="MARK", verb="jump"),))
    return states.with_chain(states.with_link(states.lab(), "kube-ipvs0"), "filter", chain)


def _vxlan(first: str, second: str) -> NodeState:
    """Both masquerade; packets leave by VXLAN."""
    state = states.with_link(states.lab(), "vxlan.calico", kind="vxlan")
    state = states.with_route(state, "10.222.77.0/26", "vxlan.calico", gateway="10.222.77.0")
    rules = tuple(
        Rule(f"-A POSTROUTING -j {name}", at, target=name, verb="jump")
        for at, name in enumerate((first, second), 1)
    )
    chain = states.chain_of(state, "nat", "POSTROUTING")
    return states.with_chain(state, "nat", replace(chain, rules=rules))


def _service_hole(*, is_local: bool) -> NodeState:
    """BIRD's blackhole over the services; in IPVS mode kube-ipvs0 has their addresses."""
    state = states.with_route(states.lab(), "10.96.0.0/12", type="blackhole", proto="bird")
    if is_local:
        state = states.with_link(state, "kube-ipvs0", addresses=("10.96.0.1/32", "10.96.0.10/32"))
        for address in ("10.96.0.1/32", "10.96.0.10/32"):
            state = states.with_route(state, address, "kube-ipvs0", table="local", type="local")
    return state


def _unpooled(pool: str) -> NodeState:
    return states.with_members(states.lab(), "cali40all-ipam-pools", [pool])


def _marked(mark: str) -> NodeState:
    """kube-proxy's own bit of the mark."""
    text = f"-A KUBE-MARK-MASQ -j MARK --set-xmark {mark}/{mark}"
    chain = Chain("KUBE-MARK-MASQ", (Rule(text, 1, target="MARK", verb="jump"),))
    return states.with_chain(states.lab(), "nat", chain)


def _elsewhere() -> NodeState:
    """A better /32 to the pod by the tunnel; Felix's own has a higher metric."""
    state = states.without_route(states.lab(), f"{POD}/32")
    return states.with_route(state, f"{POD}/32", "tunl0", gateway="172.16.189.102", proto="bird")


ROWS: tuple[Case, ...] = (
    Case("edited-felix-chain", _edited, "cali-FORWARD is not as Felix wrote it"),
    Case(
        "spoofed-sources-counted",
        lambda: _counted("raw", "cali-PREROUTING", "rpfilter"),
        "5 packets from pods had a source",
        earlier=states.lab,
    ),
    Case(
        "foreign-ipip-counted",
        lambda: _counted("filter", "cali-INPUT", "Drop IPIP"),
        "5 packets of IPIP",
        earlier=states.lab,
    ),
    Case(
        "unknown-endpoint-counted",
        lambda: _counted("filter", "cali-from-endpoint-mark", "DROP"),
        "names no endpoint",
        earlier=states.lab,
    ),
    Case(
        "unknown-interface-counted",
        lambda: _counted("filter", "cali-from-wl-dispatch", "Unknown interface"),
        "interfaces that Calico does not know",
        earlier=states.lab,
    ),
    Case(
        "pod-invalid-counted",
        lambda: _counted("filter", f"cali-tw-{CALI}", "INVALID"),
        "INVALID to conntrack and dropped by Calico",
        earlier=states.lab,
    ),
    Case(
        "kube-invalid-counted",
        lambda: _kube_invalid(7),
        "7 packets were INVALID",
        lambda: _kube_invalid(0),
        earlier=lambda: _kube_invalid(0),
    ),
    Case("forward-policy-counted", lambda: _policy(3), "3 packets were dropped", earlier=states.lab),
    Case(
        "rp-filter-counted",
        lambda: states.with_stat(states.lab(), "TcpExt.IPReversePathFilter", 5),
        "5 packets failed",
        earlier=states.lab,
    ),
    Case(
        "conntrack-insert-counted",
        lambda: states.with_stat(states.lab(), "Conntrack.insert_failed", 2),
        "2 packets could not be entered",
        earlier=states.lab,
    ),
    Case(
        "cni-leftovers",
        lambda: _called("filter", "FORWARD", "WEAVE-NPC"),
        "chains of Weave",
        lambda: _called("filter", "FORWARD", "WEAVE-NPC", weave="bridge"),
    ),
    Case("calico-leftovers", _only_chains, "Calico's chains stand here"),
    Case(
        "blackhole-over-services",
        lambda: _service_hole(is_local=False),
        "blackhole 10.96.0.0/12",
        lambda: _service_hole(is_local=True),
    ),
    Case(
        "vxlan-masquerade-order",
        lambda: _vxlan("cali-POSTROUTING", "KUBE-POSTROUTING"),
        "masquerades before kube-proxy",
        lambda: _vxlan("KUBE-POSTROUTING", "cali-POSTROUTING"),
    ),
    Case(
        "cilium-host-mark",
        lambda: _host_mark(""),
        "overwrites the identity",
        lambda: _host_mark("-m mark ! --mark 0xf00/0xf00 "),
    ),
    Case(
        "host-endpoint-over-ipip",
        lambda: _host_endpoint(allowed=False),
        "cali-th-ens160 decides",
        lambda: _host_endpoint(allowed=True),
    ),
    Case(
        "incompatible-table",
        lambda: _native("nat"),
        "table nat holds native nft rules",
        lambda: _native("mine"),
    ),
    Case(
        "masqueraded-to-cilium",
        lambda: _unpooled("10.222.128.0/17"),
        "get the node's address",
        lambda: _unpooled("10.222.0.0/16"),
    ),
    Case(
        "pool-holds-network",
        lambda: _unpooled("172.16.0.0/12"),
        "holds the network 172.16.189.0/24 of ens160",
    ),
    Case("pod-source-refused", _elsewhere, f"{POD} is routed to tunl0"),
    Case(
        "route-without-pod",
        lambda: states.with_route(states.lab(), "10.222.219.99/32", CALI, scope="link"),
        "no listed pod has it",
    ),
    Case("mark-overlap", lambda: _marked("0x20000"), "Calico pass and kube-proxy masquerade"),
    Case(
        "cni-config-set-aside",
        lambda: replace(states.lab(), cni_configs=("05-cilium.conflist", "10-calico.conflist.cilium_bak")),
        "set aside 10-calico.conflist",
        lambda: replace(states.lab(), cni_configs=("05-cilium.conflist",)),
    ),
)

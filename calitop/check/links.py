"""Interfaces and the chains that Felix makes for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from calitop.check.evidence import of_chain, of_link
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found, Unjudged
from calitop.cni.names import chain_role
from calitop.model.network import Link

_DISPATCH = {"from workload": "from-wl-dispatch", "to workload": "to-wl-dispatch"}
"""What the name of a chain that dispatches to a workload's holds, by the group of the workload's chain."""


def all_dispatched(facts: NodeFacts) -> bool:
    """Whether every workload interface surely has its chains, and dispatch rules lead to them."""
    return not any(True for find in (_without_chains, _without_dispatch) for _ in find(facts))


def _without_chains(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Where a dispatch chain stands, it drops what comes from a workload that it does not know."""
    if facts.index.bpf is not None and facts.index.bpf.by == "calico":
        return  # In eBPF mode Felix makes no chains of workloads.
    dispatch = [key for key in facts.index.chains if key.chain.endswith("cali-from-wl-dispatch")]
    for link in facts.state.links if dispatch else ():
        is_workload = facts.index.owner_of_link(link) == "calico" and link.name.startswith("cali")
        if is_workload and not facts.index.chains_of_interface(link.name):
            title = f"{link.name} has no chains: Calico drops what its pod sends"
            yield Found(title, (of_link(link), *map(of_chain, dispatch)))


def _without_dispatch(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    """Chains that no dispatch rule leads to, nor an element of its map (nftables mode)."""
    if cut := [name for name in facts.dispatch_maps if facts.dispatch_maps[name] is not True]:
        yield Unjudged(f"all elements of the map {cut[0]} (nft list ruleset, without -t)")
        return
    for link in facts.state.links:
        for key in facts.index.chains_of_interface(link.name):
            direction = _DISPATCH.get(chain_role(key.chain, key.table).group)
            if direction is None:
                continue
            callers = [ref.key.chain for ref in facts.index.callers(key)]
            if not any(direction in name for name in callers):
                yield Found(f"no dispatch rule leads to {key.chain}", (of_link(link), of_chain(key)))


def _without_interface(facts: NodeFacts) -> Iterator[Found]:
    for name in sorted(facts.index.rules.workload_interfaces - facts.world.links.keys()):
        keys = facts.index.chains_of_interface(name)
        yield Found(f"chains of {name}, which does not exist", tuple(map(of_chain, keys)))


def _same_port(facts: NodeFacts) -> Iterator[Found | Unjudged]:
    by_port: defaultdict[str, list[Link]] = defaultdict(list)
    for link in facts.state.links:
        port = dict(link.info).get("port")
        if link.kind == "vxlan" and port:
            by_port[port].append(link)
        elif link.kind == "vxlan" or facts.index.role_of_link(link) == "vxlan":
            yield Unjudged(f"the port of {link.name} (ip -d link)")
    for port, found in by_port.items():
        owners = {facts.index.owner_of_link(link) for link in found} - {None}
        if len(owners) > 1 and not _share_well(found):
            names = " and ".join(link.name for link in found)
            yield Found(f"{names} share UDP port {port}", tuple(map(of_link, found)))


def _share_well(links: Sequence[Link]) -> bool:
    """Whether each has one network number of its own: such devices share a socket (vxlan_core.c)."""
    told = [dict(link.info) for link in links]
    numbers = {each.get("id") for each in told}
    is_plain = all(each.get("external", "false") == "false" for each in told)
    return is_plain and None not in numbers and len(numbers) == len(links)


CHECKS = (
    Check(
        "interface-without-chains",
        "error",
        ("links", "rules"),
        "Felix's dispatch chain ends with a DROP for unknown interfaces. Felix has not made chains for this "
        "one: it writes into another backend, does not run, or was removed and left its rules.",
        "See that Felix runs and which backend it writes (FELIX_IPTABLESBACKEND); remove stale rules of a "
        "Calico that is gone.",
        "projectcalico/calico#8243, #5760, #5100",
        _without_chains,
    ),
    Check(
        "chain-without-dispatch",
        "error",
        ("links", "rules"),
        "The dispatch chain ends with a DROP for unknown interfaces: packets from or to this pod end there, "
        "although its chains are complete.",
        "See whether Felix runs and what its log says of this interface; a restart of Felix writes the "
        "dispatch chains anew.",
        "projectcalico/calico#8243, #5760, #4520",
        _without_dispatch,
    ),
    Check(
        "chains-without-interface",
        "info",
        ("links", "rules"),
        "The pod is gone or about to come; chains that stay are left over.",
        "Nothing, if they vanish. Else see whether Felix runs.",
        "projectcalico/calico#5100",
        _without_interface,
    ),
    Check(
        "vxlan-same-port",
        "warning",
        ("links",),
        "Two tunnels of different owners listen on one UDP port: one may get the other's packets or fail to "
        "come up. Only devices with one network number each share a port well, and Cilium's takes all.",
        "Give Cilium another tunnel port (tunnelPort: 8473).",
        "Cilium documentation, k8s-install-migration; cilium/cilium#31273",
        _same_port,
    ),
)

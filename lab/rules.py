"""All rules and sets of a node, from its plan."""

from __future__ import annotations

from lab import felix, kube_nft, native, programs
from lab.plan import Plan
from lab.tables import Tables


def tables(plan: Plan) -> Tables:
    """The node's rules, Calico's first as Felix sees to."""
    made = Tables(forward_policy="DROP")
    if plan.untracked_in:
        made.add("raw", "PREROUTING", f"-i {plan.untracked_in} -p icmp -j CT --notrack")
    felix.insert(made, plan)
    programs.cilium(made, plan)
    programs.kube_proxy(made, plan)
    programs.docker(made)
    felix.append(made)
    return made


def beside_native(plan: Plan) -> Tables:
    """The rules of a node whose Calico and kube-proxy are in nftables mode: Cilium's alone use iptables."""
    made = Tables()
    if plan.untracked_in:
        made.add("raw", "PREROUTING", f"-i {plan.untracked_in} -p icmp -j CT --notrack")
    programs.cilium(made, plan)
    return made


def native_text(plan: Plan) -> str:
    """Input of `nft -f` with the tables of Calico and kube-proxy."""
    return native.table_text(plan) + kube_nft.table_text(plan)


def other_backend(plan: Plan) -> str:
    """Input of the other backend's restore: a leftover rule that drops, or nothing."""
    if not plan.other_backend:
        return ""
    leftover = Tables()
    leftover.add("filter", "FORWARD", '-p icmp -m comment --comment "left by an old firewall" -j DROP')
    return leftover.restore_text(["filter"])


def rewritten(plan: Plan) -> list[str]:
    """Inputs of restore without flushing, one a chain, as when Felix writes an endpoint's chains anew."""
    chains = tables(plan).chains("filter")
    names = [name for name in chains if name.startswith(("cali-fw-", "cali-tw-", "cali-pri-", "cali-pro-"))]
    return [
        "\n".join(
            ["*filter", f":{name} - [0:0]", *(f"-A {name} {rule}" for rule in chains[name]), "COMMIT", ""]
        )
        for name in names
    ]


def sets_text(plan: Plan) -> str:
    """Input of `ipset -exist restore` that brings the node's sets to what is wanted.

    Beside kube-proxy in nftables mode there are none: Calico has sets of nftables then.
    """
    lines = []
    calico = {} if plan.kube == "nft" else felix.sets(plan)
    for name, (kind, members) in {**calico, **programs.kube_sets(plan)}.items():
        size = 65536 if name.startswith("KUBE") else 1048576
        lines += [f"create {name} {kind} family inet hashsize 1024 maxelem {size}", f"flush {name}"]
        lines += [f"add {name} {member}" for member in members]
    return "\n".join(lines) + "\n"

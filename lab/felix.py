"""Calico's rules, sets and endpoint chains as Felix v3.23 to v3.27 renders them, hashes included.

Each list holds rules in Felix's written form (`--jump`, protocols by number); the marks are
Felix's defaults, without WireGuard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from calitop.cni.felix_hash import APPENDS, chain_name, endpoint_marks
from lab import topology
from lab.plan import Plan
from lab.tables import Tables
from lab.topology import Pod

ACCEPT_BIT = "0x10000/0x10000"
ENDPOINT_MASK = 0xFFF00000
SELECTOR_SET = "cali40s:Hy5ZqW2bXcVn3rT0aPdLkM8"
"""The set of a selector; the lab's one policy lets in whom it holds."""
POLICY = "default.allow-calico-pods"
PROFILES = ("kns.default", "ksa.default.default")

IF_ACCEPTED = f"-m mark --mark {ACCEPT_BIT}"
CLEAR_ALL = "--jump MARK --set-mark 0/0xf0000"
CLEAR_ENDPOINT = "--jump MARK --set-mark 0/0xfff00000"
UNKNOWN_INTERFACE = '-m comment --comment "Unknown interface" --jump DROP'
HEP_ACCEPTED = f'-m comment --comment "Host endpoint policy accepted packet." {IF_ACCEPTED}'
TO_IPIP_HOSTS = (
    '-m comment --comment "Allow IPIP packets to other Calico hosts" -p 4 '
    "-m set --match-set cali40all-hosts-net dst -m addrtype --src-type LOCAL --jump ACCEPT"
)
FROM_IPIP_HOSTS = (
    '-m comment --comment "Allow IPIP packets from Calico hosts" -p 4 '
    "-m set --match-set cali40all-hosts-net src -m addrtype --dst-type LOCAL --jump ACCEPT"
)
NODE_PORT = (
    '-m comment --comment "To kubernetes NodePort service" -p {} '
    "-m multiport --destination-ports 30000:32767 "
    "-m set --match-set cali40this-host dst --goto cali-set-endpoint-mark"
)

KERNEL_JUMPS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "POSTROUTING"),
    "nat": ("PREROUTING", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
EMPTY_CHAINS = {
    "raw": ("cali-from-host-endpoint", "cali-rpf-skip", "cali-to-host-endpoint"),
    "mangle": ("cali-from-host-endpoint", "cali-to-host-endpoint"),
    "nat": ("cali-fip-dnat", "cali-fip-snat"),
    "filter": (
        "cali-cidr-block",
        "cali-from-hep-forward",
        "cali-from-host-endpoint",
        "cali-to-hep-forward",
        "cali-to-host-endpoint",
    ),
}
STATIC: dict[str, dict[str, Sequence[str]]] = {
    "raw": {
        "cali-PREROUTING": (
            CLEAR_ALL,
            "--in-interface cali+ --jump MARK --set-mark 0x40000/0x40000",
            "-m mark --mark 0x40000/0x40000 --jump cali-rpf-skip",
            "-m mark --mark 0x40000/0x40000 -m rpfilter --invert --validmark --jump DROP",
            "-m mark --mark 0/0x40000 --jump cali-from-host-endpoint",
            f"{IF_ACCEPTED} --jump ACCEPT",
        ),
        "cali-OUTPUT": (CLEAR_ALL, "--jump cali-to-host-endpoint", f"{IF_ACCEPTED} --jump ACCEPT"),
    },
    "mangle": {
        "cali-PREROUTING": (
            "-m conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT",
            f"{IF_ACCEPTED} --jump ACCEPT",
            "--jump cali-from-host-endpoint",
            f"{HEP_ACCEPTED} --jump ACCEPT",
        ),
    },
    "nat": {
        "cali-PREROUTING": ("--jump cali-fip-dnat",),
        "cali-OUTPUT": ("--jump cali-fip-dnat",),
        "cali-POSTROUTING": (
            "--jump cali-fip-snat",
            "--jump cali-nat-outgoing",
            "--out-interface tunl0 -m addrtype ! --src-type LOCAL --limit-iface-out "
            "-m addrtype --src-type LOCAL --jump MASQUERADE --random-fully",
        ),
        "cali-nat-outgoing": (
            "-m set --match-set cali40masq-ipam-pools src "
            "-m set ! --match-set cali40all-ipam-pools dst --jump MASQUERADE --random-fully",
        ),
    },
    "filter": {
        "cali-FORWARD": (
            "--jump MARK --set-mark 0/0xe0000",
            "-m mark --mark 0/0x10000 --jump cali-from-hep-forward",
            "--in-interface cali+ --jump cali-from-wl-dispatch",
            "--out-interface cali+ --jump cali-to-wl-dispatch",
            "--jump cali-to-hep-forward",
            "--jump cali-cidr-block",
        ),
        "cali-wl-to-host": (
            "--jump cali-from-wl-dispatch",
            '-m comment --comment "Configured DefaultEndpointToHostAction" --jump ACCEPT',
        ),
    },
}
IPVS_ONLY: dict[str, Sequence[str]] = {
    "cali-forward-check": (
        "-m conntrack --ctstate RELATED,ESTABLISHED --jump RETURN",
        NODE_PORT.format("tcp"),
        NODE_PORT.format("udp"),
        '-m comment --comment "To kubernetes service" '
        "-m set ! --match-set cali40this-host dst --jump cali-set-endpoint-mark",
    ),
    "cali-forward-endpoint-mark": (
        "-m mark ! --mark 0x100000/0xfff00000 --jump cali-from-endpoint-mark",
        "--out-interface cali+ --jump cali-to-wl-dispatch",
        "--jump cali-to-hep-forward",
        CLEAR_ENDPOINT,
        f'-m comment --comment "Policy explicitly accepted packet." {IF_ACCEPTED} --jump ACCEPT',
    ),
}
APPENDED = (
    f'-m comment --comment "Policy explicitly accepted packet." {IF_ACCEPTED} --jump ACCEPT',
    f"--jump MARK --set-mark {ACCEPT_BIT}",
)


def insert(tables: Tables, plan: Plan) -> None:
    """Puts Calico's jumps into the kernel chains, and its own chains into the tables."""
    for table, chains in KERNEL_JUMPS.items():
        for chain in chains:
            tables.add_felix(table, chain, [f"--jump cali-{chain}"])
    for table, names in EMPTY_CHAINS.items():
        for name in names:
            tables.add(table, name)
    for written in (STATIC, _by_proxy(plan)):
        for table, chains_of_table in written.items():
            for name, rules in chains_of_table.items():
                tables.add_felix(table, name, rules)
    for name, made in {**dispatch(plan), **endpoints(plan), **policies(plan)}.items():
        tables.add_felix("filter", name, made)


def append(tables: Tables) -> None:
    """Puts the rules at the end of FORWARD, behind those of every other program."""
    tables.add_felix("filter", "FORWARD", APPENDED, run=f"FORWARD{APPENDS}")


def _by_proxy(plan: Plan) -> dict[str, dict[str, Sequence[str]]]:
    """Chains in which Felix has endpoint-mark rules while kube-proxy runs in IPVS mode."""
    ipvs = plan.kube == "ipvs"
    marked = "-m mark ! --mark 0/0xfff00000"
    received = (CLEAR_ENDPOINT, "--jump cali-forward-check", f"{marked} --jump RETURN") if ipvs else ()
    sent = (f"{marked} --goto cali-forward-endpoint-mark",) if ipvs else ()
    postrouted = (f"{marked} --jump RETURN",) if ipvs else ()
    filter_chains: dict[str, Sequence[str]] = {
        "cali-INPUT": (
            FROM_IPIP_HOSTS,
            '-m comment --comment "Drop IPIP packets from non-Calico hosts" -p 4 --jump DROP',
            *received,
            "--in-interface cali+ --goto cali-wl-to-host",
            f"{IF_ACCEPTED} --jump ACCEPT",
            CLEAR_ALL,
            "--jump cali-from-host-endpoint",
            f"{HEP_ACCEPTED} --jump ACCEPT",
        ),
        "cali-OUTPUT": (
            f"{IF_ACCEPTED} --jump ACCEPT",
            *sent,
            "--out-interface cali+ --jump RETURN",
            TO_IPIP_HOSTS,
            CLEAR_ALL,
            "-m conntrack ! --ctstate DNAT --jump cali-to-host-endpoint",
            f"{HEP_ACCEPTED} --jump ACCEPT",
        ),
        **(IPVS_ONLY if ipvs else {}),
    }
    mangle_chains: dict[str, Sequence[str]] = {
        "cali-POSTROUTING": (
            f"{IF_ACCEPTED} --jump RETURN",
            *postrouted,
            CLEAR_ALL,
            "-m conntrack --ctstate DNAT --jump cali-to-host-endpoint",
            f"{HEP_ACCEPTED} --jump RETURN",
        )
    }
    return {"filter": filter_chains, "mangle": mangle_chains}


def dispatch(plan: Plan) -> dict[str, list[str]]:
    """The trees that find an interface's chain, and the chain that finds it by mark."""
    names = [name for name in plan.node.interfaces if name != plan.undispatched]
    trees = {
        **_tree("cali-from-wl-dispatch", "--in-interface", "cali-fw-", names, [UNKNOWN_INTERFACE]),
        **_tree("cali-to-wl-dispatch", "--out-interface", "cali-tw-", names, [UNKNOWN_INTERFACE]),
    }
    if plan.kube != "ipvs":
        return trees
    ends = [
        '-m comment --comment "Unknown endpoint" --in-interface cali+ --jump DROP',
        '-m comment --comment "Non-Cali endpoint mark" --jump MARK --set-mark 0x100000/0xfff00000',
    ]
    marks = endpoint_marks(names, ENDPOINT_MASK)
    by_mark = [
        f"-m mark --mark {mark:#x}/{ENDPOINT_MASK:#x} --goto cali-fw-{name}" for name, mark in marks.items()
    ]
    return {
        **trees,
        **_tree("cali-set-endpoint-mark", "--in-interface", "cali-sm-", names, ends),
        "cali-from-endpoint-mark": [*by_mark, UNKNOWN_INTERFACE],
    }


def _tree(
    root: str, option: str, target: str, names: Sequence[str], ends: Sequence[str]
) -> dict[str, list[str]]:
    """A root chain, and a child for each next character that several interfaces share."""
    prefix = _common_prefix(names)
    chains: dict[str, list[str]] = {root: []}
    for letters, group in groupby(names, key=lambda name: name[: len(prefix) + 1]):
        members = list(group)
        leaves = [f"{option} {name} --goto {target}{name}" for name in members]
        if len(members) == 1:
            chains[root] += leaves
            continue
        child = f"{root}-{letters[len(prefix) :]}"
        chains[root].append(f"{option} {letters}+ --goto {child}")
        chains[child] = [*leaves, UNKNOWN_INTERFACE]
    chains[root] += ends
    return chains


def _common_prefix(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = (length for length, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1])
    return first[: next(same, len(first))]


def endpoints(plan: Plan) -> dict[str, list[str]]:
    """The chains of every workload interface."""
    chains: dict[str, list[str]] = {}
    for pod in sorted(plan.node.calico_pods, key=lambda pod: pod.interface):
        chains[f"cali-fw-{pod.interface}"] = from_workload()
        chains[f"cali-tw-{pod.interface}"] = to_workload(policed=pod == plan.policy_on)
    if plan.kube == "ipvs":
        for name, mark in endpoint_marks(plan.node.interfaces, ENDPOINT_MASK).items():
            chains[f"cali-sm-{name}"] = [f"--jump MARK --set-mark {mark:#x}/{ENDPOINT_MASK:#x}"]
    return chains


def from_workload() -> list[str]:
    """Rules for what a pod sends."""
    return [
        *_ENDPOINT_HEAD,
        '-m comment --comment "Drop VXLAN encapped packets originating in workloads" '
        "-p 17 -m multiport --destination-ports 4789 --jump DROP",
        '-m comment --comment "Drop IPinIP encapped packets originating in workloads" -p 4 --jump DROP',
        *_profiles("cali-pro-"),
    ]


def to_workload(policed: bool) -> list[str]:
    """Rules for what a pod is sent."""
    return [*_ENDPOINT_HEAD, *(_policy_calls() if policed else []), *_profiles("cali-pri-")]


_ENDPOINT_HEAD = (
    "-m conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT",
    "-m conntrack --ctstate INVALID --jump DROP",
    "--jump MARK --set-mark 0/0x10000",
)


def _profiles(prefix: str) -> Iterable[str]:
    for profile in PROFILES:
        yield f"--jump {chain_name(prefix, profile)}"
        yield f'-m comment --comment "Return if profile accepted" {IF_ACCEPTED} --jump RETURN'
    yield '-m comment --comment "Drop if no profiles matched" --jump DROP'


def _policy_calls() -> list[str]:
    return [
        '-m comment --comment "Start of policies" --jump MARK --set-mark 0/0x20000',
        f"-m mark --mark 0/0x20000 --jump {chain_name('cali-pi-', POLICY)}",
        f'-m comment --comment "Return if policy accepted" {IF_ACCEPTED} --jump RETURN',
        '-m comment --comment "Drop if no policies passed packet" -m mark --mark 0/0x20000 --jump DROP',
    ]


def policies(plan: Plan) -> dict[str, list[str]]:
    """Profile chains, and the policy's where a pod is selected."""
    accept = [f"--jump MARK --set-mark {ACCEPT_BIT}", f"{IF_ACCEPTED} --jump RETURN"]
    chains = {chain_name(prefix, PROFILES[1]): list[str]() for prefix in ("cali-pri-", "cali-pro-")}
    chains[chain_name("cali-pri-", PROFILES[0])] = accept if plan.profile_accepts else []
    chains[chain_name("cali-pro-", PROFILES[0])] = accept
    if plan.policy_on:
        comment = f'-m comment --comment "Policy {POLICY} ingress"'
        allow = f"{comment} -m set --match-set {SELECTOR_SET} src {accept[0]}"
        chains[chain_name("cali-pi-", POLICY)] = [allow, accept[1]]
    return chains


def sets(plan: Plan) -> dict[str, tuple[str, list[str]]]:
    """Calico's ipsets: type and members by name."""
    node = plan.node
    tunnel = [node.tunnel_address] if plan.tunnel_address else []
    local = ["127.0.0.1", node.address, "172.17.0.1", node.cilium_host, *tunnel]
    calico: list[Pod] = [pod for one in topology.NODES for pod in one.calico_pods]
    return {
        "cali40all-hosts-net": ("hash:net", list(plan.hosts)),
        "cali40all-ipam-pools": ("hash:net", [topology.POOL]),
        "cali40masq-ipam-pools": ("hash:net", [topology.POOL]),
        "cali40this-host": ("hash:ip", local),
        SELECTOR_SET: ("hash:net", [pod.ip for pod in calico]),
    }

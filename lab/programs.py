"""Rules of the other programs on a node: Cilium, kube-proxy in both its styles, Docker."""

from __future__ import annotations

from lab import topology
from lab.plan import Plan
from lab.tables import Tables

FEEDERS = {
    "raw": {"PREROUTING": "CILIUM_PRE_raw", "OUTPUT": "CILIUM_OUTPUT_raw"},
    "mangle": {"PREROUTING": "CILIUM_PRE_mangle", "POSTROUTING": "CILIUM_POST_mangle"},
    "nat": {"PREROUTING": "CILIUM_PRE_nat", "OUTPUT": "CILIUM_OUTPUT_nat", "POSTROUTING": "CILIUM_POST_nat"},
    "filter": {"INPUT": "CILIUM_INPUT", "FORWARD": "CILIUM_FORWARD", "OUTPUT": "CILIUM_OUTPUT"},
}
NOT_CILIUMS = " ".join(
    f"-m mark ! --mark {mark}"
    for mark in ("0xe00/0xf00", "0xd00/0xf00", "0x400/0xf00", "0xa00/0xe00", "0x800/0xe00", "0xf00/0xf00")
)
CILIUM = {
    "CILIUM_PRE_raw": (("-m mark --mark 0x200/0xf00", "cilium: NOTRACK for proxy traffic", "CT --notrack"),),
    "CILIUM_OUTPUT_raw": tuple(
        (f"-o {device} -m mark --mark {mark}", f"cilium: NOTRACK for {what}", "CT --notrack")
        for mark, what in (
            ("0xa00/0xfffffeff", "proxy return traffic"),
            ("0x800/0xe00", "L7 proxy upstream traffic"),
        )
        for device in ("lxc+", "cilium_host")
    ),
    "CILIUM_PRE_mangle": (
        (
            "-m socket --transparent -m mark ! --mark 0xe00/0xf00 -m mark ! --mark 0x800/0xf00",
            "cilium: any->pod redirect proxied traffic to host proxy",
            "MARK --set-xmark 0x200/0xffffffff",
        ),
    ),
    "CILIUM_INPUT": (("-m mark --mark 0x200/0xf00", "cilium: ACCEPT for proxy traffic", "ACCEPT"),),
    "CILIUM_OUTPUT": (
        ("-m mark --mark 0xa00/0xe00", "cilium: ACCEPT for proxy traffic", "ACCEPT"),
        ("-m mark --mark 0x800/0xe00", "cilium: ACCEPT for l7 proxy upstream traffic", "ACCEPT"),
        (NOT_CILIUMS, "cilium: host->any mark as from host", "MARK --set-xmark 0xc00/0xf00"),
    ),
}
CILIUM_FORWARD = (
    ("-o cilium_host", "cilium: any->cluster on cilium_host forward accept", "ACCEPT"),
    ("-i cilium_host", "cilium: cluster->any on cilium_host forward accept (nodeport)", "ACCEPT"),
    ("-i lxc+", "cilium: cluster->any on lxc+ forward accept", "ACCEPT"),
    ("-i cilium_net", "cilium: cluster->any on cilium_net forward accept (nodeport)", "ACCEPT"),
)


def cilium(tables: Tables, plan: Plan) -> None:
    """Cilium's chains, each fed from a kernel chain."""
    for table, feeders in FEEDERS.items():
        for chain, target in feeders.items():
            tables.add(table, chain, f'-m comment --comment "cilium-feeder: {target}" -j {target}')
            tables.add(table, target, *_commented(_cilium_rules(plan, target)))


def _cilium_rules(plan: Plan, chain: str) -> tuple[tuple[str, str, str], ...]:
    if chain == "CILIUM_FORWARD":
        return CILIUM_FORWARD if plan.cilium_forward else ()
    if chain == "CILIUM_POST_nat" and plan.masquerade:
        pods = plan.node.pod_range
        return ((f"-s {pods} ! -d {pods} ! -o cilium_+", "cilium masquerade non-cluster", "MASQUERADE"),)
    return CILIUM.get(chain, ())


def _commented(rules: tuple[tuple[str, str, str], ...]) -> list[str]:
    return [f'{match} -m comment --comment "{comment}" -j {target}' for match, comment, target in rules]


def kube_proxy(tables: Tables, plan: Plan) -> None:
    """kube-proxy's and the kubelet's chains; in nftables mode both have none here (`kube_nft`)."""
    if plan.kube == "nft":
        return
    _kube_firewall(tables)
    (_kube_ipvs if plan.kube == "ipvs" else _kube_iptables)(tables)


def _kube_firewall(tables: Tables) -> None:
    for chain in ("INPUT", "OUTPUT"):
        tables.add("filter", chain, "-j KUBE-FIREWALL")
    tables.add(
        "filter",
        "KUBE-FIREWALL",
        '-m comment --comment "kubernetes firewall for dropping marked packets" '
        "-m mark --mark 0x8000/0x8000 -j DROP",
        '! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" '
        "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
    )
    tables.add("nat", "KUBE-MARK-DROP", "-j MARK --set-xmark 0x8000/0x8000")
    tables.add("nat", "KUBE-MARK-MASQ", "-j MARK --set-xmark 0x4000/0x4000")


FORWARDED = (
    '-m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
    '-m comment --comment "kubernetes forwarding conntrack rule" '
    "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
)
MASQUERADED = (
    "-m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-j MARK --set-xmark 0x4000/0x0",
    '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
)
PORTALS = '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES'


def _kube_nat_jumps(tables: Tables) -> None:
    tables.add("nat", "PREROUTING", PORTALS)
    tables.add("nat", "OUTPUT", PORTALS)
    tables.add(
        "nat", "POSTROUTING", '-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING'
    )


def _kube_ipvs(tables: Tables) -> None:
    health = '-m comment --comment "kubernetes health check rules" -j KUBE-NODE-PORT'
    tables.add("filter", "INPUT", health)
    tables.add("filter", "FORWARD", '-m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD')
    tables.add("filter", "KUBE-FORWARD", *FORWARDED)
    tables.add("filter", "KUBE-NODE-PORT")
    _kube_nat_jumps(tables)
    tables.add("nat", "KUBE-NODE-PORT")
    loop = "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"
    looped = f'-m comment --comment "{loop}" -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE'
    tables.add("nat", "KUBE-POSTROUTING", looped, *MASQUERADED)
    tables.add(
        "nat",
        "KUBE-SERVICES",
        '-m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" '
        "-m set --match-set KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ",
        "-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT",
        "-m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT",
    )


SERVICE_CHAIN = "KUBE-SVC-NPX46M4PTMTKRN6Y"
ENDPOINT_CHAIN = "KUBE-SEP-J4C6HZPLYU4KQ2TS"


def _kube_iptables(tables: Tables) -> None:
    new = "-m conntrack --ctstate NEW"
    services = f'{new} -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    tables.add(
        "filter", "FORWARD", '-m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD', services
    )
    tables.add("filter", "OUTPUT", services)
    tables.add("filter", "KUBE-FORWARD", "-m conntrack --ctstate INVALID -j DROP", *FORWARDED)
    tables.add("filter", "KUBE-SERVICES")
    _kube_nat_jumps(tables)
    tables.add("nat", "KUBE-POSTROUTING", *MASQUERADED)
    about = '-m comment --comment "default/kubernetes:https'
    master = topology.MASTER_ADDRESS
    tables.add(
        "nat",
        "KUBE-SERVICES",
        f'-d 10.96.0.1/32 -p tcp {about} cluster IP" -m tcp --dport 443 -j {SERVICE_CHAIN}',
        '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" '
        "-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
    )
    tables.add("nat", "KUBE-NODEPORTS")
    tables.add("nat", SERVICE_CHAIN, f'{about} -> {master}:6443" -j {ENDPOINT_CHAIN}')
    tables.add(
        "nat",
        ENDPOINT_CHAIN,
        f'-s {master}/32 {about}" -j KUBE-MARK-MASQ',
        f'-p tcp {about}" -m tcp -j DNAT --to-destination {master}:6443',
    )


def kube_sets(plan: Plan) -> dict[str, tuple[str, list[str]]]:
    """kube-proxy's ipsets, which only IPVS mode has: type and members by name."""
    if plan.kube != "ipvs":
        return {}
    master = topology.MASTER_ADDRESS
    return {
        "KUBE-CLUSTER-IP": ("hash:ip,port", ["10.96.0.1,tcp:443", "10.96.0.10,udp:53"]),
        "KUBE-LOOP-BACK": ("hash:ip,port,ip", [f"{master},tcp:6443,{master}"]),
    }


def docker(tables: Tables) -> None:
    """Docker's chains; it has also set FORWARD's policy to DROP."""
    for rule in (
        "-j DOCKER-USER",
        "-j DOCKER-ISOLATION-STAGE-1",
        "-o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-o docker0 -j DOCKER",
        "-i docker0 ! -o docker0 -j ACCEPT",
        "-i docker0 -o docker0 -j ACCEPT",
    ):
        tables.add("filter", "FORWARD", rule)
    stage = "DOCKER-ISOLATION-STAGE-"
    tables.add("filter", "DOCKER")
    tables.add("filter", f"{stage}1", f"-i docker0 ! -o docker0 -j {stage}2", "-j RETURN")
    tables.add("filter", f"{stage}2", "-o docker0 -j DROP", "-j RETURN")
    tables.add("filter", "DOCKER-USER", "-j RETURN")
    tables.add("nat", "PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER")
    tables.add("nat", "OUTPUT", "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER")
    tables.add("nat", "POSTROUTING", "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE")
    tables.add("nat", "DOCKER", "-i docker0 -j RETURN")

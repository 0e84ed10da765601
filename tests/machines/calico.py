"""Scripts of nodes that have Calico alone, with its rules as Felix signs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab import felix, kube_nft, native, programs
from lab.plan import Plan
from lab.rules import sets_text
from lab.tables import Tables
from lab.topology import WORK1, WORK2

_PLAN = Plan(replace(WORK1, pods=WORK1.calico_pods), kube="iptables")
_VXLAN_INPUT = (
    '-m comment --comment "Allow IPv4 VXLAN packets from allowed hosts" -p 17 --dport 4789 '
    "-m set --match-set cali40all-vxlan-net src -m addrtype --dst-type LOCAL --jump ACCEPT",
    '-m comment --comment "Drop IPv4 VXLAN packets from non-allowed hosts" -p 17 --dport 4789 '
    "-m addrtype --dst-type LOCAL --jump DROP",
    "--in-interface cali+ --goto cali-wl-to-host",
    f"{felix.IF_ACCEPTED} --jump ACCEPT",
    felix.CLEAR_ALL,
    "--jump cali-from-host-endpoint",
    f"{felix.HEP_ACCEPTED} --jump ACCEPT",
)
_VXLAN_OUTPUT = (
    f"{felix.IF_ACCEPTED} --jump ACCEPT",
    "--out-interface cali+ --jump RETURN",
    '-m comment --comment "Allow IPv4 VXLAN packets to other allowed hosts" -p 17 --dport 4789 '
    "-m addrtype --src-type LOCAL -m set --match-set cali40all-vxlan-net dst --jump ACCEPT",
    felix.CLEAR_ALL,
    "-m conntrack ! --ctstate DNAT --jump cali-to-host-endpoint",
    f"{felix.HEP_ACCEPTED} --jump ACCEPT",
)
_UNTRACKED = "-p 17 --dport 4789 --jump NOTRACK"


def _base(proto: str) -> str:
    """The wire, the pods, and the node's own block; `proto` made the block's blackhole."""
    lines = [f"uplink ens160 {WORK1.address}/24 {WORK2.address}"]
    for pod in WORK1.calico_pods:
        lines += [f"wire {pod.interface}", f"ip link set {pod.interface} mtu 1450"]
        lines += [f"ip route add {pod.ip} dev {pod.interface} scope link"]
    return "\n".join([*lines, f"ip route add blackhole {WORK1.block} proto {proto}"])


def _ipip() -> str:
    return "\n".join(
        [
            f"# probe {WORK1.calico_pods[0].ip}",
            _base("bird"),
            f"tunnel tunl0 {WORK1.tunnel_address}/32 1480",
            f"ip route add {WORK2.block} via {WORK2.address} dev tunl0 proto bird onlink",
        ]
    )


def _vxlan() -> str:
    return "\n".join(
        [
            f"# probe {WORK1.calico_pods[0].ip}",
            _base("80"),
            f"ip link add vxlan.calico type vxlan id 4096 local {WORK1.address} dev ens160 "
            "dstport 4789 nolearning",
            "ip link set vxlan.calico mtu 1450 up",
            f"ip addr add {WORK1.tunnel_address}/32 dev vxlan.calico",
            f"ip route add {WORK2.block} via {WORK2.tunnel_address} dev vxlan.calico proto 80 onlink",
        ]
    )


def _felix() -> Tables:
    made = Tables()
    felix.insert(made, _PLAN)
    programs.kube_proxy(made, _PLAN)
    felix.append(made)
    return made


def _vxlan_rules() -> Tables:
    """Felix's rules with VXLAN in IPIP's place."""
    made = _felix()
    output = felix.STATIC["raw"]["cali-OUTPUT"]
    prerouting = felix.STATIC["raw"]["cali-PREROUTING"]
    postrouting = [rule.replace("tunl0", "vxlan.calico") for rule in felix.STATIC["nat"]["cali-POSTROUTING"]]
    for table, chain, rules in (
        ("filter", "cali-INPUT", _VXLAN_INPUT),
        ("filter", "cali-OUTPUT", _VXLAN_OUTPUT),
        ("raw", "cali-PREROUTING", (prerouting[0], _UNTRACKED, *prerouting[1:])),
        ("raw", "cali-OUTPUT", (*output[:2], _UNTRACKED, *output[2:])),
        ("nat", "cali-POSTROUTING", postrouting),
    ):
        made.chains(table)[chain].clear()
        made.add_felix(table, chain, rules)
    return made


def _fed(program: str, text: str) -> str:
    return f"{program} <<'R'\n{text}R"


def _calico() -> str:
    sets = _fed("ipset -exist restore", sets_text(_PLAN))
    return "\n".join([_ipip(), sets, _fed("iptables-nft-restore", _felix().restore_text())])


def _calico_vxlan() -> str:
    hosts = f"create cali40all-vxlan-net hash:net\nadd cali40all-vxlan-net {WORK2.address}\n"
    sets = _fed("ipset -exist restore", sets_text(_PLAN) + hosts)
    return "\n".join([_vxlan(), sets, _fed("iptables-legacy-restore", _vxlan_rules().restore_text())])


def _calico_native() -> str:
    plan = replace(_PLAN, kube="nft")
    text = native.table_text(plan) + kube_nft.table_text(plan)
    return "\n".join([_ipip(), _fed("nft -f -", text)])


SCRIPTS: dict[str, Callable[[], str]] = {
    "calico": _calico,
    "calico-vxlan": _calico_vxlan,
    "calico-native": _calico_native,
}

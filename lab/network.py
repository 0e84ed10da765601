"""Links, addresses and routes of the lab, as words for ip and tc. Nothing is run here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lab import topology
from lab.plan import Plan
from lab.topology import Node, Pod

NO_IPV6 = """for scope in all default; do echo 1 > /proc/sys/net/ipv6/conf/$scope/disable_ipv6; done
ip link set lo up
"""
"""Router solicitations and the like would move rules while nobody pings."""
HEALTHY_DEVICES = (
    "all",
    "default",
    "lo",
    "ens160",
    "docker0",
    "tunl0",
    "cilium_host",
    "cilium_net",
    "cilium_vxlan",
)


def underlay_links(nets: Callable[[str], str]) -> list[str]:
    """The network between the nodes: a bridge that also answers for the gateway and the master."""
    lines = ["link add br0 type bridge mcast_snooping 0", "link set br0 up"]
    lines += [f"address add {address}/24 dev br0" for address in (topology.GATEWAY, topology.MASTER_ADDRESS)]
    for node in topology.NODES:
        far = f"address {node.mac} netns {nets(node.name)}"
        lines += [
            f"link add {node.name} type veth peer name ens160 {far}",
            f"link set {node.name} master br0 up",
        ]
    return lines


def node_links(node: Node, nets: Callable[[str], str]) -> list[str]:
    """A node's links and addresses; those to pods reach into the pods' namespaces."""
    remote = topology.peer(node).address
    lines = [
        "link set ens160 up",
        f"address add {node.address}/24 dev ens160",
        # Without snooping: the group it would join is announced by packets that move rules.
        "link add docker0 type bridge mcast_snooping 0",
        "link set docker0 up",
        "address add 172.17.0.1/16 dev docker0",
        "tuntap add dev tunl0 mode tun",
        f"link add cilium_host address {topology.CILIUM_MAC} type veth peer name cilium_net",
        "link set cilium_host arp off up",
        "link set cilium_net arp off up",
        f"address add {node.cilium_host}/32 dev cilium_host scope link",
        # Its own MAC address: a VXLAN device drops frames that seem to come from itself.
        f"link add cilium_vxlan mtu 1500 type vxlan id 2 remote {remote} local {node.address} "
        "dstport 8472 nolearning",
        "link set cilium_vxlan up",
    ]
    for pod in node.pods:
        lines += _pod_link(pod, nets(pod.name))
    return lines


def _pod_link(pod: Pod, namespace: str) -> list[str]:
    if pod.cni == "calico":
        near, far, mtu = topology.CALICO_MAC, "", 1480
    else:
        near, far, mtu = topology.CILIUM_MAC, f"address {topology.CILIUM_MAC}", 1500
    peer = f"peer name eth0 mtu {mtu} {far} netns {namespace}"
    return [
        f"link add {pod.interface} mtu {mtu} address {near} type veth {peer}",
        f"link set {pod.interface} up",
    ]


def pod_script(pod: Pod, node: Node) -> str:
    """Shell script for a pod's namespace: its address, and the route by its gateway."""
    lines = ["link set eth0 up", f"address add {pod.ip}/32 dev eth0"]
    gateway = topology.CALICO_GATEWAY if pod.cni == "calico" else node.cilium_host
    lines += [f"route add {gateway} dev eth0 scope link", f"route add default via {gateway} dev eth0"]
    if pod.cni == "cilium":
        # Strict reverse-path filtering makes a node ignore the pod's ARP requests; BPF answers them itself.
        lines.append(f"neigh add {gateway} lladdr {topology.CILIUM_MAC} dev eth0 nud permanent")
    return "ip -batch - <<'END'\n" + "\n".join(lines) + "\nEND\n"


def traffic_control(node: Node) -> list[str]:
    """tc commands that stand where Cilium has BPF programs: which device takes a packet past the kernel.

    Redirects lead to the egress of a veth's host end: a frame redirected to an ingress keeps
    its packet type, and would be dropped as another host's.
    """
    other = topology.peer(node)
    lines = []
    hooks = [("cilium_host", "egress"), ("cilium_vxlan", "ingress")]
    hooks += [(pod.interface, "ingress") for pod in node.cilium_pods]
    for device, direction in hooks:
        lines.append(f"qdisc add dev {device} clsact")
        for pod in node.cilium_pods:
            if pod.interface != device:
                lines.append(_redirect(device, direction, 10, f"{pod.ip}/32", pod.interface))
        if device == "cilium_vxlan":
            lines.append(_redirect(device, direction, 20, f"{node.cilium_host}/32", "cilium_net"))
        else:
            lines.append(_redirect(device, direction, 20, other.pod_range, "cilium_vxlan"))
    return lines


def _redirect(device: str, direction: str, preference: int, destination: str, target: str) -> str:
    return (
        f"filter add dev {device} {direction} protocol ip pref {preference} u32 "
        f"match ip dst {destination} action mirred egress redirect dev {target}"
    )


def sysctls(plan: Plan) -> list[tuple[str, str]]:
    """Kernel settings of a node, all of them, in the order in which they are written."""
    node = plan.node
    healthy = [("net.ipv4.ip_forward", "1"), ("net.netfilter.nf_conntrack_acct", "1")]
    healthy += [(f"net.ipv4.conf.{name}.rp_filter", "0") for name in HEALTHY_DEVICES]
    healthy += [(f"net.ipv4.conf.{pod.interface}.rp_filter", "0") for pod in node.cilium_pods]
    for pod in node.calico_pods:
        scope = f"net.ipv4.conf.{pod.interface}"
        healthy += [
            (f"{scope}.{name}", "1") for name in ("rp_filter", "proxy_arp", "forwarding", "route_localnet")
        ]
        healthy.append((f"net.ipv4.neigh.{pod.interface}.proxy_delay", "0"))
    return [*healthy, *plan.sysctls]


def addresses(plan: Plan) -> list[str]:
    """ip commands that bring tunl0 to what is wanted; removing an address takes its routes with it."""
    lines = ["address flush dev tunl0", f"link set tunl0 mtu {plan.tunnel_mtu} up"]
    if plan.tunnel_address:
        lines.append(f"address add {plan.node.tunnel_address}/32 dev tunl0")
    return lines


def routes(plan: Plan) -> list[str]:
    """ip commands that make the main routing table anew."""
    wanted = {destination(words): words for words in healthy_routes(plan.node)}
    wanted.update({destination(words): words for words in plan.routes})
    kept = [words for target, words in wanted.items() if target not in plan.missing_routes]
    return ["route flush table main", *(f"route add {words}" for words in kept)]


def destination(words: str) -> str:
    """Where a route leads, from its words for `ip route`."""
    first, *rest = words.split()
    return rest[0] if first in ("blackhole", "unreachable", "prohibit") else first


def healthy_routes(node: Node) -> Iterator[str]:
    """The routes of a node between Calico and Cilium, in the words of `ip route`."""
    other = topology.peer(node)
    yield f"{topology.UNDERLAY} dev ens160 proto kernel scope link src {node.address}"
    yield f"default via {topology.GATEWAY} dev ens160 proto static"
    yield "172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1"
    yield f"{node.cilium_host} dev cilium_host proto kernel scope link"
    for pods in topology.CILIUM_RANGES:
        mtu = "" if pods == node.pod_range else " mtu 1450"
        yield f"{pods} via {node.cilium_host} dev cilium_host proto kernel src {node.cilium_host}{mtu}"
    yield f"blackhole {node.block} proto bird"
    for pod in node.calico_pods:
        yield f"{pod.ip} dev {pod.interface} scope link"
    # BIRD announces the addresses of cilium_host too, since they lie inside Calico's pool.
    master = (
        (topology.MASTER_BLOCK, topology.MASTER_ADDRESS),
        (topology.MASTER_CILIUM_HOST, topology.MASTER_ADDRESS),
    )
    for target, gateway in (*master, (other.block, other.address), (other.cilium_host, other.address)):
        yield f"{target} via {gateway} dev tunl0 proto bird onlink"

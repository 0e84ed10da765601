"""What a set holds, by the name that Calico, kube-proxy or Cilium gives it.

Source: felix ipsets/ipset_defs.go and rules/rule_defs.go; kube-proxy's ipvs/ipset.go; Cilium's
datapath/iptables.
"""

from __future__ import annotations

import re

_CALICO = re.compile(r"cali[46][0t](.+)")
"""Felix's names: the family, and `t` while it fills the set anew (nft has `-` for `:`)."""
_CALICO_SETS = {
    "all-hosts-net": "the nodes that Calico knows",
    "all-vxlan-net": "the nodes that Calico's VXLAN takes packets from",
    "all-ipam-pools": "all pools of Calico",
    "network-ip-pools": "all pools of Calico",
    "masq-ipam-pools": "the pools of Calico with outgoing NAT",
    "this-host": "this node's own addresses",
}
_CALICO_KINDS = {
    "s": "the pods and networks that a selector of policies chooses",
    "n": "the pods and ports that a named port of policies means",
    "svc": "the addresses and ports of a service that policies name",
    "svcnoport": "the addresses of a service that policies name",
}
_KUBE = re.compile(r"KUBE-(?:6-)?(.+)")
_KUBE_SETS = {
    "CLUSTER-IP": "the cluster addresses and ports of services",
    "LOOP-BACK": "the pods of services, each with itself as the sender",
    "EXTERNAL-IP": "the external addresses and ports of services",
    "EXTERNAL-IP-LOCAL": "the external addresses and ports of services that keep to local pods",
    "LOAD-BALANCER": "the load balancer addresses and ports of services",
    "LOAD-BALANCER-LOCAL": "the load balancer addresses and ports of services that keep to local pods",
    "LOAD-BALANCER-FW": "the load balancer addresses and ports that only some sources may use",
    "LOAD-BALANCER-SOURCE-CIDR": "the ranges that may use a load balancer's address",
    "LOAD-BALANCER-SOURCE-IP": "the addresses that may use a load balancer's address",
    "HEALTH-CHECK-NODE-PORT": "the ports on which services tell their health",
    "IPVS-IPS": "all addresses of services in IPVS",
}
_NODE_PORT = re.compile(r"NODE-PORT-(LOCAL-)?(TCP|UDP|SCTP)(?:-HASH)?")
_CILIUM = re.compile(r"cilium_node_set_v[46]")


def set_purpose(name: str) -> str:
    """What a set of that name holds; "" for a name that no program known here gives."""
    if told := _CALICO.fullmatch(name):
        kind, colon, _ = re.sub(r"^(s|n|svc|svcnoport)-", r"\1:", told[1]).partition(":")
        return _CALICO_KINDS.get(kind, "") if colon else _CALICO_SETS.get(told[1], "")
    if told := _KUBE.fullmatch(name):
        port = _NODE_PORT.fullmatch(told[1])
        if port is not None:
            local = " that keep to local pods" if port[1] else ""
            return f"the {port[2]} node ports of services{local}"
        return _KUBE_SETS.get(told[1], "")
    return "the addresses of Cilium's nodes" if _CILIUM.fullmatch(name) else ""

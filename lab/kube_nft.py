"""kube-proxy's nftables mode: its own table, in which services are found by verdict maps.

Source: Kubernetes, pkg/proxy/nftables/proxier.go. None of its rules has a counter.
"""

from __future__ import annotations

from lab import topology
from lab.plan import Plan

_SERVICE = "service-2QRHZV4L-default/kubernetes/tcp/https"
_ENDPOINT = "endpoint-N6CH5SDP-default/kubernetes/tcp/https__{}/6443"
_TABLE = """\
table ip kube-proxy
delete table ip kube-proxy
table ip kube-proxy {{
 comment "rules for kube-proxy"
 set cluster-ips {{ type ipv4_addr; comment "Active ClusterIPs"; elements = {{ 10.96.0.1, 10.96.0.10 }}; }}
 set nodeport-ips {{ type ipv4_addr; comment "IPs that accept NodePort traffic"; elements = {{ {node} }}; }}
 map no-endpoint-services {{
  type ipv4_addr . inet_proto . inet_service : verdict
  comment "vmap to drop or reject packets to services with no endpoints"
  elements = {{ 10.96.0.10 . udp . 53 comment "kube-system/kube-dns:dns" : goto reject-chain }}
 }}
 map no-endpoint-nodeports {{
  type inet_proto . inet_service : verdict
  comment "vmap to drop or reject packets to service nodeports with no endpoints"
 }}
 map firewall-ips {{
  type ipv4_addr . inet_proto . inet_service : verdict
  comment "destinations that are subject to LoadBalancerSourceRanges"
 }}
 map service-ips {{
  type ipv4_addr . inet_proto . inet_service : verdict
  comment "ClusterIP, ExternalIP and LoadBalancer IP traffic"
  elements = {{ 10.96.0.1 . tcp . 443 : goto {service} }}
 }}
 map service-nodeports {{ type inet_proto . inet_service : verdict; comment "NodePort traffic"; }}
 chain reject-chain {{ comment "helper for @no-endpoint-services"; reject; }}
 chain mark-for-masquerade {{ meta mark set meta mark or 0x4000; }}
 chain {endpoint} {{
  ip saddr {master} jump mark-for-masquerade
  meta l4proto tcp dnat to {master}:6443
 }}
 chain {service} {{
  ip daddr 10.96.0.1 tcp dport 443 ip saddr != {pool} jump mark-for-masquerade
  numgen random mod 1 vmap {{ 0 : goto {endpoint} }}
 }}
 chain services {{
  ip daddr . meta l4proto . th dport vmap @service-ips
  ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
 }}
 chain masquerading {{
  meta mark & 0x4000 != 0 meta mark set meta mark xor 0x4000 masquerade fully-random
 }}
 chain firewall-check {{ ip daddr . meta l4proto . th dport vmap @firewall-ips; }}
 chain service-endpoints-check {{ ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }}
 chain nodeport-endpoints-check {{
  ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
 }}
 chain cluster-ips-check {{
  ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"
 }}
 chain filter-prerouting {{
  type filter hook prerouting priority -110; policy accept;
  ct state new jump firewall-check
 }}
 chain filter-input {{
  type filter hook input priority -110; policy accept;
  ct state new jump nodeport-endpoints-check
  ct state new jump service-endpoints-check
 }}
 chain filter-forward {{
  type filter hook forward priority -110; policy accept;
  ct state new jump service-endpoints-check
  ct state new jump cluster-ips-check
 }}
 chain filter-output {{
  type filter hook output priority -110; policy accept;
  ct state new jump service-endpoints-check
  ct state new jump firewall-check
 }}
 chain filter-output-post-dnat {{
  type filter hook output priority -90; policy accept;
  ct state new jump cluster-ips-check
 }}
 chain nat-prerouting {{ type nat hook prerouting priority -100; policy accept; jump services; }}
 chain nat-output {{ type nat hook output priority -100; policy accept; jump services; }}
 chain nat-postrouting {{ type nat hook postrouting priority 100; policy accept; jump masquerading; }}
}}
"""


def table_text(plan: Plan) -> str:
    """Input of `nft -f` that puts kube-proxy's table in place of the former one."""
    master = topology.MASTER_ADDRESS
    return _TABLE.format(
        node=plan.node.address,
        master=master,
        pool=topology.POOL,
        service=_SERVICE,
        endpoint=_ENDPOINT.format(master),
    )

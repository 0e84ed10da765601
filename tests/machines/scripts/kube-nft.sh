# kube-proxy in nftables mode beside a simple bridge CNI.
# probe 192.0.2.10
# probe 10.244.0.5
uplink eth0 192.0.2.10/24
bridge cni0 10.244.0.1/24
wire veth9b1c2d3e cni0
ip route add 10.244.1.0/24 via 192.0.2.1 dev eth0
nft -f - <<'R'
table ip kube-proxy {
    comment "rules for kube-proxy"
    set cluster-ips { type ipv4_addr; elements = { 10.96.0.1, 10.96.0.10 }; }
    map service-ips {
        type ipv4_addr . inet_proto . inet_service : verdict
        elements = { 10.96.0.1 . tcp . 443 : goto service-2QRHZV4L-default/kubernetes/tcp/https }
    }
    chain filter-prerouting { type filter hook prerouting priority -110; policy accept; ct state new jump firewall-check; }
    chain filter-forward { type filter hook forward priority -110; policy accept; ct state new jump service-endpoints-check; ct state new jump cluster-ips-check; }
    chain firewall-check { }
    chain service-endpoints-check { }
    chain cluster-ips-check { ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"; }
    chain nat-prerouting { type nat hook prerouting priority -100; policy accept; jump services; }
    chain nat-output { type nat hook output priority -100; policy accept; jump services; }
    chain nat-postrouting { type nat hook postrouting priority 100; policy accept; jump masquerading; }
    chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }
    chain service-2QRHZV4L-default/kubernetes/tcp/https {
        ip daddr 10.96.0.1 tcp dport 443 ip saddr != 10.244.0.0/16 jump mark-for-masquerade
        meta l4proto tcp dnat to 192.0.2.10:6443
    }
    chain mark-for-masquerade { meta mark set meta mark | 0x00004000; }
    chain masquerading {
        meta mark & 0x00004000 == 0 return
        meta mark set meta mark ^ 0x00004000
        masquerade fully-random
    }
}
R

# firewalld with its own nft tables, its reverse path test of IPv6 included; LXC's bridge beside it.
# probe 192.0.2.10
# probe 10.0.3.7
uplink enp0s3 192.0.2.10/24
bridge lxcbr0 10.0.3.1/24
wire vethlxc01 lxcbr0
nft -f - <<'R'
table inet firewalld {
    chain mangle_PREROUTING {
        type filter hook prerouting priority mangle + 10; policy accept;
        jump mangle_PREROUTING_ZONES
    }
    chain mangle_PREROUTING_ZONES { }
    chain nat_PREROUTING {
        type nat hook prerouting priority dstnat + 10; policy accept;
        jump nat_PREROUTING_ZONES
    }
    chain nat_PREROUTING_ZONES { iifname "enp0s3" goto nat_PRE_public; goto nat_PRE_public; }
    chain nat_PRE_public { }
    chain nat_POSTROUTING {
        type nat hook postrouting priority srcnat + 10; policy accept;
        jump nat_POSTROUTING_ZONES
    }
    chain nat_POSTROUTING_ZONES { oifname "enp0s3" goto nat_POST_public; goto nat_POST_public; }
    chain nat_POST_public { meta nfproto ipv4 oifname != "lo" masquerade; }
    chain filter_PREROUTING {
        type filter hook prerouting priority filter + 10; policy accept;
        icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
        meta nfproto ipv6 fib saddr . mark . iif oif missing drop
    }
    chain filter_INPUT {
        type filter hook input priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        jump filter_INPUT_ZONES
        reject with icmpx type admin-prohibited
    }
    chain filter_INPUT_ZONES { iifname "enp0s3" goto filter_IN_public; goto filter_IN_public; }
    chain filter_IN_public {
        tcp dport 22 accept
        meta l4proto { icmp, ipv6-icmp } accept
    }
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24 } reject with icmpv6 type addr-unreachable
        jump filter_FORWARD_ZONES
        reject with icmpx type admin-prohibited
    }
    chain filter_FORWARD_ZONES { iifname "lxcbr0" accept; }
}
R

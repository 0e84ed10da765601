# An OpenVPN server: a tun device, a range of clients behind it, masquerade in table ip nat of nft itself.
# probe 192.0.2.10
# probe 10.8.0.6
uplink eth0 192.0.2.10/24
tunnel tun0 10.8.0.1/24 1500
ip route add 10.20.0.0/16 via 10.8.0.2 dev tun0
nft -f - <<'R'
table ip nat {
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 10.8.0.0/24 oifname "eth0" masquerade
    }
}
table ip filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related counter accept
        iifname "tun0" counter accept
    }
}
R

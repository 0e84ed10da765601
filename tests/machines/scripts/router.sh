# A router: FORWARD drops by default, two uplinks with tables of their own, masquerade, marks for uplinks.
# probe 192.0.2.10
# probe 10.10.0.20
uplink wan0 192.0.2.10/24
wire wan1
ip addr add 198.51.100.10/24 dev wan1
wire lan0
ip addr add 10.10.0.1/24 dev lan0
ip route add default via 198.51.100.1 dev wan1 metric 200
ip route add default via 192.0.2.1 dev wan0 table 101
ip route add default via 198.51.100.1 dev wan1 table 102
ip route add default table 110 nexthop via 192.0.2.1 dev wan0 weight 2 nexthop via 198.51.100.1 dev wan1
ip route add 10.0.0.0/8 via 10.10.0.254 dev lan0
ip rule add from 192.0.2.10 lookup 101 pref 1001
ip rule add from 198.51.100.10 lookup 102 pref 1002
ip rule add fwmark 0x10000/0x30000 lookup 101 pref 1011
ip rule add fwmark 0x20000/0x30000 lookup 102 pref 1012
ip rule add from 10.10.0.0/24 lookup 110 pref 1100
sysctl -qw net.ipv4.conf.wan0.rp_filter=1 net.ipv4.conf.lan0.rp_filter=1
iptables-legacy-restore <<'R'
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -m conntrack --ctstate RELATED,ESTABLISHED -j CONNMARK --restore-mark --nfmask 0x30000 --ctmask 0x30000
-A PREROUTING -i wan0 -m mark --mark 0x0/0x30000 -j MARK --set-xmark 0x10000/0x30000
-A PREROUTING -i wan1 -m mark --mark 0x0/0x30000 -j MARK --set-xmark 0x20000/0x30000
-A PREROUTING -j CONNMARK --save-mark --nfmask 0x30000 --ctmask 0x30000
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -i lan0 -m rpfilter --invert -j DROP
-A PREROUTING -p udp -m udp --dport 1194 -j CT --notrack
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i wan0 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.10.0.20:443
-A POSTROUTING -o wan0 -j SNAT --to-source 192.0.2.10
-A POSTROUTING -o wan1 -j MASQUERADE
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -i lan0 -j ACCEPT
-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT
COMMIT
R

# systemd-networkd: blackholes for ranges that shall never leave, an unreachable and a prohibited one.
# probe 192.0.2.10
# probe 10.200.0.1
uplink enp2s0 192.0.2.10/24
for range in 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16; do ip route add blackhole "$range" proto static metric 1024; done
ip route add unreachable 198.18.0.0/15 proto static
ip route add prohibit 203.0.113.0/24 proto static
ip -6 route add unreachable fd00::/8 proto static
ip route add 10.50.0.0/16 via 192.0.2.1 dev enp2s0 proto static

# A Proxmox host: guests' taps and their firewall bridges, the firewall's chains with sets.
# probe 192.0.2.10
ip link add vmbr0 type bridge
wire eno1 vmbr0
ip -n "$OUT" addr add 192.0.2.1/24 dev "far$number"
ip addr add 192.0.2.10/24 dev vmbr0
ip link set vmbr0 up
ip route add default via 192.0.2.1 dev vmbr0 proto kernel onlink
bridge vmbr1 10.99.0.1/24
for guest in 100 101 102 103 104 105 106 107; do
    ip tuntap add "tap${guest}i0" mode tap
    ip link add "fwbr${guest}i0" type bridge
    ip link add "fwpr${guest}p0" type veth peer name "fwln${guest}i0"
    ip link set "tap${guest}i0" master "fwbr${guest}i0" up
    ip link set "fwln${guest}i0" master "fwbr${guest}i0" up
    ip link set "fwpr${guest}p0" master vmbr0 up
    ip link set "fwbr${guest}i0" up
done
sysctl -qw net.bridge.bridge-nf-call-iptables=1
ipset create PVEFW-0-management-v4 hash:net
ipset add PVEFW-0-management-v4 192.0.2.0/24
iptables-legacy-restore <<'R'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -i fwbr+ -j CT --zone 1
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:PVEFW-Drop - [0:0]
:PVEFW-DropBroadcast - [0:0]
:PVEFW-FORWARD - [0:0]
:PVEFW-FWBR-IN - [0:0]
:PVEFW-FWBR-OUT - [0:0]
:PVEFW-HOST-IN - [0:0]
:PVEFW-INPUT - [0:0]
:PVEFW-reject - [0:0]
:PVEFW-SET-ACCEPT-MARK - [0:0]
:tap100i0-IN - [0:0]
:tap100i0-OUT - [0:0]
-A INPUT -j PVEFW-INPUT
-A FORWARD -j PVEFW-FORWARD
-A PVEFW-Drop -j PVEFW-DropBroadcast
-A PVEFW-DropBroadcast -m addrtype --dst-type BROADCAST -j DROP
-A PVEFW-FORWARD -m conntrack --ctstate INVALID -j DROP
-A PVEFW-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A PVEFW-FORWARD -m physdev --physdev-in fwln+ --physdev-is-bridged -j PVEFW-FWBR-IN
-A PVEFW-FORWARD -m physdev --physdev-out fwln+ --physdev-is-bridged -j PVEFW-FWBR-OUT
-A PVEFW-FWBR-IN -m physdev --physdev-out tap100i0 --physdev-is-bridged -j tap100i0-IN
-A PVEFW-FWBR-OUT -m physdev --physdev-in tap100i0 --physdev-is-bridged -j tap100i0-OUT
-A PVEFW-HOST-IN -i lo -j ACCEPT
-A PVEFW-HOST-IN -m conntrack --ctstate INVALID -j DROP
-A PVEFW-HOST-IN -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A PVEFW-HOST-IN -m set --match-set PVEFW-0-management-v4 src -p tcp -m tcp --dport 8006 -j RETURN
-A PVEFW-HOST-IN -p icmp -j RETURN
-A PVEFW-HOST-IN -j PVEFW-Drop
-A PVEFW-INPUT -j PVEFW-HOST-IN
-A PVEFW-SET-ACCEPT-MARK -j MARK --set-xmark 0x80000000/0x80000000
-A tap100i0-IN -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A tap100i0-IN -j PVEFW-Drop
-A tap100i0-IN -j DROP
-A tap100i0-OUT -m mac ! --mac-source bc:24:11:aa:bb:cc -j DROP
-A tap100i0-OUT -j MARK --set-xmark 0x0/0x80000000
-A tap100i0-OUT -g PVEFW-SET-ACCEPT-MARK
COMMIT
R

# What every machine's script begins with. It runs inside the machine's namespace; $OUT is the namespace
# of everybody else: the far ends of all wires, with a router 192.0.2.1 in front of the machine.
set -e
number=0

# wire NAME [BRIDGE]: a device whose other end is outside.
wire() {
    number=$((number + 1))
    ip link add "$1" type veth peer name "far$number" netns "$OUT"
    [ -z "${2-}" ] || ip link set "$1" master "$2"
    ip link set "$1" up
    ip -n "$OUT" link set "far$number" up
}

# bridge NAME ADDRESS…
bridge() {
    name=$1
    shift
    ip link add "$name" type bridge
    for address; do ip addr add "$address" dev "$name"; done
    ip link set "$name" up
}

# tunnel NAME ADDRESS MTU: this kernel may lack the real kind, so a TUN device stands for it.
tunnel() {
    ip tuntap add "$1" mode tun
    ip link set "$1" mtu "$3" up
    ip addr add "$2" dev "$1"
}

# uplink NAME ADDRESS [ROUTER]: the wire to the router.
uplink() {
    wire "$1"
    ip addr add "$2" dev "$1"
    router=${3-192.0.2.1}
    ip -n "$OUT" addr add "$router/24" dev "far$number"
    ip route add default via "$router" dev "$1" proto dhcp src "${2%/*}" metric 100
}

sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=2

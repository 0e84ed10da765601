"""A small node whose Calico and kube-proxy are in nftables mode, as `nft list ruleset` prints it."""

from __future__ import annotations

from calitop.cni.index import NodeIndex
from calitop.formats import nft_text
from calitop.model.network import Link, Route
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey, MapKey, TableKey

POD_A = "cali1055b94bacf"
POD_B = "cali7cd4eff55c7"
CALICO = TableKey("ipv4", "native", "calico")
KUBE_PROXY = TableKey("ipv4", "native", "kube-proxy")
FROM = MapKey(CALICO, "filter-cali-from-wl-dispatch")
TO = MapKey(CALICO, "filter-cali-to-wl-dispatch")
HOSTS = MapKey(CALICO, "cali40all-hosts-net")
SERVICES = MapKey(KUBE_PROXY, "service-ips")

RULESET = """\
table ip calico {
	set cali40all-hosts-net {
		type ipv4_addr
		flags interval
		elements = { 172.16.189.101 counter packets 7 bytes 588 comment "work1",
				172.16.189.102 counter packets 0 bytes 0 }
	}

	map filter-cali-from-wl-dispatch {
		type ifname : verdict
		elements = { "cali7cd4eff55c7" : goto filter-cali-fw-cali7cd4eff55c7,
				"cali1055b94bacf" : goto filter-cali-fw-cali1055b94bacf }
	}

	map filter-cali-to-wl-dispatch {
		type ifname : verdict
		elements = { "cali1055b94bacf" : drop,
				"cali7cd4eff55c7" : goto filter-cali-tw-cali7cd4eff55c7 }
	}

	chain filter-cali-fw-cali1055b94bacf {
		counter packets 0 bytes 0 drop comment "cali:aaaaaaaaaaaaaaaa; Drop if no profiles matched"
	}

	chain filter-cali-fw-cali7cd4eff55c7 {
		ct state established,related counter packets 3 bytes 252 accept comment "cali:bbbbbbbbbbbbbbbb;"
	}

	chain filter-cali-tw-cali7cd4eff55c7 {
		counter packets {drops} bytes 420 drop comment "cali:cccccccccccccccc; Drop if no profiles matched"
	}

	chain filter-cali-from-wl-dispatch {
		iifname vmap @filter-cali-from-wl-dispatch comment "cali:dddddddddddddddd;"
		counter packets 0 bytes 0 drop comment "cali:eeeeeeeeeeeeeeee; Unknown interface"
	}

	chain filter-cali-to-wl-dispatch {
		oifname vmap @filter-cali-to-wl-dispatch comment "cali:ffffffffffffffff;"
		counter packets {unknown} bytes 0 drop comment "cali:gggggggggggggggg; Unknown interface"
	}

	chain filter-cali-FORWARD {
		iifname "cali*" counter packets 3 bytes 252 jump filter-cali-from-wl-dispatch
		oifname "cali*" counter packets {sent} bytes 420 jump filter-cali-to-wl-dispatch
		ip saddr @cali40all-hosts-net counter packets 0 bytes 0 accept comment "cali:jjjjjjjjjjjjjjjj;"
	}

	chain filter-FORWARD {
		type filter hook forward priority filter; policy accept;
		counter packets {sent} bytes 420 jump filter-cali-FORWARD comment "cali:kkkkkkkkkkkkkkkk;"
	}

	chain nat-POSTROUTING {
		type nat hook postrouting priority srcnat + 10; policy accept;
		counter packets 1 bytes 84 jump nat-cali-POSTROUTING comment "cali:llllllllllllllll;"
	}

	chain nat-cali-POSTROUTING {
		counter packets 1 bytes 84 masquerade fully-random comment "cali:mmmmmmmmmmmmmmmm;"
	}
}
table ip kube-proxy {
	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.1 . tcp . 443 comment "default/kubernetes" : goto service-A,
				10.96.0.9 . udp . 53 : drop }
	}

	chain mark-for-masquerade {
		meta mark set meta mark | 0x00004000
	}

	chain service-A {
		ip saddr != 10.222.0.0/16 jump mark-for-masquerade
		numgen random mod 2 vmap { 0 : goto endpoint-A, 1 : drop }
	}

	chain endpoint-A {
		meta l4proto tcp dnat to 172.16.189.100:6443
	}

	chain services {
		ip daddr . meta l4proto . th dport vmap @service-ips
	}

	chain filter-forward {
		type filter hook forward priority filter - 110; policy accept;
		ct state new jump services
	}
}
"""


def key(chain: str, table: TableKey = CALICO) -> ChainKey:
    """Key of one of the node's chains."""
    return table.chain(chain)


def ruleset(drops: int = 0, unknown: int = 0) -> str:
    """The listing after so many packets to the pods: dropped by policy, and for want of an interface."""
    counted = {"{drops}": drops, "{unknown}": unknown, "{sent}": drops + unknown}
    text = RULESET
    for name, number in counted.items():
        text = text.replace(name, str(number))
    return text


def state(drops: int = 0, unknown: int = 0) -> NodeState:
    """The node with its interfaces and the routes to its pods."""
    read = nft_text.parse(ruleset(drops, unknown))
    assert read.problems == () and read.rulesets is not None
    links = tuple(Link(name) for name in ("lo", "ens160", POD_A, POD_B))
    routes = (
        Route("ipv4", "10.222.160.3/32", dev=POD_B, scope="link"),
        Route("ipv4", "10.222.160.4/32", dev=POD_A, scope="link"),
    )
    return NodeState(name="work2", rulesets=read.rulesets, links=links, routes=routes)


def index() -> NodeIndex:
    """Lookups over that node."""
    return NodeIndex(state())

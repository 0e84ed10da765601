"""The text and the JSON of one loaded ruleset tell the same, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from calitop.formats import nft_json, nft_text
from calitop.formats.fragment import Fragment
from calitop.formats.nft_spec import nft_spec
from calitop.formats.nft_tables import is_xtables_table
from calitop.model.rules import Chain, Ruleset, VerdictMap
from tests.kernel.netns import Namespace

pytestmark = pytest.mark.kernel

CALICO = """
table ip calico {
  set cali40s-abc { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.1.1-192.168.1.9 }; }
  set cali40all-hosts-net { type ipv4_addr; elements = { 172.16.0.1, 172.16.0.2, 172.16.0.3, 172.16.0.4 }; }
  map filter-cali-from-wl-dispatch {
    type ifname : verdict
    elements = { "cali1234" : goto filter-cali-fw-cali1234, "cali5678" : goto filter-cali-fw-cali5678 }
  }
  map filter-cali-to-wl-dispatch {
    type ifname : verdict
    elements = { "cali1234" comment "x, } y : z" : goto filter-cali-pi-a, "cali5678" : drop }
  }
  chain filter-cali-pi-a {
    ip saddr @cali40s-abc tcp dport { 80, 443, 8000-8080 } counter meta mark set mark or 0x10000
    ip saddr != { 10.0.0.1, 10.1.0.0/16 } udp dport != 53 counter drop
    icmp type echo-request counter accept
    ip protocol { tcp, udp } reject with icmp type admin-prohibited
    tcp flags & (fin|syn|rst|ack) == syn reject with tcp reset
  }
  chain filter-cali-fw-cali1234 {
    ct state established,related counter accept comment "cali:aaa; Accept established"
    ct state invalid counter drop comment "cali:bbb; # handle 3, counter packets 1 bytes 2"
    counter meta mark set meta mark & 0xfff0ffff
    counter jump filter-cali-pi-a
    meta mark & 0x10000 == 0x10000 counter return
    counter drop comment "cali:ccc; Drop if no profiles matched"
  }
  chain filter-cali-fw-cali5678 { }
  chain filter-cali-from-wl-dispatch {
    iifname vmap @filter-cali-from-wl-dispatch
    counter drop comment "cali:ddd; Unknown interface"
  }
  chain filter-cali-to-wl-dispatch {
    oifname vmap @filter-cali-to-wl-dispatch
  }
  chain filter-FORWARD {
    type filter hook forward priority filter; policy drop;
    iifname "cali*" counter goto filter-cali-from-wl-dispatch
    oifname "cali*" counter jump filter-cali-to-wl-dispatch
    ct state vmap { established : accept, related : accept, invalid : drop }
    iifname != "cali*" oifname { "eth0", "eth1" } counter accept
  }
  chain filter-OUTPUT {
    type filter hook output priority filter; policy accept;
    counter
    oifname "lo" counter accept
  }
  chain raw-PREROUTING {
    type filter hook prerouting priority raw; policy accept;
    counter meta mark set mark and 0xfff0ffff
    fib saddr . mark . iif oif missing counter drop
    notrack
  }
  chain mangle-PREROUTING {
    type filter hook prerouting priority mangle - 1; policy accept;
    meta l4proto tcp tproxy to 127.0.0.1:5000 meta mark set 1 accept
    meta mark set ct mark
    ct mark set mark and 0xff
  }
  chain nat-PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport 80 dnat to 10.0.0.1:8080
    ip daddr 1.2.3.4 dnat to 10.0.0.1-10.0.0.5 random,persistent
    tcp dport 81 redirect to :8080
    dnat to numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }
  }
  chain nat-POSTROUTING {
    type nat hook postrouting priority srcnat + 10; policy accept;
    ip saddr 10.0.0.0/8 ip daddr != 10.0.0.0/8 counter masquerade fully-random
    meta l4proto tcp snat to 1.2.3.4:100-200
  }
}
"""

KUBE_PROXY = """
table ip kube-proxy {
  comment "rules for kube-proxy"
  set cluster-ips { type ipv4_addr; comment "Active ClusterIPs"; }
  map no-endpoint-services {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 10.96.0.9 . tcp . 80 comment "ns/svc" : goto reject-chain }
  }
  map service-ips {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 10.96.0.1 . tcp . 443 : goto service-ULMVA6XW, 10.96.0.10 . udp . 53 : goto service-DNS }
  }
  chain reject-chain { reject; }
  chain mark-for-masquerade { meta mark set mark or 0x4000; }
  chain service-ULMVA6XW {
    ip daddr 10.96.0.1 tcp dport 443 ip saddr != 10.244.0.0/16 jump mark-for-masquerade
    numgen random mod 1 vmap { 0 : goto endpoint-X }
  }
  chain service-DNS { numgen random mod 2 vmap { 0 : goto endpoint-X, 1 : goto endpoint-X }; }
  chain endpoint-X { meta l4proto tcp dnat to 192.168.0.2:6443; }
  chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }
  chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
  chain filter-input {
    type filter hook input priority -110;
    ct state new ip daddr . meta l4proto . th dport vmap @no-endpoint-services
  }
  chain nat-postrouting { type nat hook postrouting priority srcnat; jump masquerading; }
  chain masquerading {
    meta mark & 0x4000 == 0 return
    meta mark set mark xor 0x4000
    masquerade fully-random
  }
}
"""

OTHERS = """
table inet fw {
  counter https { packets 3 bytes 4; }
  limit lim { rate 400/minute; }
  set seen { type ipv4_addr; flags dynamic,timeout; size 65535; timeout 1m; }
  set conc {
    type ipv4_addr . inet_service
    flags interval
    counter
    elements = { 1.2.3.4 . 22 comment "hi" }
  }
  set ifs { type ifname; elements = { "eth0", "lo" }; }
  set marks { type mark; elements = { 1, 2 }; }
  map pv { type inet_service : verdict; flags interval; elements = { 22 : jump in_ssh, 80-90 : goto web }; }
  map objects { type ipv4_addr : counter; elements = { 1.2.3.4 : "https" }; }
  chain in_ssh { accept comment "with ' no"; }
  chain web { return; }
  chain input {
    type filter hook input priority filter + 5; policy drop;
    tcp dport vmap @pv
    tcp dport 443 counter name "https" accept
    add @seen { ip saddr timeout 10s } accept
    update @seen { ip saddr } drop
    meter m4 size 1000 { ip saddr limit rate 10/second } accept
    ip6 saddr fe80::/10 icmpv6 type { nd-neighbor-solicit, nd-router-advert } accept
    meta nfproto ipv4 tcp dport 22 reject with icmpx type admin-prohibited
    limit name "lim" accept
    limit rate 5/minute burst 7 packets log prefix "denied: " group 3
    log prefix "x" level info flags all
    ip daddr . tcp dport @conc accept
    iifname @ifs mark @marks accept
    tcp sport < 1024 tcp dport >= 1024 drop
    ip ttl 3 ip dscp af11 drop
    reject
  }
  chain nat {
    type nat hook postrouting priority srcnat;
    ip saddr 1.2.3.4 snat ip to 1.2.3.5
    meta l4proto tcp ip6 saddr ::1 snat ip6 to [fe80::1]:80
  }
}
table arp a {
  chain input { type filter hook input priority 0; arp operation request arp saddr ip 1.2.3.4 drop; }
}
table bridge b {
  chain pre { type filter hook prerouting priority dstnat; ip saddr 1.2.3.4 accept; }
  chain forward { type filter hook forward priority filter; ether saddr 00:11:22:33:44:55 drop; }
  chain out { type filter hook output priority out; }
}
table netdev n {
  chain ingress { type filter hook ingress device "lo" priority -500; ip saddr 1.2.3.4 drop; }
}
table ip6 six { chain c { type filter hook forward priority 0; ip6 daddr != { fe80::/10, ::1 } accept; }; }
"""

IPTABLES = """\
*filter
:INPUT ACCEPT [0:0]
:cali-INPUT - [0:0]
:cali-INPUT2 - [0:0]
-A INPUT -m comment --comment "cali:x" -j cali-INPUT
-A cali-INPUT -p tcp -m tcp --dport 22 -g cali-INPUT2
-A cali-INPUT -m mark --mark 0x10000/0x10000 -j ACCEPT
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE --random-fully
COMMIT
"""


@pytest.fixture
def loaded(netns: Namespace) -> Iterator[Namespace]:
    """A namespace with Calico's, kube-proxy's and other tables, and packets that were counted."""
    for rules in (CALICO, KUBE_PROXY, OTHERS):
        netns.run("nft", "-f", "-", text=rules)
    netns.run("ping", "-c", "2", "-i", "0.01", "-W", "1", "127.0.0.1", check=False)
    yield netns


def listed(netns: Namespace, *options: str) -> Fragment:
    """The ruleset in one of nft's forms, without problems."""
    output = netns.run("nft", *options, "list", "ruleset")
    is_json = "-j" in options
    assert nft_json.looks_like(output) is is_json
    assert nft_text.looks_like(output) is not is_json
    read = nft_json.parse(output) if is_json else nft_text.parse(output)
    assert read.problems == ()
    return read


def chains(read: Fragment) -> dict[tuple[str | None, str | None, str], Chain]:
    return {
        (ruleset.family, table.name, chain.name): chain
        for ruleset in read.rulesets or ()
        for table in ruleset.tables
        for chain in table.chains.values()
    }


def facts(chain: Chain, *, handles: bool = False, device: bool = True) -> list[object]:
    """Everything of a chain that two listings must agree on."""
    head = (chain.builtin, chain.hook, chain.priority, chain.type, chain.policy, chain.complete)
    rules = [
        (
            one.number,
            one.text,
            one.counter,
            one.target,
            one.verb,
            one.targets,
            one.handle if handles else None,
        )
        for one in chain.rules
    ]
    return [head, chain.device if device else None, rules]


def maps(read: Fragment) -> list[VerdictMap]:
    return [one for ruleset in read.rulesets or () for table in ruleset.tables for one in table.maps]


def map_facts(one: VerdictMap) -> tuple[object, ...]:
    """Elements of a hash come in another order each time nft runs in another form."""
    return (
        one.name,
        one.type,
        sorted(one.elements, key=str),
        sorted(one.targets),
        one.is_map,
        sorted(one.details),
    )


def test_text_and_json_tell_the_same(loaded: Namespace) -> None:
    text, json = listed(loaded), listed(loaded, "-j")
    assert list(chains(text)) == list(chains(json))
    for key, chain in chains(text).items():
        other = chains(json)[key]
        # nft 1.0.6 leaves the device out of its JSON.
        assert facts(chain, device=False) == facts(other, device=False), key
    assert [map_facts(one) for one in maps(text)] == [map_facts(one) for one in maps(json)]
    assert sum(len(chain.rules) for chain in chains(text).values()) > 60


def test_handles_are_the_only_difference_of_a_listing_with_handles(loaded: Namespace) -> None:
    plain, handles, json = listed(loaded), listed(loaded, "-a"), listed(loaded, "-j")
    for key, chain in chains(handles).items():
        assert facts(chain) == facts(chains(plain)[key])
        own = [rule.handle for rule in chain.rules]
        assert own == [rule.handle for rule in chains(json)[key].rules]
        assert None not in own


def test_a_stateless_listing_has_no_counters_and_the_same_words(loaded: Namespace) -> None:
    plain, stateless = chains(listed(loaded)), chains(listed(loaded, "-s"))
    for key, chain in plain.items():
        silent = [replace(rule, packets=None, bytes=None, line=None) for rule in chain.rules]
        others = [replace(rule, line=None) for rule in stateless[key].rules]
        assert [repr(rule) for rule in others] == [repr(rule) for rule in silent]


def test_a_numeric_listing_has_the_same_chains_counts_and_targets(loaded: Namespace) -> None:
    plain, numeric = chains(listed(loaded)), chains(listed(loaded, "-n"))
    for key, chain in plain.items():
        other = numeric[key]
        assert (chain.hook, chain.priority, chain.policy) == (other.hook, other.priority, other.policy)
        assert [rule.targets for rule in chain.rules] == [rule.targets for rule in other.rules]
        assert [rule.counter for rule in chain.rules] == [rule.counter for rule in other.rules]
        assert [nft_spec(rule.text).exact for rule in chain.rules] == [
            nft_spec(rule.text).exact for rule in other.rules
        ]


def test_a_terse_listing_cannot_tell_the_elements(loaded: Namespace) -> None:
    for options in (("-t",), ("-t", "-j")):
        read = listed(loaded, *options)
        assert {one.complete for one in maps(read)} == {None}
        dispatch = chains(read)["ipv4", "calico", "filter-cali-from-wl-dispatch"].rules[0]
        assert (dispatch.target, dispatch.targets) == (None, ())


def test_the_packets_of_a_ping_are_counted(loaded: Namespace) -> None:
    counted = chains(listed(loaded))["ipv4", "calico", "filter-OUTPUT"].rules[0].counter
    assert counted is not None and counted.packets >= 2


def test_dispatch_leads_to_the_chains_of_its_map(loaded: Namespace) -> None:
    found = chains(listed(loaded))
    (services,) = found["ipv4", "kube-proxy", "services"].rules
    assert set(services.targets) == {"service-ULMVA6XW", "service-DNS"}
    assert services.verb == "goto"
    to_workload = found["ipv4", "calico", "filter-cali-to-wl-dispatch"].rules[0]
    assert set(to_workload.targets) == {"filter-cali-pi-a", "DROP"}


def test_tables_of_iptables_nft_are_told_from_native_ones(loaded: Namespace) -> None:
    loaded.load(IPTABLES)
    loaded.load(IPTABLES.split("*nat")[0], family="ip6")
    forms: tuple[tuple[str, ...], ...] = ((), ("-j",))
    for options in forms:
        read = listed(loaded, *options)
        assert compat(read.rulesets or ()) == {("ipv4", "filter"), ("ipv4", "nat"), ("ipv6", "filter")}
        counts = {name: len(chain.rules) for (_, _, name), chain in chains(read).items() if "INPUT" in name}
        assert counts["cali-INPUT"] == 2


def compat(rulesets: tuple[Ruleset, ...]) -> set[tuple[str | None, str | None]]:
    return {
        (ruleset.family, table.name)
        for ruleset in rulesets
        for table in ruleset.tables
        if is_xtables_table(ruleset.family, table)
    }

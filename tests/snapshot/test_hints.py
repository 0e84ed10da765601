"""What commands and file names say about a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.snapshot.hints import hint_of_command, hint_of_file_name


@pytest.mark.parametrize(
    ("command", "topic"),
    [
        ("iptables-save -c", "iptables"),
        ("/usr/sbin/ip6tables-legacy-save", "iptables"),
        ("sudo iptables-nft-save -c -t nat", "iptables"),
        ("iptables -S", "iptables"),
        ("iptables -L -n -v", None),
        ("kubectl exec -n calico-system calico-node-x -c calico-node -- iptables-save -c", "iptables"),
        ("ssh root@node ip -j route show table all", "route"),
        ("ssh root@node 'ip -j route show table all'", "route"),
        ("ip netns exec blue ip a", "addr"),
        ("ip -n blue -d link", "link"),
        ("ip r", "route"),
        ("ip ru", "rule"),
        ("ip n", "neigh"),
        ("ip -4 -o addr", "addr"),
        ("route -n", "route-n"),
        ("netstat -rn", "route-n"),
        ("cat /proc/net/netstat", "netstat"),
        ("cat /proc/net/snmp6", "snmp6"),
        ("conntrack -L", "conntrack"),
        ("conntrack -S", "conntrack-stats"),
        ("kubectl get pods -A -o wide", "pods"),
        ("ls /var/log/pods", "log-folders"),
        ("grep -r CILIUM_BASE64_ /var/run/cilium/state", "cilium-state"),
        ("ls -l /proc/*/ns/net", "namespaces"),
        ("kubectl get svc", None),
        ("ls -l /etc/cni/net.d", "cni"),
        ("LANG=C uname -a", "uname"),
        ("ping 10.0.0.1", None),
        ("", None),
    ],
)
def test_a_command_names_its_topic(command: str, topic: str | None) -> None:
    assert hint_of_command(command).topic == topic


def test_options_settle_table_family_backend_and_device() -> None:
    assert hint_of_command("ip -6 route show table 100").table == "100"
    assert hint_of_command("ip -6 route show table all").table is None
    assert hint_of_command("ip -f inet6 route").family == "ipv6"
    assert hint_of_command("ip6tables-legacy-save").backend == "legacy"
    tc = hint_of_command("tc -s filter show dev eth0 ingress")
    assert (tc.topic, tc.dev, tc.direction) == ("tc", "eth0", "ingress")


@pytest.mark.parametrize("command", ["iptables-save | grep x", "route -n|head -3", "ip r | awk '{print $1}'"])
def test_a_filter_cuts(command: str) -> None:
    assert hint_of_command(command).cut


@pytest.mark.parametrize(
    "command", ["iptables-save", "ip r | tee routes", "iptables-save | sort", "echo '|' grep"]
)
def test_what_keeps_all_lines_does_not_cut(command: str) -> None:
    assert not hint_of_command(command).cut


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("iptables-save-c.txt", "iptables"),
        ("ip6tables-save--c.md", "iptables"),
        ("ipv4_tables", "iptables"),
        ("nft-ruleset.txt", "nft"),
        ("ip--4-route-show-table-100.md", "route"),
        ("ip_-6_route_show_table_all", "route"),
        ("route-n.txt", "route-n"),
        ("ip--d--s-l.md", "link"),
        ("ip-a.md", "addr"),
        ("ipset-save.txt", "ipset"),
        ("ipsets", "ipset"),
        ("conntrack-L.txt", "conntrack"),
        ("hostname", "hostname"),
        ("hostname.txt", "hostname"),
        ("tc-filter-show-dev-eth0.md", "tc"),
        ("k8s-pods-20250101.txt", "pods"),
        ("notes.txt", None),
    ],
)
def test_a_file_name_guesses_its_topic(name: str, topic: str | None) -> None:
    assert hint_of_file_name(name).topic == topic


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("ip-route-list-table-DSL.txt", "DSL"),
        ("ip--4-route-show-table-100.md", "100"),
        ("ip_route_show_table_ibgw1_0", "ibgw1_0"),
        ("ip_route_show_table_all", None),
        ("ip-route.txt", None),
    ],
)
def test_a_file_name_tells_the_table(name: str, table: str | None) -> None:
    assert hint_of_file_name(name).table == table


@given(st.text(max_size=80))
def test_any_words_give_a_hint(text: str) -> None:
    hint_of_command(text)
    hint_of_file_name(text)

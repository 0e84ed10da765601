"""The formats in the order in which they are asked, and what each is about.

The order matters where one text could pass for another: the stricter format is asked
first. This file knows no spelling of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from calitop.formats import (
    bpftool_net,
    bpftool_net_text,
    cilium_state,
    cni_listing,
    conntrack_list,
    conntrack_stats,
    ip_addr_json,
    ip_addr_text,
    ip_link_brief,
    ip_link_json,
    ip_link_text,
    ip_neigh_arp,
    ip_neigh_json,
    ip_neigh_text,
    ip_route_json,
    ip_route_text,
    ip_rule_json,
    ip_rule_text,
    ipset_list,
    ipset_save,
    iptables_save,
    log_folders,
    nft_json,
    nft_text,
    node_date,
    node_hostname,
    node_uname,
    nstat,
    pod_namespaces,
    pods_json,
    pods_wide,
    proc_dev,
    proc_netstat,
    proc_snmp,
    proc_snmp6,
    proc_softnet,
    route_n,
    sysctl,
    tc_filter,
    tc_filter_json,
)
from calitop.formats.fragment import Fragment


class Format(Protocol):
    """A module of this package that reads one format."""

    KIND: str

    def looks_like(self, text: str) -> bool:
        """Whether the text is of this format, by its content."""

    def parse(self, text: str) -> Fragment:
        """What the text tells; unknown lines become problems."""


TOPICS: Mapping[str, tuple[Format, ...]] = {
    "iptables": (iptables_save,),
    "nft": (nft_text, nft_json),
    "addr": (ip_addr_text, ip_addr_json),
    "link": (ip_link_text, ip_link_json, ip_link_brief),
    "rule": (ip_rule_text, ip_rule_json),
    "neigh": (ip_neigh_text, ip_neigh_json, ip_neigh_arp),
    "route": (ip_route_text, ip_route_json),
    "route-n": (route_n,),
    "ipset": (ipset_save, ipset_list),
    "conntrack": (conntrack_list,),
    "conntrack-stats": (conntrack_stats,),
    "tc": (tc_filter, tc_filter_json),
    "bpftool": (bpftool_net, bpftool_net_text),
    "netstat": (proc_netstat,),
    "snmp": (proc_snmp,),
    "snmp6": (proc_snmp6,),
    "net-dev": (proc_dev,),
    "softnet": (proc_softnet,),
    "nstat": (nstat,),
    "sysctl": (sysctl,),
    "pods": (pods_wide, pods_json),
    "log-folders": (log_folders,),
    "cilium-state": (cilium_state,),
    "namespaces": (pod_namespaces,),
    "uname": (node_uname,),
    "date": (node_date,),
    "cni": (cni_listing,),
    "hostname": (node_hostname,),
}
"""The formats by what they are about; an empty file of a topic counts as its first format."""

_FORMATS = tuple(fmt for found in TOPICS.values() for fmt in found)


def formats() -> tuple[Format, ...]:
    """Every format, in the order in which they are asked."""
    return _FORMATS


def formats_about(topic: str | None) -> tuple[Format, ...]:
    """The formats of one topic, in order; none for an unknown topic."""
    return TOPICS.get(topic, ()) if topic is not None else ()

"""What names inside iptables text tell: targets of the kernel, tables of Calico's chains.

Used only where the text itself does not say it (a grep took the table line away, a
chain is jumped to but not declared).
"""

from __future__ import annotations

import re

from calitop.formats.words import names
from calitop.model.rules import Family

TARGETS = names(
    """
    ACCEPT DROP QUEUE RETURN
    AUDIT BALANCE CHECKSUM CLASSIFY CLUSTERIP CONNMARK CONNSECMARK CT DNAT DNPT DSCP ECN
    HL HMARK IDLETIMER LED LOG MARK MASQUERADE MIRROR NETMAP NFLOG NFQUEUE NOTRACK RATEEST
    REDIRECT REJECT ROUTE SAME SECMARK SET SNAT SNPT SYNPROXY TARPIT TCPMSS TCPOPTSTRIP TEE
    TOS TPROXY TRACE TTL ULOG
    ACCOUNT CHAOS DELUDE DHCPMAC DNETMAP ECHO FLOWOFFLOAD FULLCONENAT IPMARK IPV4OPTSSTRIP
    LOGMARK NETFLOW NFLOG PROTO RAWDNAT RAWNAT RAWSNAT RTPENGINE STEAL SYSRQ XOR
    """
)
"""Targets of iptables-extensions(8), of older kernels and of xtables-addons."""

_EXTENSION_NAME = re.compile(r"[A-Z][A-Z0-9]*")

_FILTER = re.compile(
    r"cali-(?:FORWARD|INPUT|(?:from|to)-wl-dispatch(?:-.*)?|(?:fw|tw|sm|pi|po|pri|pro)-.+"
    r"|set-endpoint-mark(?:-.*)?|from-endpoint-mark(?:-.*)?|forward-check|forward-endpoint-mark"
    r"|wl-to-host|(?:from|to)-hep-forward|(?:fhfw|thfw)-.+|cidr-block)",
    re.DOTALL,
)
_NAT = re.compile(r"cali-(?:nat-outgoing|fip-dnat|fip-snat)")
_RAW = re.compile(r"cali-(?:rpf-skip|wireguard-incoming-mark|untracked-flows|untracked-policy)")
_MANGLE = re.compile(r"cali-egress-dscp")
_TUNNEL_ACCEPT = re.compile(
    r"Allow (?:IPIP|IPv[46] VXLAN|outgoing IPv[46] Wireguard|incoming IPv[46] Wireguard|VXLAN) ?packets"
    r"|Allow (?:outgoing|incoming) IPv[46] Wireguard packets|Drop IPIP packets from non-Calico hosts"
)


def table_of_chain(name: str) -> str | None:
    """The one table in which Calico makes a chain of that name; None for several or none.

    Source: felix/rules/rule_defs.go.
    """
    if not name.startswith("cali-"):
        return None
    if _FILTER.fullmatch(name):
        return "filter"
    if _NAT.fullmatch(name):
        return "nat"
    if _RAW.fullmatch(name):
        return "raw"
    return "mangle" if _MANGLE.fullmatch(name) else None


def table_of_rule(chain: str, target: str | None, text: str) -> str | None:
    """The table that a rule must stand in, by Calico's names in it; None when it stays open.

    A jump never leaves its table, so the target's table is the rule's. Only Calico's
    filter chains hold the rules that let tunnel packets through.
    """
    told = table_of_chain(chain) or (target and table_of_chain(target)) or None
    if told is None and chain.startswith("cali-") and "Allow " in text and _TUNNEL_ACCEPT.search(text):
        return "filter"
    return told


def is_chain_name(target: str, *, whole_table: bool) -> bool:
    """Whether an undeclared target is a chain rather than an extension of the kernel.

    Args:
        target: The word after `-j`.
        whole_table: The table was printed in full. Its chains are then all declared, so
            a name of the form that extensions have is one that calitop does not know.
    """
    if target in TARGETS:
        return False
    return not (whole_table and _EXTENSION_NAME.fullmatch(target))


_ADDRESS_OPTIONS = (
    r"-[sd]|--(?:source|destination|src|dst|to-destination|to-source|to|on-ip|ctorigsrc|ctorigdst|ctreplsrc"
    r"|ctrepldst|src-range|dst-range|gateway)"
)
_V4 = re.compile(
    rf" (?:{_ADDRESS_OPTIONS}) (?:! )?\d+\.\d+\.\d+\.\d+(?![\d.]*:[\d:]*:)"
    r"| -m ttl | -j TTL | --match-set cali40| --reject-with icmp-| --icmp-type "
)
_V6 = re.compile(
    rf" (?:{_ADDRESS_OPTIONS}) (?:! )?\[?[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*"
    r"| -m (?:icmp6|icmpv6|hl|frag|rt|hbh|dst|ipv6header|mh|eui64) | -j (?:HL|SNPT|DNPT) | -p icmpv6(?= |$)"
    r"| --match-set cali60| --reject-with icmp6-| --icmpv6-type "
)


def _outside_quotes(text: str, pattern: re.Pattern[str]) -> bool:
    return any(not text.count('"', 0, found.start()) & 1 for found in pattern.finditer(text))


def family_of_rule(text: str) -> Family | None:
    """`ipv4` or `ipv6` where a word of the rule exists in that family only."""
    if _V6.search(text) and _outside_quotes(text, _V6):
        return "ipv6"
    if _V4.search(text) and _outside_quotes(text, _V4):
        return "ipv4"
    return None

"""Values of iptables options: addresses, marks, ports, protocols, ICMP types.

Every reader answers None for words it does not understand in full; the caller then
keeps the words instead of guessing.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network
from socket import AF_INET, inet_pton

from calitop.model.values import Address, NamePattern, Network, Range

_HIGHEST_PORT = 65535
_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,16}", re.ASCII)
_DECIMAL = re.compile(r"\d{1,20}", re.ASCII)
_IPV4 = re.compile(r"([0-9.]+)(?:/([0-9]{1,2}))?")
_PARTIAL_V4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,2}", re.ASCII)

PROTOCOLS = {
    **{
        "all": 0,
        "ip": 0,
        "icmp": 1,
        "igmp": 2,
        "ggp": 3,
        "ipencap": 4,
        "ipv4": 4,
        "ipip": 94,
        "st": 5,
        "tcp": 6,
    },
    **{
        "egp": 8,
        "igp": 9,
        "pup": 12,
        "udp": 17,
        "hmp": 20,
        "xns-idp": 22,
        "rdp": 27,
        "iso-tp4": 29,
        "dccp": 33,
    },
    **{
        "xtp": 36,
        "ddp": 37,
        "idpr-cmtp": 38,
        "ipv6": 41,
        "ipv6-route": 43,
        "ipv6-frag": 44,
        "idrp": 45,
        "rsvp": 46,
    },
    **{
        "gre": 47,
        "esp": 50,
        "ipsec-esp": 50,
        "ah": 51,
        "ipsec-ah": 51,
        "skip": 57,
        "ipv6-icmp": 58,
        "icmpv6": 58,
    },
    **{
        "icmp6": 58,
        "ipv6-nonxt": 59,
        "ipv6-opts": 60,
        "rspf": 73,
        "vmtp": 81,
        "eigrp": 88,
        "ospf": 89,
        "ax.25": 93,
    },
    **{
        "etherip": 97,
        "encap": 98,
        "pim": 103,
        "ipcomp": 108,
        "vrrp": 112,
        "l2tp": 115,
        "isis": 124,
        "sctp": 132,
    },
    **{
        "fc": 133,
        "mobility-header": 135,
        "ipv6-mh": 135,
        "mh": 135,
        "udplite": 136,
        "mpls-in-ip": 137,
        "manet": 138,
    },
    **{"hip": 139, "shim6": 140, "wesp": 141, "rohc": 142, "ethernet": 143},
}
"""Protocol names of Debian's /etc/protocols and of iptables itself (xtables_chain_protos)."""

_SERVICES = {
    **{
        "ftp-data": 20,
        "ftp": 21,
        "ssh": 22,
        "telnet": 23,
        "smtp": 25,
        "domain": 53,
        "bootps": 67,
        "bootpc": 68,
    },
    **{
        "tftp": 69,
        "http": 80,
        "www": 80,
        "kerberos": 88,
        "pop3": 110,
        "sunrpc": 111,
        "ntp": 123,
        "netbios-ns": 137,
    },
    **{
        "netbios-dgm": 138,
        "netbios-ssn": 139,
        "imap2": 143,
        "imap": 143,
        "snmp": 161,
        "snmp-trap": 162,
        "bgp": 179,
    },
    **{
        "ldap": 389,
        "https": 443,
        "microsoft-ds": 445,
        "isakmp": 500,
        "syslog": 514,
        "submission": 587,
        "ldaps": 636,
    },
    **{
        "imaps": 993,
        "pop3s": 995,
        "nfs": 2049,
        "mysql": 3306,
        "postgresql": 5432,
        "ipsec-nat-t": 4500,
        "mdns": 5353,
    },
}

TCP_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}

_ICMP4 = {
    **{"any": None, "echo-reply": (0, None), "pong": (0, None), "destination-unreachable": (3, None)},
    **{"network-unreachable": (3, 0), "host-unreachable": (3, 1), "protocol-unreachable": (3, 2)},
    **{"port-unreachable": (3, 3), "fragmentation-needed": (3, 4), "source-route-failed": (3, 5)},
    **{
        "network-unknown": (3, 6),
        "host-unknown": (3, 7),
        "network-prohibited": (3, 9),
        "host-prohibited": (3, 10),
    },
    **{
        "TOS-network-unreachable": (3, 11),
        "TOS-host-unreachable": (3, 12),
        "communication-prohibited": (3, 13),
    },
    **{"host-precedence-violation": (3, 14), "precedence-cutoff": (3, 15), "source-quench": (4, None)},
    **{
        "redirect": (5, None),
        "network-redirect": (5, 0),
        "host-redirect": (5, 1),
        "TOS-network-redirect": (5, 2),
    },
    **{
        "TOS-host-redirect": (5, 3),
        "echo-request": (8, None),
        "ping": (8, None),
        "router-advertisement": (9, None),
    },
    **{"router-solicitation": (10, None), "time-exceeded": (11, None), "ttl-exceeded": (11, None)},
    **{
        "ttl-zero-during-transit": (11, 0),
        "ttl-zero-during-reassembly": (11, 1),
        "parameter-problem": (12, None),
    },
    **{"ip-header-bad": (12, 0), "required-option-missing": (12, 1), "timestamp-request": (13, None)},
    **{"timestamp-reply": (14, None), "address-mask-request": (17, None), "address-mask-reply": (18, None)},
}
_ICMP6 = {
    **{"destination-unreachable": (1, None), "no-route": (1, 0), "communication-prohibited": (1, 1)},
    **{
        "beyond-scope": (1, 2),
        "address-unreachable": (1, 3),
        "port-unreachable": (1, 4),
        "failed-policy": (1, 5),
    },
    **{
        "reject-route": (1, 6),
        "packet-too-big": (2, None),
        "time-exceeded": (3, None),
        "ttl-exceeded": (3, None),
    },
    **{
        "ttl-zero-during-transit": (3, 0),
        "ttl-zero-during-reassembly": (3, 1),
        "parameter-problem": (4, None),
    },
    **{
        "bad-header": (4, 0),
        "unknown-header-type": (4, 1),
        "unknown-option": (4, 2),
        "echo-request": (128, None),
    },
    **{
        "ping": (128, None),
        "echo-reply": (129, None),
        "pong": (129, None),
        "router-solicitation": (133, None),
    },
    **{"router-advertisement": (134, None), "neighbour-solicitation": (135, None), "redirect": (137, None)},
    **{"neighbor-solicitation": (135, None), "neighbour-advertisement": (136, None)},
    **{"neighbor-advertisement": (136, None)},
}
_ANY_ICMP = 255


def number(word: str) -> int | None:
    """A number as strtoul(3) reads it with base 0: `0x` hexadecimal, a leading 0 octal."""
    if _HEX.fullmatch(word):
        return int(word, 16)
    if not _DECIMAL.fullmatch(word):
        return None
    if word[0] == "0" and len(word) > 1:
        return int(word, 8) if all(digit in "01234567" for digit in word) else None
    return int(word)


def value_and_mask(word: str, full: int = 0xFFFFFFFF) -> tuple[int, int] | None:
    """`value[/mask]`; without mask all bits of `full`."""
    value, slash, mask = word.partition("/")
    first = number(value)
    second = number(mask) if slash else full
    if first is None or second is None or first > full or second > full:
        return None
    return first, second


def pattern(word: str) -> NamePattern:
    """A device name, `+` at its end meaning every name that begins so."""
    return NamePattern(word[:-1], True) if word.endswith("+") else NamePattern(word)


def networks(word: str) -> tuple[Network, ...] | None:
    """A comma list of addresses with length or mask; None for host names and masks with holes."""
    found = [_network(part) for part in word.split(",")]
    known = tuple(network for network in found if network is not None)
    return known if known and len(known) == len(found) else None


def plain_ipv4(part: str) -> tuple[int, int] | None:
    """Length and number of the one form that rules and sets have by the thousand; None for every other."""
    found = _IPV4.fullmatch(part)
    bits = int(found[2] or 32) if found else 33
    if found is None or bits > 32:
        return None
    try:
        number = int.from_bytes(inet_pton(AF_INET, found[1]), "big")
    except OSError:
        return None
    return bits, number >> (32 - bits) << (32 - bits)


def _network(word: str) -> Network | None:
    plain = plain_ipv4(word)
    if plain is not None:
        return IPv4Network((plain[1], plain[0]))
    bare, slash, mask = word.partition("/")
    if _PARTIAL_V4.fullmatch(bare) and slash:
        bare += ".0" * (3 - bare.count("."))
    if slash and "." in mask and not _is_prefix_mask(mask):
        return None
    if slash and ":" in mask:
        length = _length_of_mask(mask)
        if length is None:
            return None
        mask = str(length)
    try:
        return ip_network(bare + slash + mask, strict=False)
    except ValueError:
        return None


def _is_prefix_mask(mask: str) -> bool:
    """Ones, then zeros: the module ipaddress would take 0.0.0.255 for a host mask."""
    try:
        bits = int(IPv4Address(mask))
    except ValueError:
        return False
    return (~bits & 0xFFFFFFFF) & ((~bits & 0xFFFFFFFF) + 1) == 0


def _length_of_mask(mask: str) -> int | None:
    try:
        bits = f"{int(IPv6Address(mask)):0128b}"
    except ValueError:
        return None
    return None if "01" in bits else bits.count("1")


def address(word: str) -> Address | None:
    """One address, brackets allowed around IPv6."""
    try:
        return ip_address(word[1:-1] if word[:1] == "[" and word[-1:] == "]" else word)
    except ValueError:
        return None


def port(word: str) -> int | None:
    """A port by number or by one of the common names."""
    found = number(word)
    if found is None:
        return _SERVICES.get(word)
    return found if found <= _HIGHEST_PORT else None


def port_range(word: str, separator: str = ":") -> Range | None:
    """`80`, `80:90`, `:90`, `80:`."""
    first, colon, last = word.partition(separator)
    low = port(first) if first else 0
    high = (port(last) if last else _HIGHEST_PORT) if colon else low
    if not word or word == separator or low is None or high is None or low > high:
        return None
    return Range(low, high)


def port_ranges(word: str) -> tuple[Range, ...] | None:
    """A comma list of ports and ranges."""
    found = [port_range(part) for part in word.split(",")]
    known = tuple(one for one in found if one is not None)
    return known if len(known) == len(found) else None


def number_range(word: str, highest: int, separator: str = ":") -> Range | None:
    """`5`, `5:9`, `:9`, `5:` of plain numbers."""
    first, colon, last = word.partition(separator)
    low = number(first) if first else 0
    high = (number(last) if last else highest) if colon else low
    if not word or word == separator or low is None or high is None or low > high:
        return None
    return Range(low, high)


def protocol(word: str) -> int | None:
    """A layer 4 protocol by name or number; 0 stands for every one."""
    found = number(word)
    if found is None:
        return PROTOCOLS.get(word.lower())
    return found if found <= _ANY_ICMP else None


def tcp_flags(word: str) -> int | None:
    """`FIN,SYN`, `ALL` or `NONE` as bits of the TCP header."""
    bits = 0
    for name in word.upper().split(","):
        if name not in TCP_FLAGS:
            return None
        bits |= TCP_FLAGS[name]
    return bits


def icmp(word: str, version: int) -> tuple[int | None, Range | None] | None:
    """Type and codes of `8`, `3/1`, `echo-request`, `any`; None inside for any."""
    names = _ICMP4 if version == 4 else _ICMP6
    if word in names:
        named = names[word]
        if named is None:
            return None, None
        return named[0], None if named[1] is None else Range(named[1], named[1])
    kind, slash, code = word.partition("/")
    first, second = number(kind), number(code) if slash else None
    if first is None or first > _ANY_ICMP or (slash and (second is None or second > _ANY_ICMP)):
        return None
    if first == _ANY_ICMP and version == 4:
        return None, None
    return first, None if second is None else Range(second, second)
